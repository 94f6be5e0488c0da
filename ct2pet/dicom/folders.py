"""Folders of DICOM CTs as cases: finding them, and their case names."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from ct2pet.dicom.headers import CT
from ct2pet.dicom.reading import quiet, read_dataset
from ct2pet.dicom.series import Series
from ct2pet.dicom.tree import scan_tree
from ct2pet.errors import DatasetError, ImageError

_DIRECTORY = "1.2.840.10008.1.3.10"
_SHORTEST = 3  # shortest identifier searched inside a name (letters or digits)
_NAMES = ("PatientName", "OtherPatientNames", "PatientBirthName")
_TEXTS = (*_NAMES, "PatientID", "OtherPatientIDs", "AccessionNumber")
_UNNAMED = "ct_"


def only_ct_series(folder: Path) -> Series:
    """The only CT series below a folder; see ``only_series``."""
    return only_series(folder, CT)


def only_series(folder: Path, kind: str) -> Series:
    """The only series of a kind (``headers.CT`` or ``headers.PET``) below a folder; other objects are ignored.

    Raises ImageError, without the folder's name, for none or several series, or damaged files next to its images: a
    missing slice at an end would leave no gap.
    """
    tree = scan_tree(folder)
    found = [series for series in tree.series if series.kind == kind]
    if len(found) == 1:
        places = {header.path.parent for header in found[0].headers}
        damaged = [item.reason for item in tree.left_out if item.damaged and item.path.parent in places]
        if damaged:
            count = f"{len(damaged)} damaged file(s) next to its images ({damaged[0]})"
            raise ImageError(f"{count}: slices may be missing; restore or remove them")
        return found[0]
    if found:
        names = "; ".join(series.label for series in found)
        raise ImageError(f"it contains {len(found)} {kind} series ({names}); put each into its own folder")
    reasons = Counter(item.reason for item in tree.left_out)
    what = "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common(3))
    raise ImageError(f"no {kind} series (DICOM) in this folder{f', but {what}' if what else ''}")


def dicom_cases(folder: Path, besides: Path) -> dict[str, Path]:
    """The folders of the cases by case: ``folder`` itself where it contains DICOM files, otherwise each folder in it
    with DICOM files (except ``besides``). Reads only a few headers.

    A case has the name of its folder; where that contains the patient's name it is ``ct_`` and eight digits that depend
    on its series. Raises DatasetError where two cases have the same name.
    """
    if any(_header(path) is not None for path in _files(folder)):
        folders = [folder]
    else:
        folders = [path for path in sorted(folder.iterdir()) if path.is_dir() and not _same(path, besides)]
    cases: dict[str, Path] = {}
    for path in folders:
        header = None if path.name.startswith(".") else _first_header(path)
        if header is not None:
            case = _name(path, header)
            if case in cases:
                raise DatasetError(f"{folder}: two of its folders contain the same series ({case}); remove one")
            cases[case] = path
    return cases


def _same(first: Path, second: Path) -> bool:
    return second.exists() and first.samefile(second)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.is_file())


def _first_header(folder: Path) -> Dataset | None:
    for place, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        for name in sorted(names):
            header = _header(Path(place, name))
            if header is not None:
                return header
    return None


def _header(path: Path) -> Dataset | None:
    """The patient names and IDs in a DICOM file; None for other files and for directories (DICOMDIR)."""
    tags = (*_TEXTS, "SOPClassUID", "PatientBirthDate", "PatientIdentityRemoved", "SeriesInstanceUID")
    try:
        header = read_dataset(path, tags=[*tags, "SpecificCharacterSet"])
    except ImageError:
        return None
    with quiet():
        sop_class = header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID", "")
    return None if sop_class in (None, "", _DIRECTORY) else header


def _name(folder: Path, header: Dataset) -> str:
    name = _own_name(folder)
    with quiet():
        identity_removed = str(header.get("PatientIdentityRemoved", "")).strip().upper() == "YES"
        if identity_removed or not any(_occurs(text, name) for text in _identifiers(header)):
            return name
        digest = hashlib.sha256(str(header.get("SeriesInstanceUID", name)).encode()).hexdigest()
    return f"{_UNNAMED}{digest[:8]}"


def is_renamed(case: str, folder: Path) -> bool:
    """Whether the case of a folder has another name than the folder."""
    return case != _own_name(folder)


def _own_name(folder: Path) -> str:
    """The folder's name, also where it is given as a dot; for a link the name of the link, not of its target."""
    return Path(os.path.abspath(folder)).name


def _identifiers(header: Dataset) -> Iterator[str]:
    for keyword in _TEXTS:
        value = header.get(keyword) or ""
        text = " ".join(map(str, value)) if isinstance(value, (MultiValue, list)) else str(value)
        yield text
        if keyword in _NAMES:
            yield from _words(text)
    birth = str(header.get("PatientBirthDate", "") or "")
    if len(birth) == 8:
        yield birth
        yield birth[6:] + birth[4:6] + birth[:4]
        yield birth[4:] + birth[:4]


def _occurs(identifier: str, name: str) -> bool:
    plain = _plain(identifier)
    if len(plain) < _SHORTEST:
        return len(plain) == _SHORTEST - 1 and plain.isalpha() and plain in map(_plain, _words(name))
    return plain in _plain(name)


def _words(text: str) -> list[str]:
    return re.split(r"[^\w]+|_", text)


def _plain(text: str) -> str:
    """Only letters and digits, without accents, in lower case."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in letters if letter.isalnum())
