"""FDG-PET-CT-Lesions (1014 whole-body studies of 900 patients) to ``$ct2pet_raw/Dataset102_FDGPETCTLesions``.

The input is either of

* the NIfTI release (https://www.cancerimagingarchive.net/collection/fdg-pet-ct-lesions, also at autoPET's site):
  PETCT_xxx/STUDY/{CT,CTres,PET,SUV,SEG}.nii.gz,
* The Cancer Imaging Archive's DICOM tree: PETCT_xxx/STUDY/SERIES/*.dcm, lesions as SEG objects,

with the table of clinical metadata (a CSV file) in the folder or its parent. Licence: CC BY 4.0. Source: Gatidis S,
Kuestner T (2022), doi 10.7937/gkr0-xv29; Gatidis S et al. (2022), Scientific Data 9:601,
doi 10.1038/s41597-022-01718-3.

The CT is CT.nii.gz, on its own grid: CTres.nii.gz is the CT resampled to the PET, and only used where the other is
missing. The PET is SUV.nii.gz. Example: python -m dataset_conversion.Dataset102_FDGPETCTLesions -i FDG-PET-CT-Lesions
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from ct2pet import layout
from ct2pet.cli.command import command
from ct2pet.conversion import convert_dicom
from ct2pet.conversion.converter import raise_failures, raise_incomplete
from ct2pet.conversion.patient_map import MapRow, read_map
from ct2pet.dataset import RawDataset, write_dataset_json
from ct2pet.dataset.train_test_split import split_dataset, write_table
from ct2pet.dicom.tree import LeftOut
from ct2pet.errors import DatasetError
from ct2pet.paths import raw_folder
from dataset_conversion._clinical import ClinicalTable, Person, find_table
from dataset_conversion._console import add_arguments, report
from dataset_conversion._ct_and_pet import CT_AND_PET
from dataset_conversion._pairs import Found, Study, convert_studies

NUMBER, TITLE = 102, "FDGPETCTLesions"
NAME = f"Dataset{NUMBER}_{TITLE}"
CITATION = {
    "licence": "CC BY 4.0",
    "reference": "Gatidis S, Kuestner T (2022), doi 10.7937/gkr0-xv29 and 10.1038/s41597-022-01718-3",
    "source": "https://www.cancerimagingarchive.net/collection/fdg-pet-ct-lesions",
}
_FILES = ("CT.nii.gz", "CTres.nii.gz", "PET.nii.gz", "SUV.nii.gz", "SEG.nii.gz")
_NO_TABLE = "no table of clinical metadata: cases.csv has no diagnoses (give the table with --metadata)"


def study_folders(source: Path) -> list[Path]:
    """The folders PETCT_xxx/STUDY in ``source`` or one level below. Raises DatasetError where there are none."""
    patients = [*source.glob("PETCT_*"), *source.glob("*/PETCT_*")]
    folders = sorted(folder for patient in patients if patient.is_dir() for folder in patient.iterdir())
    folders = [folder for folder in folders if folder.is_dir()]
    if not folders:
        raise DatasetError(f"{source}: no folders PETCT_xxx with studies")
    return folders


def is_nifti(folders: list[Path]) -> bool:
    return any((folder / name).is_file() for folder in folders for name in _FILES)


def find_studies(folders: list[Path], clinical: ClinicalTable | None) -> Found:
    """The usable and the unusable studies of the NIfTI release."""
    studies, problems = [], []
    for folder in folders:
        there = {name.split(".")[0]: folder / name for name in _FILES if (folder / name).is_file()}
        if "SUV" not in there:
            reason = "SUV.nii.gz is missing" + (" (PET.nii.gz is not in SUV)" if "PET" in there else "")
            problems.append(LeftOut(folder, reason))
        elif not {"CT", "CTres"} & {*there}:
            problems.append(LeftOut(folder, "CT.nii.gz is missing"))
        else:
            studies.append(_study(folder, there, clinical))
    return Found(studies, problems, _notes(studies, clinical))


def _study(folder: Path, there: dict[str, Path], clinical: ClinicalTable | None) -> Study:
    subject, notes = folder.parent.name, []
    if "CT" not in there:
        notes.append("CT: CT.nii.gz is missing, CTres.nii.gz (resampled to the PET) is used")
    if "SEG" not in there:
        notes.append("lesions: SEG.nii.gz is missing")
    person = (clinical.find(subject, folder.name) if clinical else None) or Person()
    ct = there.get("CT") or there["CTres"]
    return Study(
        name=f"{subject}/{folder.name}",
        patient=subject,
        image=ct,
        target=there["SUV"],
        lesions=there.get("SEG"),
        diagnosis=person.diagnosis,
        sex=person.sex,
        age=person.age,
        notes=tuple(notes),
    )


def _notes(studies: list[Study], clinical: ClinicalTable | None) -> list[str]:
    notes = [f"{study.name}: {note}" for study in studies for note in study.notes]
    if clinical is None:
        return [*notes, _NO_TABLE]
    unknown = sorted({study.patient for study in studies if clinical.find(study.patient) is None})
    return [*notes, *(f"{patient}: not in the table of clinical metadata" for patient in unknown)]


def convert_tree(parsed: argparse.Namespace, clinical: ClinicalTable | None) -> None:
    """Convert the DICOM tree, and add the table of clinical metadata. Raises as convert_dicom does."""
    with tempfile.TemporaryDirectory() as private:
        patient_map = parsed.patient_map or Path(private, "patients.csv")
        conversion = convert_dicom(
            parsed.source,
            NUMBER,
            TITLE,
            num_processes=parsed.num_processes,
            patient_map=patient_map,
            left_out=parsed.left_out,
        )
        rows = read_map(patient_map)
    for item in conversion.left_out:
        print(f"left out: {item.reason}")
    print(f"{conversion.dataset}: {len(conversion.new) + len(conversion.old)} case(s)")
    if rows:
        add_clinical(RawDataset(conversion.dataset), rows, clinical)
    raise_failures(conversion)
    if parsed.split:
        print(", ".join(f"{number} {part}" for part, number in split_dataset(conversion.dataset).items()))
    raise_incomplete(conversion)


def add_clinical(dataset: RawDataset, rows: list[MapRow], clinical: ClinicalTable | None) -> None:
    """Diagnoses, and where the headers have none, sex and age, to cases.csv; the citation to dataset.json."""
    table = {case: dict(row) for case, row in dataset.table.items()}
    for row in rows:
        person = (clinical.find(row.patient_id, row.study_instance_uid) if clinical else None) or Person()
        for column in ("diagnosis", "sex", "age"):
            table[row.case][column] = table[row.case].get(column) or getattr(person, column)
    write_table(dataset.folder / layout.CASES, table)
    described = dataset.description
    write_dataset_json(
        dataset.folder,
        name=TITLE,
        districts=described.districts,
        num_training=described.num_training,
        file_ending=described.file_ending,
        **CITATION,
    )
    if clinical is None:
        print(_NO_TABLE)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_arguments(parser, "folder with the folders PETCT_xxx")
    parser.add_argument(
        "--metadata", type=Path, metavar="FILE", help="table of clinical metadata (default: in FOLDER or its parent)"
    )


def _execute(parsed: argparse.Namespace) -> None:
    folders = study_folders(parsed.source)
    clinical = find_table(parsed.source, parsed.metadata)
    if not is_nifti(folders):
        convert_tree(parsed, clinical)
        return
    found = find_studies(folders, clinical)
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
    report(found, outcome, split=parsed.split, places=parsed.source)


main = command("Dataset102_FDGPETCTLesions", __doc__, _add_arguments, _execute)

if __name__ == "__main__":
    sys.exit(main(None))
