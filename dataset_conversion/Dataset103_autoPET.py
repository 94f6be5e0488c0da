"""The FDG part of the autoPET challenge's release (III and later) to ``$ct2pet_raw/Dataset103_autoPET``.

The input is the archive PSMA-FDG-PET-CT-Lesions (https://autopet-iii.grand-challenge.org/dataset, doi
10.57754/FDAT.6gjsg-zcg93) in nnU-Net's layout: imagesTr/fdg_PATIENT_STUDY_0000.nii.gz (CT in HU), ..._0001.nii.gz (PET
in SUV), labelsTr/fdg_PATIENT_STUDY.nii.gz (lesions), splits_final.json, fdg_metadata.csv. Licence of the FDG part:
CC BY 4.0.

Cases of PSMA (psma_...), another tracer, are not converted. The challenge's folds are kept where no patient is in
training and validation of one. Its CT has been resampled to the PET: for training, FDG-PET-CT-Lesions (Dataset102) has
the same studies with the CT's own voxels. Example: python -m dataset_conversion.Dataset103_autoPET -i
PSMA-FDG-PET-CT-Lesions
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from ct2pet.cli.command import command
from ct2pet.dataset import RawDataset
from ct2pet.dataset.splits import FILE_NAME, Split, read_splits
from ct2pet.dicom.tree import LeftOut
from ct2pet.errors import DatasetError
from ct2pet.files import write_json
from ct2pet.paths import raw_folder
from dataset_conversion._clinical import ClinicalTable, Person, find_table
from dataset_conversion._console import add_arguments, report
from dataset_conversion._ct_and_pet import CT_AND_PET
from dataset_conversion._pairs import Found, Study, convert_studies

NAME = "Dataset103_autoPET"
CITATION = {
    "licence": "CC BY 4.0",
    "reference": "Gatidis S, Kuestner T (2022), doi 10.7937/gkr0-xv29 and 10.57754/FDAT.6gjsg-zcg93",
    "source": "https://autopet-iii.grand-challenge.org/dataset",
}
_CASE = re.compile(r"fdg_([0-9A-Za-z]+)_(.+)")
_CT, _PET = "_0000.nii.gz", "_0001.nii.gz"


def find_studies(source: Path, clinical: ClinicalTable | None) -> Found:
    """The cases of ``source`` and the unusable files. Raises DatasetError where it has no imagesTr."""
    images = source / "imagesTr"
    if not images.is_dir():
        raise DatasetError(f"{source}: no folder imagesTr")
    files = {path.name for path in images.iterdir()}
    names = sorted({name.removesuffix(ending) for name in files for ending in (_CT, _PET) if name.endswith(ending)})
    psma = [name for name in names if name.startswith("psma_")]
    studies, problems = [], []
    for name in names:
        if name in psma:
            continue
        missing = [ending for ending in (_CT, _PET) if name + ending not in files]
        match = _CASE.fullmatch(name)
        if missing:
            problems.append(LeftOut(images / f"{name}{missing[0]}", "the file is missing"))
        elif not match:
            problems.append(
                LeftOut(images / f"{name}{_CT}", "the name does not contain the patient (fdg_PATIENT_STUDY)")
            )
        else:
            studies.append(_study(source, name, match[1], match[2], clinical))
    notes = [f"{study.name}: {note}" for study in studies for note in study.notes]
    if psma:
        notes.append(f"left out: {len(psma)} case(s) of PSMA, another tracer than FDG")
    if clinical is None:
        notes.append("no fdg_metadata.csv: cases.csv has no diagnoses (give the table with --metadata)")
    return Found(studies, problems, notes)


def _study(source: Path, name: str, patient: str, place: str, clinical: ClinicalTable | None) -> Study:
    lesions = source / "labelsTr" / f"{name}.nii.gz"
    person = (clinical.find(f"PETCT_{patient}", place) if clinical else None) or Person()
    return Study(
        name=name,
        patient=patient,
        image=source / "imagesTr" / (name + _CT),
        target=source / "imagesTr" / (name + _PET),
        lesions=lesions if lesions.is_file() else None,
        diagnosis=person.diagnosis,
        sex=person.sex,
        age=person.age,
        notes=() if lesions.is_file() else ("lesions: its file in labelsTr is missing",),
    )


def keep_folds(source: Path, dataset: RawDataset, names: Mapping[str, str]) -> str:
    """Write the challenge's folds with the new case names to the dataset's splits_final.json. Returns a line with the
    result: written, or not because they are missing or a patient is in training and validation."""
    path, own = source / FILE_NAME, dataset.folder / FILE_NAME
    if dataset.cases("Ts"):
        return f"{FILE_NAME}: the dataset already has a split; the challenge's folds are not used"
    if not path.is_file():
        return f"{FILE_NAME}: missing; folds are created when the dataset is planned"
    folds: list[Split] = [
        {side: sorted(names[case] for case in cases if case in names) for side, cases in fold.items()}
        for fold in read_splits(path)
    ]
    patients = dataset.patients()
    for number, fold in enumerate(folds):
        both = {patients[case] for case in fold["train"]} & {patients[case] for case in fold["val"]}
        if both or not fold["train"] or not fold["val"]:
            own.unlink(missing_ok=True)
            reason = f"{len(both)} patient(s) in training and validation" if both else "an empty part"
            return (
                f"{FILE_NAME}: not kept, fold {number} has {reason}; new folds are created when the dataset is planned"
            )
    write_json(own, folds)
    return (
        f"{FILE_NAME}: the challenge's {len(folds)} folds are kept; no patient is in training and validation of a fold"
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_arguments(parser, "folder with imagesTr and labelsTr")
    parser.add_argument(
        "--metadata", type=Path, metavar="FILE", help="fdg_metadata.csv (default: in FOLDER or its parent)"
    )


def _execute(parsed: argparse.Namespace) -> None:
    found = find_studies(parsed.source, _table(parsed))
    outcome = convert_studies(
        raw_folder() / NAME,
        parsed.source,
        found,
        recipe=CT_AND_PET,
        num_processes=parsed.num_processes,
        patient_map=parsed.patient_map,
        left_out=parsed.left_out,
        citation=CITATION,
    )
    if not parsed.split:
        print(keep_folds(parsed.source, RawDataset(outcome.folder), outcome.names))
    report(found, outcome, split=parsed.split, places=parsed.source)


def _table(parsed: argparse.Namespace) -> ClinicalTable | None:
    beside = parsed.source / "fdg_metadata.csv"  # psma_metadata.csv is also there
    return find_table(parsed.source, parsed.metadata or (beside if beside.is_file() else None))


main = command("Dataset103_autoPET", __doc__, _add_arguments, _execute)

if __name__ == "__main__":
    sys.exit(main(None))
