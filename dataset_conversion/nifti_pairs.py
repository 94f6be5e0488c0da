"""A folder of CT/PET pairs in NIfTI to a raw dataset.

The name of every image contains its kind as a separate word: ``ct``; ``pet``, ``pt`` or ``suv``; ``seg``, ``mask``,
``label``, ``lesion`` or ``lesions``. In a name without such a word, nnU-Net's 0000 (CT) and 0001 (PET) at its end
count; all other numbers belong to the study. The rest of the name, and the folder, are the same for the images of one
study:

    scans/anna_CT.nii.gz  scans/anna_PET.nii.gz
    scans/17/ct.nii.gz    scans/17/suv.nii.gz    scans/17/seg.nii.gz

CT in HU, PET in SUV (body weight, g/ml): images in other units are listed and not used. ``studies.csv`` in the folder
can add data, with the columns study (anna; for folders 17), patient, diagnosis, sex, age; without it every study is
another patient.

Example: python -m dataset_conversion.nifti_pairs -i scans -d 001 -n CLINIC
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from ct2pet.cli.arguments import positive_integer
from ct2pet.cli.command import command
from ct2pet.conversion.converter import dataset_folder
from ct2pet.dicom.tree import LeftOut, regular_files
from ct2pet.errors import DatasetError
from ct2pet.imageio import strip_suffix
from dataset_conversion._clinical import sex_letter, years
from dataset_conversion._console import add_arguments, report
from dataset_conversion._ct_and_pet import CT_AND_PET
from dataset_conversion._pairs import Found, Study, convert_studies

_TABLE = "studies.csv"
_WORDS = {
    **dict.fromkeys(("seg", "mask", "label", "lesion", "lesions"), "lesions"),  # checked first: PET_mask is a mask
    **dict.fromkeys(("pet", "pt", "suv"), "PET"),
    "ct": "CT",
}
_CHANNELS = {"0000": "CT", "0001": "PET"}
_EMPTY = {"image", "images", "img", "volume"}


def find_studies(source: Path) -> Found:
    """The pairs below ``source`` and the unusable files. Links are followed, each folder once. Raises DatasetError
    where studies.csv is invalid."""
    groups: dict[str, dict[str, list[Path]]] = {}
    problems: list[LeftOut] = []
    unreadable: list[LeftOut] = []
    for path in regular_files(source, unreadable):
        if not _is_image(path):
            continue
        role, rest = role_of(strip_suffix(path))
        if role is None:
            problems.append(LeftOut(path, "its name does not contain the kind of image (CT or PET)"))
            continue
        study = "/".join([*path.parent.relative_to(source).parts, *([rest] if rest else [])])
        groups.setdefault(study, {}).setdefault(role, []).append(path)
    table = _read_table(source / _TABLE) if (source / _TABLE).is_file() else {}
    studies = []
    for study, roles in groups.items():
        reason = _problem(roles)
        if reason:
            problems.append(LeftOut(next(iter(roles.values()))[0], reason))
        else:
            studies.append(_study(study, roles, table.get(study, {})))
    problems += [item for item in unreadable if _is_image(item.path) or item.path.is_dir()]
    unknown = sorted({*table} - {*groups})
    notes = [f"{_TABLE}: {len(unknown)} row(s) belong to no study"] if unknown else []
    return Found(studies, problems, notes)


def _is_image(path: Path) -> bool:
    return path.name.lower().endswith((".nii", ".nii.gz")) and not path.name.startswith(".")


def role_of(name: str) -> tuple[str | None, str]:
    """The kind of an image from its name, and the rest of the name: ("PET", "anna_1") for anna_1_PET."""
    words = [word for word in re.split(r"[_\-. ]+", name) if word]
    roles = [_WORDS[word.lower()] for word in words if word.lower() in _WORDS]
    if not roles and words and words[-1] in _CHANNELS:
        roles = [_CHANNELS[words.pop()]]
    rest = [word for word in words if word.lower() not in _WORDS and word.lower() not in _EMPTY]
    role = next((role for role in ("lesions", "PET", "CT") if role in roles), None)
    return role, "_".join(rest)


def _problem(roles: dict[str, list[Path]]) -> str:
    for role in ("CT", "PET"):
        if role not in roles:
            return f"a study without {role}"
    several = [role for role, paths in roles.items() if len(paths) > 1]
    return f"a study with {len(roles[several[0]])} images for its {several[0]}" if several else ""


def _study(name: str, roles: dict[str, list[Path]], row: dict[str, str]) -> Study:
    return Study(
        name=name,
        patient=row.get("patient") or name,
        image=roles["CT"][0],
        target=roles["PET"][0],
        lesions=roles["lesions"][0] if "lesions" in roles else None,
        diagnosis=row.get("diagnosis", ""),
        sex=sex_letter(row.get("sex", "")),
        age=years(row.get("age", "")),
    )


def _read_table(path: Path) -> dict[str, dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _by_study(path, csv.DictReader(file, restkey="", restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as a table ({type(error).__name__})") from None


def _by_study(path: Path, rows: Iterable[dict[str, str]]) -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    for number, row in enumerate(rows, start=2):
        if not row.get("study"):
            raise DatasetError(f"{path}: line {number} has no study (column 'study')")
        if row["study"] in table:
            raise DatasetError(f"{path}: line {number} has the study of another line")
        table[row["study"]] = {key: (value or "").strip() for key, value in row.items() if key}
    return table


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_arguments(parser, "folder of the images, which may be in subfolders")
    parser.add_argument(
        "-d",
        dest="dataset_id",
        type=positive_integer,
        required=True,
        metavar="N",
        help="number of the dataset, for example 001",
    )
    parser.add_argument(
        "-n",
        dest="name",
        required=True,
        metavar="NAME",
        help="name of the dataset: DatasetNNN_NAME with cases NAME_0001 ...",
    )


def _execute(parsed: argparse.Namespace) -> None:
    found = find_studies(parsed.source)
    outcome = convert_studies(
        dataset_folder(parsed.dataset_id, parsed.name),
        parsed.source,
        found,
        recipe=CT_AND_PET,
        named=False,
        num_processes=parsed.num_processes,
        patient_map=parsed.patient_map,
        left_out=parsed.left_out,
        citation={"source": "NIfTI"},
    )
    report(found, outcome, split=parsed.split, places=None)


main = command("nifti_pairs", __doc__, _add_arguments, _execute)

if __name__ == "__main__":
    sys.exit(main(None))
