"""Random changes of files, each with its own seed: bytes, JSON, NIfTI, checkpoints and DICOM.

Each function changes one file in place and returns a description, and whether the results of a command may differ. They
may not where a checksum, a length or a rule shows that the file is wrong: then it must be refused, or have no effect.
"""

from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path
from random import Random
from typing import Any

import nibabel
import numpy as np

Change = tuple[str, bool]
_LITERALS = (
    *(
        "null",
        "[]",
        "{}",
        '"x"',
        '""',
        "-1",
        "0",
        "1e308",
        "1e999",
        "NaN",
        "-Infinity",
        "true",
        "0.5",
        "[[]]",
        "1e-300",
    ),
    *(
        "9" * 5000,
        "9" * 25,
        "[" * 5000 + "]" * 5000,
        '{"a":' * 200 + "1" + "}" * 200,
        '"\\ud800"',
        '"a\\u0000b"',
        '"../x"',
    ),
)
_MARK = "@mutation@"


def flip_bytes(path: Path, random: Random) -> Change:
    """One to three bits anywhere."""
    content = bytearray(path.read_bytes())
    places = [random.randrange(len(content)) for _ in range(random.randint(1, 3))]
    for place in places:
        content[place] ^= 1 << random.randrange(8)
    _replace(path, bytes(content))
    return f"bits flipped in bytes {places}", False


def cut_off(path: Path, random: Random) -> Change:
    content = path.read_bytes()
    length = random.choice([0, 1, random.randrange(len(content)), len(content) - 1])
    _replace(path, content[:length])
    return f"cut off after {length} of {len(content)} bytes", False


def leave_out(path: Path, random: Random) -> Change:
    """A slice between other slices of the file's series (CT0, CT1, ...)."""
    kind = path.name.rstrip("0123456789")
    number = random.randrange(1, len([*path.parent.glob(f"{kind}*")]) - 1)
    path.with_name(f"{kind}{number}").unlink()
    return f"removed {kind}{number}", False


def change_json(path: Path, random: Random) -> Change:
    """A value of another type at a random place, a missing or an additional key, or a text that is not JSON."""
    text = path.read_text()
    document = json.loads(text)
    kind = random.choice(["value"] * 6 + ["remove", "add", "repeat", "whole", "text"])
    if kind == "text":
        return _change_text(path, text, random)
    holder, key, place = _place(document, random)
    if kind == "whole":
        document, place = _MARK, "the document"
    elif kind == "remove" and isinstance(holder, dict):
        del holder[key]
    elif kind in ("add", "repeat") and isinstance(holder, dict):
        holder[f"{key}_more" if kind == "add" else f"{key}{_MARK}"] = 1
    else:
        kind, holder[key] = "value", _MARK
    literal = random.choice(_LITERALS)
    changed = json.dumps(document).replace(f'"{_MARK}"', literal).replace(_MARK, "")
    _replace(path, changed.encode("utf-8", errors="replace"))
    return f"{kind} at {place}: {literal[:30]}", True


def _place(document: Any, random: Random) -> tuple[Any, Any, str]:
    """A random list or object of the document, one of its keys, and its name."""
    place, found = "", []
    waiting = [(document, "")]
    while waiting:
        holder, place = waiting.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            found.append((holder, key, f"{place}/{key}"))
            if isinstance(value, dict | list):
                waiting.append((value, f"{place}/{key}"))
    depth = random.randint(1, 4)  # so that what is near the top is as likely as the many numbers below
    near = [one for one in found if one[2].count("/") <= depth]
    return random.choice(near or found)


def _change_text(path: Path, text: str, random: Random) -> Change:
    middle = random.randrange(len(text))
    variants = {
        "byte order mark": b"\xef\xbb\xbf" + text.encode(),
        "UTF-16": text.encode("utf-16"),
        "a character less": (text[:middle] + text[middle + 1 :]).encode(),
        "a byte that is not UTF-8": text[:middle].encode() + b"\xff" + text[middle:].encode(),
        "cut off": text[:middle].encode(),
        "empty": b"",
        "twice": text.encode() * 2,
    }
    name = random.choice(sorted(variants))
    _replace(path, variants[name])
    return f"text: {name}", True


def change_nifti(path: Path, random: Random) -> Change:
    """Fields of the header that contradict the data, impossible positions, or invalid values."""
    kinds = {"header": _change_header, "affine": _change_affine, "values": _change_values}
    return kinds[random.choice(sorted(kinds))](path, random)


def _change_header(path: Path, random: Random) -> Change:
    content = bytearray(gzip.decompress(path.read_bytes()))
    fields = {"datatype": (70, "<i2"), "bitpix": (72, "<i2"), "vox_offset": (108, "<f4"), "slope": (112, "<f4")}
    fields |= {f"dim[{axis}]": (40 + 2 * axis, "<i2") for axis in range(5)}
    fields |= {f"pixdim[{axis}]": (76 + 4 * axis, "<f4") for axis in range(1, 4)}
    name = random.choice(sorted(fields))
    offset, kind = fields[name]
    old = np.frombuffer(content, kind, 1, offset)[0]
    value = random.choice([0, -1, 1, 2, 8, 16, 64, 512, old + 1, old - 1, 32767, float("nan"), float("inf"), 1e30])
    if kind == "<i2":
        value = int(np.clip(np.nan_to_num(value), -32768, 32767))
    content[offset : offset + np.dtype(kind).itemsize] = np.array(value, kind).tobytes()
    _replace(path, gzip.compress(bytes(content), 1))
    free = name.startswith(("pixdim", "slope")) or value == old
    return f"{name} {old} -> {value}", free


def _change_affine(path: Path, random: Random) -> Change:
    image: Any = nibabel.load(path)
    kind = random.choice(["moved by 1 km", "no codes", "singular", "NaN"])
    affine = image.affine.copy()
    if kind == "moved by 1 km":
        affine[:3, 3] += 1e6
    elif kind == "singular":
        affine[:, 0] = 0
    elif kind == "NaN":
        affine[0, 0] = np.nan
    content = bytearray(gzip.decompress(path.read_bytes()))
    code = 0 if kind == "no codes" else 1
    content[252:256] = np.array([0, code], "<i2").tobytes()  # qform_code, sform_code
    content[280:328] = affine[:3].astype("<f4").tobytes()  # srow_x, srow_y, srow_z
    _replace(path, gzip.compress(bytes(content), 1))
    return f"affine: {kind}", False


def _change_values(path: Path, random: Random) -> Change:
    image: Any = nibabel.load(path)
    values = np.asarray(image.dataobj, dtype=np.float32)
    kind = random.choice(["a NaN", "an infinity", "one of 3e38", "all zero", "all negative", "all NaN"])
    where = tuple(random.randrange(n) for n in values.shape)
    if kind.startswith("all"):
        values[:] = {"all zero": 0, "all negative": -5000, "all NaN": np.nan}[kind]
    else:
        values[where] = {"a NaN": np.nan, "an infinity": np.inf, "one of 3e38": 3e38}[kind]
    _save(path, nibabel.Nifti1Image(values, image.affine))
    return f"values: {kind}", False


def _save(path: Path, image: Any) -> None:
    path.unlink()
    nibabel.save(image, path)


def change_checkpoint(path: Path, random: Random) -> Change:
    """A weight that is not a number, or a value of another type outside the weights."""
    import torch

    content = torch.load(path, map_location="cpu", weights_only=True)
    if random.random() < 0.3:
        _first_weights(content).view(-1)[0] = float("nan")
        torch.save(content, path)
        return "a weight is NaN", False
    holder, key, place = _place({name: item for name, item in content.items() if name == "plans"} or content, random)
    value = random.choice([None, [], {}, "x", -1, 0, float("inf"), float("nan"), 10**7, True, "os.system", 1e-300])
    holder[key] = value
    torch.save(content, path)
    return f"value at {place}: {value!r}", True


def _first_weights(value: Any) -> Any:
    if hasattr(value, "is_floating_point"):
        return value if value.is_floating_point() and value.numel() else None
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        if (found := _first_weights(item)) is not None:
            return found
    return None


def change_dicom(path: Path, random: Random) -> Change:
    """A missing tag, or a tag with an impossible value."""
    import pydicom

    dataset = pydicom.dcmread(path)
    tags = [element for element in dataset if element.keyword not in ("PixelData", "")]
    element = random.choice(tags)
    values = [None, "", "0", "-1", "x", "1e400", "99999999", "19000101", "250000", "NaN"]
    value = random.choice(values)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if value is None:
                del dataset[element.tag]
            else:
                element.value = value if element.VR != "SQ" else []
            dataset.save_as(path)
    except Exception:  # pydicom itself refuses the value
        return "nothing", True
    return f"{element.keyword}: {value!r}", True


def _replace(path: Path, content: bytes) -> None:
    path.unlink()  # it may be a link to the file of another trial
    path.write_bytes(content)
