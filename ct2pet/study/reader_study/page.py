"""The page of a reader study: one HTML file that works offline, and the key to its answers in a file of its own."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ct2pet.errors import Ct2PetError
from ct2pet.files import atomic_path, write_json
from ct2pet.study.reader_study.images import Window, draw_images, encoded

_ASSETS = Path(__file__).with_name("assets")


@dataclass(frozen=True)
class ReaderStudyOptions:
    """``number`` real and as many synthetic images, as in Samaras et al. (2025). ``window``: of volumes, in SUV or
    HU."""

    number: int = 80
    seed: int = 12345
    window: Window | None = None


def make_reader_study(
    real: Path, synthetic: Path, page: Path, key: Path, options: ReaderStudyOptions | None = None
) -> str:
    """Write the ``page`` that shows images of two folders in random order, and the ``key``, which the reader must not
    have.

    The page holds nothing that tells which image is which: not their names, nor metadata, nor lengths. The same
    folders and options give the same files. Returns the study's name. Raises ImageError for unfit images, and
    Ct2PetError where a file exists or would lie among the images.
    """
    options = options or ReaderStudyOptions()
    _check_places(real, synthetic, page, key)
    random = np.random.default_rng([options.seed, *b"reader"])
    images = draw_images((real, synthetic), options.number, random, options.window)
    order = random.permutation(2 * options.number)
    shown = [encoded(image) for image in [*images[0], *images[1]]]
    shown = [shown[index] for index in order]
    name = hashlib.sha256(b"".join(shown)).hexdigest()[:12]
    answers = ["real" if index < options.number else "synthetic" for index in order]
    write_json(key, {"study": name, "seed": options.seed, "images": answers})
    with atomic_path(page) as temporary:
        temporary.write_text(_document(name, shown), encoding="utf-8")
    return name


def _check_places(real: Path, synthetic: Path, page: Path, key: Path) -> None:
    if real.resolve() == synthetic.resolve():
        raise Ct2PetError(f"{real}: the real and the synthetic images are in the same folder; give two folders")
    for path in (page, key):
        if path.exists():
            raise Ct2PetError(f"{path}: exists already, and answers may have been given to it; choose another name")
        if path.resolve().parent in (real.resolve(), synthetic.resolve()):
            raise Ct2PetError(f"{path}: would lie among the images of the study; choose another folder")
    if page.resolve() == key.resolve():
        raise Ct2PetError(f"{page}: the page and its key need two files")


def _document(name: str, images: list[bytes]) -> str:
    style, script = ((_ASSETS / f"reader.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    data = json.dumps({"study": name, "images": [base64.b64encode(image).decode("ascii") for image in images]})
    replacements = {
        "{{policy}}": html.escape(policy),
        "{{style}}": style,
        "{{script}}": script,
        "{{data}}": data,
    }
    page = (_ASSETS / "reader.html").read_text(encoding="utf-8")
    for mark, text in replacements.items():
        page = page.replace(mark, text)
    return page
