"""A folder tree of exported files: its images, and the unused files with reasons."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ct2pet.console import progress as shown_progress
from ct2pet.dicom.headers import STRUCTURE, Header, read_header
from ct2pet.dicom.reading import DamagedFile
from ct2pet.dicom.series import Series, group_series
from ct2pet.errors import DatasetError, ImageError

_NO_VOLUME = {
    "LOCALIZER": "a localiser (scout)",
    "SCOUT": "a localiser (scout)",
    "MIP": "a projection",
    "PROJECTION IMAGE": "a projection",
    "REPROJECTION": "a projection",
    "SCREEN SAVE": "a screenshot",
    "DOSE_INFO": "a dose report",
    "FUSION": "a fused image",
    "FUSED": "a fused image",
    "VOLUME_RENDERED": "a rendering",
    "3D RENDERING": "a rendering",
}


@dataclass(frozen=True)
class LeftOut:
    """An unused file or folder of a series, with the reason. ``damaged``: it could be part of a series."""

    path: Path
    reason: str
    damaged: bool = False


@dataclass(frozen=True)
class Tree:
    """The content of a folder. ``structures``: RTSTRUCT and SEG objects. ``num_files``: of any kind."""

    root: Path
    series: tuple[Series, ...]
    structures: tuple[Header, ...]
    left_out: tuple[LeftOut, ...]
    num_files: int


def scan_tree(root: Path, *, progress: bool = False) -> Tree:
    """Read the headers of all files of a folder tree, with a progress bar where ``progress``.

    Files other than CT or PET images, RTSTRUCT and SEG are listed as unused; so are copies of an image, localisers and
    projections. Files of macOS (``._NAME``, ``.DS_Store``) are ignored. Raises DatasetError where the folder does not
    exist or has no files.
    """
    root = Path(root)
    if root.is_file():
        raise DatasetError(f"{root}: is a file; give its folder")
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder")
    left_out: list[LeftOut] = []
    files = list(regular_files(root, left_out))
    if not files:
        raise DatasetError(f"{root}: no readable files")
    images: list[Header] = []
    structures: list[Header] = []
    seen: dict[str, list[Header]] = {}
    with shown_progress("Reading headers", len(files), "file", shown=progress) as bar:
        for path in files:
            bar.advance()
            try:
                header = read_header(path)
                _check_new(header, seen.setdefault(header.sop_instance, []))
                _check_volume(header)
            except ImageError as error:
                if not _is_of_file_manager(path):
                    left_out.append(LeftOut(path, str(error), isinstance(error, DamagedFile)))
                continue
            (structures if header.kind == STRUCTURE else images).append(header)
    return Tree(root, tuple(group_series(images)), tuple(structures), tuple(left_out), len(files))


def _is_of_file_manager(path: Path) -> bool:
    """Whether a file that is no image is one of those that macOS puts beside each file, with its ending, or into each
    folder: no slice is missing because of it."""
    return path.name.startswith("._") or path.name == ".DS_Store"


def regular_files(root: Path, left_out: list[LeftOut]) -> Iterator[Path]:
    """The regular files below ``root``, sorted. Links are followed, each folder once; other than regular files, and
    unreadable folders, are added to ``left_out``."""
    visited: set[tuple[int, int]] = set()
    _is_new(root, visited)  # a link below it may point back to it

    def unreadable(error: OSError) -> None:
        left_out.append(LeftOut(Path(error.filename), "a folder without read permission"))

    for folder, folders, names in os.walk(root, onerror=unreadable, followlinks=True):
        folders[:] = [name for name in sorted(folders) if _is_new(Path(folder, name), visited)]
        for name in sorted(names):
            path = Path(folder, name)
            try:
                regular = path.is_file()
            except OSError:
                regular = True  # not accessible; reported when it is read
            if regular:
                yield path
            else:
                left_out.append(LeftOut(path, "not a regular file (a broken link, a device)"))


def _is_new(folder: Path, visited: set[tuple[int, int]]) -> bool:
    try:
        status = folder.stat()
    except OSError:
        return True
    key = (status.st_dev, status.st_ino)
    known = key in visited
    visited.add(key)
    return not known


def _check_new(header: Header, same_uid: list[Header]) -> None:
    """Raise ImageError for a copy. Different images under one UID are kept: they would not form one volume."""
    if any(header == other for other in same_uid):
        raise ImageError("a copy of another file (same SOPInstanceUID)")
    same_uid.append(header)


def _check_volume(header: Header) -> None:
    """Raise ImageError for an image that cannot be a slice of a volume."""
    if header.kind == STRUCTURE:
        return
    for word in (*header.image_type, *header.series_type[1:]):
        if word in _NO_VOLUME:
            raise ImageError(_NO_VOLUME[word])
    if not header.grey:
        raise ImageError("a colour image")
