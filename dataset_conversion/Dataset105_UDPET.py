"""Pairs of low-dose and full-dose PET of the ultra-low-dose PET imaging challenge to ``$ct2pet_raw/Dataset105_UDPET``.

The input are the folders of the UDPET challenge (https://udpet-challenge.github.io, data after a signed transfer
agreement): FDG whole-body PET of a Siemens Biograph Vision Quadra and a United Imaging uEXPLORER, acquired in list mode
and reconstructed from all counts and from a part of the time in the middle of the acquisition. The subject's folder has
a folder of DICOM files (of any file ending) for each dose:

    Subject_115-117/SUBJECT/{Full_dose, 1-2 dose, 1-4 dose, 1-10 dose, 1-20 dose, 1-50 dose, 1-100 dose}
    SUBJECT/2.886 x 600 WB {NORMAL, D2, D4, D10, D20, D50, D100}    (or DRF_2, DRF_4, ...)

The dose reduction factor (--drf) chooses the input; SUV come from the headers. Other folders with this layout work,
too. There are no CTs and no organ labels. Each subject is a patient: the headers are pseudonymised. Example: python -m
dataset_conversion.Dataset105_UDPET -i UDPET --drf 20
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from functools import partial
from pathlib import Path

from ct2pet.cli.arguments import positive_integer
from ct2pet.cli.command import command
from ct2pet.dataset.description import FILE_NAME
from ct2pet.dataset.low_dose import write_low_dose_json
from ct2pet.dicom.tree import LeftOut
from ct2pet.errors import DatasetError
from ct2pet.files import read_json
from ct2pet.paths import raw_folder
from ct2pet.suv import SuppliedTable, read_supplied
from dataset_conversion._console import add_arguments, report
from dataset_conversion._dose_pair import LOW, check_supplied, memory_gib, write_dose_pair
from dataset_conversion._pairs import Found, Recipe, Study, convert_studies

NAME = "Dataset105_UDPET"
CITATION = {
    "licence": "the challenge's data transfer agreement",
    "reference": "Ultra-Low Dose PET Imaging Challenge, University of Bern and Ruijin Hospital Shanghai",
    "source": "https://udpet-challenge.github.io",
}
_FULL = re.compile(r"(?:.*[ _-])?(?:full|normal)(?:[ _-]dose)?", re.IGNORECASE)
_REDUCED = re.compile(r"(?:.*[ _])?(?:1-(\d+)[ _-]dose|D(?:RF)?[ _-]?(\d+))", re.IGNORECASE)


def reduction_of(folder_name: str) -> int | None:
    """The dose reduction factor in the name of a folder, 1 for the full dose; None where the name has none."""
    match = _REDUCED.fullmatch(folder_name)
    if match:
        return int(match[1] or match[2])
    return 1 if _FULL.fullmatch(folder_name) else None


def find_studies(source: Path, drf: int) -> Found:
    """The pairs of full-dose and ``drf`` times lower dose, and the unusable subjects.

    Raises DatasetError where no folder of ``source`` has the name of a dose.
    """
    studies, problems = [], []
    for subject, doses in _subjects(source).items():
        reason = _problem(doses, drf)
        if reason:
            problems.append(LeftOut(subject, reason))
        else:
            name = subject.relative_to(source).as_posix()
            studies.append(Study(f"{name} at 1/{drf}", name, image=doses[drf][0], target=doses[1][0]))
    if not studies and not problems:
        raise DatasetError(f"{source}: no folder has the name of a dose (Full_dose, 1-20 dose, NORMAL, D20, ...)")
    return Found(studies, problems)


def _subjects(source: Path) -> dict[Path, dict[int, list[Path]]]:
    """The folders of the doses by dose reduction factor, by the subject's folder."""
    subjects: dict[Path, dict[int, list[Path]]] = {}
    for place, folders, _ in os.walk(source):
        for name in sorted(folders):
            drf = reduction_of(name)
            if drf is not None:
                subjects.setdefault(Path(place), {}).setdefault(drf, []).append(Path(place, name))
        folders[:] = sorted(name for name in folders if reduction_of(name) is None)
    return dict(sorted(subjects.items()))


def _problem(doses: dict[int, list[Path]], drf: int) -> str:
    there = ", ".join(f"1/{factor}" for factor in sorted(doses) if factor > 1) or "none"
    if 1 not in doses:
        return f"a subject without a full dose (reduced doses: {there})"
    if drf not in doses:
        return f"a subject without a dose of 1/{drf} (reduced doses: {there})"
    for factor in (1, drf):
        if len(doses[factor]) > 1:
            return f"a subject with {len(doses[factor])} folders for its dose of 1/{factor}"
    return ""


def check_dose(folder: Path, drf: int) -> None:
    """Raise DatasetError where the dataset's cases are of another dose."""
    description = folder / FILE_NAME
    if description.is_file() and read_json(description).get("dose_fraction") != 1 / drf:
        raise DatasetError(f"{folder}: its cases have another dose than 1/{drf}; move or remove this dataset first")


def _reduction(text: str) -> int:
    number = positive_integer(text)
    if number < 2:
        raise argparse.ArgumentTypeError(f"{text}: expected a dose reduction factor of at least 2 (1 is the full dose)")
    return number


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_arguments(parser, "folder with the subjects' folders, at any depth")
    parser.add_argument(
        "--drf", type=_reduction, required=True, metavar="N", help="dose reduction factor of the input: 4, 10, 20, ..."
    )
    parser.add_argument(
        "--weights_csv",
        type=Path,
        metavar="FILE",
        help="table (CSV) of weights, doses and injection times that headers lack, as for ct2pet_convert_dicom",
    )


def _execute(parsed: argparse.Namespace) -> None:
    folder = raw_folder() / NAME
    check_dose(folder, parsed.drf)
    table = SuppliedTable(Path()) if parsed.weights_csv is None else read_supplied(parsed.weights_csv)
    found = find_studies(parsed.source, parsed.drf)
    recipe = Recipe(
        partial(write_dose_pair, dose_fraction=1 / parsed.drf, supplied=table),
        memory_gib,
        partial(write_low_dose_json, dose_fraction=1 / parsed.drf),
        image=LOW,
        check=partial(check_supplied, supplied=table),
    )
    outcome = convert_studies(
        folder,
        parsed.source,
        found,
        recipe=recipe,
        named=False,
        num_processes=parsed.num_processes,
        patient_map=parsed.patient_map,
        left_out=parsed.left_out,
        citation=CITATION,
    )
    report(found, outcome, split=parsed.split, places=None)


main = command("Dataset105_UDPET", __doc__, _add_arguments, _execute)

if __name__ == "__main__":
    sys.exit(main(None))
