"""Folders of DICOM CTs as cases: finding them, and their case names."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset, FileDataset
from pydicom.multival import MultiValue

from ct2pet.dicom.headers import CT, kind_of, patient_of
from ct2pet.dicom.reading import quiet, read_dataset
from ct2pet.dicom.series import Series
from ct2pet.dicom.tree import regular_files, scan_tree
from ct2pet.errors import DatasetError, ImageError

_SHORTEST = 3  # shortest identifier searched inside a name (letters or digits)
_NAMES = ("PatientName", "OtherPatientNames", "PatientBirthName")
_TEXTS = (*_NAMES, "PatientID", "OtherPatientIDs", "AccessionNumber")
_UNNAMED = "ct_"
_MOST_NAMES = 5  # of left-out folders in a message
_BASE_LETTERS = str.maketrans({"ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_LATIN_1 = {0xDC00 + byte: chr(byte) for byte in range(0x80, 0x100)}  # of names that are not UTF-8, as Python has them


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
    """The folders of the cases by case: ``folder`` itself where it contains DICOM files, or else each folder in it with
    a CT (except ``besides``). Where these folders are the series of one patient, and only one has a CT, ``folder``
    itself is the case. Links are followed. Of a folder with a CT only the headers up to the first CT are read.

    A case has the name of its folder; where that contains the patient's name, in any spelling, it is ``ct_`` and eight
    digits that depend on its series. Folders without a CT (PETs, reports) are left out with a warning. Raises
    DatasetError where no folder has a CT, or where two cases have the same name.
    """
    found = _dicom_folders(folder, besides)
    with_ct = [one for one in found if one.has_ct]
    if found and not with_ct:
        raise DatasetError(
            f"{folder}: its DICOM files contain no CT; only CTs are read from DICOM, other images from files"
        )
    _warn_of_left_out([_name(one.path, one.header) for one in found if not one.has_ct])
    if len(with_ct) == 1 and _are_series_of_one_patient(found):
        return {_name(folder, with_ct[0].header): folder}
    cases: dict[str, Path] = {}
    for one in with_ct:
        case = _name(one.path, one.header)
        if case in cases:
            raise DatasetError(f"{folder}: two of its folders contain the same series ({case}); remove one")
        cases[case] = one.path
    return cases


@dataclass(frozen=True)
class _Folder:
    """A folder with DICOM files at any depth, and the ``header`` of the first one."""

    path: Path
    header: Dataset
    has_ct: bool


def _dicom_folders(folder: Path, besides: Path) -> list[_Folder]:
    """``folder`` where it contains DICOM files, or else the folders in it with DICOM files."""
    if any(_header(path) is not None for path in _files(folder)):
        paths = [folder]
    else:
        paths = [path for path in sorted(folder.iterdir()) if path.is_dir() and not _same(path, besides)]
    contents = [_content(path) for path in paths if not path.name.startswith(".")]
    return [one for one in contents if one is not None]


def _content(path: Path) -> _Folder | None:
    """None without DICOM files."""
    first = None
    for header in _headers(path):
        first = header if first is None else first
        if kind_of(header) == CT:
            return _Folder(path, first, True)
    return None if first is None else _Folder(path, first, False)


def _warn_of_left_out(names: Sequence[str]) -> None:
    if names:
        shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
        print(f"warning: {len(names)} folder(s) without a CT (DICOM) are left out: {shown}", file=sys.stderr)


def _are_series_of_one_patient(found: Sequence[_Folder]) -> bool:
    """Whether the folders are named by series and not by case: several of one patient, or one with the name CT."""
    if len(found) == 1:
        return found[0].path.name.upper() == CT
    with quiet():
        return len({patient_of(one.header) for one in found}) == 1


def _same(first: Path, second: Path) -> bool:
    return second.exists() and first.samefile(second)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.is_file())


def _headers(folder: Path) -> Iterator[FileDataset]:
    headers = (_header(path) for path in regular_files(folder, []))
    return (header for header in headers if header is not None)


def _header(path: Path) -> FileDataset | None:
    """The patient names and IDs in a DICOM file; None for other files and for directories (DICOMDIR)."""
    tags = (*_TEXTS, "SOPClassUID", "PatientBirthDate", "PatientIdentityRemoved")
    try:
        header = read_dataset(path, tags=[*tags, "SeriesInstanceUID", "StudyInstanceUID", "SpecificCharacterSet"])
    except ImageError:
        return None
    return None if kind_of(header) is None else header


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
    """Whether a folder's name contains an identifier, in any spelling of its letters."""
    name = name.translate(_LATIN_1)
    return any(_occurs_as(spelling, identifier, name) for spelling in (_plain, _short))


def _occurs_as(spelling: Callable[[str], str], identifier: str, name: str) -> bool:
    text = spelling(identifier)
    if len(text) < _SHORTEST:
        return len(text) == _SHORTEST - 1 and text.isalpha() and text in map(spelling, _words(name))
    return text in spelling(name)


def _words(text: str) -> list[str]:
    return re.split(r"[^\w]+|_", text)


def _plain(text: str) -> str:
    """Only letters and digits, without accents, in lower case."""
    letters = unicodedata.normalize("NFKD", text).casefold().translate(_BASE_LETTERS)
    return "".join(letter for letter in letters if letter.isalnum())


def _short(text: str) -> str:
    """As ``_plain``, with one letter for Mueller, Soerensen and Aase, as for Müller, Sørensen and Åse."""
    return re.sub("ae|oe|ue|aa", lambda pair: pair[0][0], _plain(text))
