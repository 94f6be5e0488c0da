"""Soft-tissue sarcoma PET/CT (51 patients, mostly limbs) to ``$ct2pet_raw/Dataset101_STS``.

The input is the NIfTI part of the IBSI validation data set (https://github.com/theibsi/data_sets, folder
ibsi_validation/nifti): a folder STS_xxx for each patient with CT_image.nii.gz (HU), PET_image.nii.gz (SUV, g/ml) and
PET_mask.nii.gz (the tumour on the PET's grid), all cropped to 5 cm around the tumour. Licence: CC BY 3.0. Source of the
images: Vallières M et al. (2015), Soft-tissue-Sarcoma, The Cancer Imaging Archive, doi 10.7937/K9/TCIA.2015.7GO2GSKS.

CT and PET keep their own grids. The only district, ``limbs``, is the body in the field of view of the PET: in some
patients that of the CT is larger.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

from ct2pet import layout
from ct2pet.cli.command import command
from ct2pet.dataset import RawDataset, write_dataset_json
from ct2pet.districts.body import body_mask
from ct2pet.errors import CasesFailed, DatasetError
from ct2pet.files import atomic_path
from ct2pet.imageio import read_volume, write_volume
from ct2pet.parallel import map_cases
from ct2pet.paths import raw_folder
from ct2pet.resampling import resample
from ct2pet.volume import Volume
from dataset_conversion._ct_and_pet import as_integers

NAME = "Dataset101_STS"
DISTRICT = "limbs"
TEST_CASES = ("STS_003", "STS_014", "STS_024", "STS_032", "STS_041", "STS_051")
"""Every fifth, from the third, of the 28 patients that the published models of this dataset were trained and tested on;
they stay the test cases of the whole data set."""

FILE_ENDING = ".nii.gz"
CITATION = {
    "licence": "CC BY 3.0",
    "reference": "Vallières M et al. (2015), doi 10.7937/K9/TCIA.2015.7GO2GSKS and 10.1088/0031-9155/60/14/5471",
    "source": "https://github.com/theibsi/data_sets",
}


def convert(source: Path) -> RawDataset:
    """Write the raw dataset from the patients' folders in ``source``.

    dataset.json is written last: without it the folder is not a dataset. Raises DatasetError without patients, and
    CasesFailed where some cannot be converted, after writing the others.
    """
    patients = sorted(folder for folder in source.glob("STS_*") if folder.is_dir())
    if not patients:
        raise DatasetError(f"{source}: no folders STS_xxx")
    folder = raw_folder() / NAME
    (folder / layout.DATASET).unlink(missing_ok=True)
    arguments = {patient.name: (patient, folder, split_of(patient.name)) for patient in patients}
    results = map_cases(convert_patient, arguments, description="Converting")
    if results.values:
        _write_dataset(folder, sorted(results.values))
    results.raise_failures("could not be converted")
    return RawDataset(folder)


def _write_dataset(folder: Path, cases: list[str]) -> None:
    _write_table(folder / layout.CASES, cases)
    num_training = sum(case not in TEST_CASES for case in cases)
    write_dataset_json(
        folder,
        name="STS",
        districts={DISTRICT: 1},
        num_training=num_training,
        segmenter={"name": "body"},  # so that a new CT without a map can be predicted
        **CITATION,
    )


def split_of(case: str) -> str:
    """Ts for the fixed test cases, Tr for the others."""
    return "Ts" if case in TEST_CASES else "Tr"


def convert_patient(source: Path, folder: Path, split: str) -> None:
    """Write CT, PET, district map and lesion of one patient; the CT, which defines the case, is written last.

    Raises ImageError where a file cannot be read or written. Then no file of the patient remains, also none of an
    earlier run.
    """
    case = source.name
    paths = {kind: folder / f"{kind}{split}" / f"{case}{FILE_ENDING}" for kind in ("targets", "lesions", "districts")}
    paths["images"] = folder / f"images{split}" / f"{case}_0000{FILE_ENDING}"
    try:
        ct_hu = as_integers(read_volume(source / "CT_image.nii.gz", "HU"))
        pet_suv = read_volume(source / "PET_image.nii.gz", "SUV")
        lesion = read_volume(source / "PET_mask.nii.gz", "label")
        write_volume(paths["targets"], pet_suv)
        write_volume(paths["lesions"], lesion.with_array(lesion.array > 0))
        write_volume(paths["districts"], district_map(ct_hu, pet_suv))
        write_volume(paths["images"], ct_hu)
    except BaseException:
        for path in paths.values():
            path.unlink(missing_ok=True)
        raise


def district_map(ct_hu: Volume, pet_suv: Volume) -> Volume:
    """1 inside the body in the field of view of the PET, 0 elsewhere; on the CT's grid in canonical order."""
    oriented = ct_hu.to_canonical()
    seen = resample(pet_suv.with_array(np.ones(pet_suv.array.shape, np.uint8)), oriented.grid, labels=True)
    return oriented.with_array(body_mask(oriented) & (seen.array > 0), "label")


def _write_table(path: Path, cases: list[str]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "patient", "diagnosis", "split"])
        writer.writerows([case, case, "soft-tissue sarcoma", split_of(case)] for case in cases)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-i", dest="source", type=Path, required=True, metavar="FOLDER", help="folder with the folders STS_xxx"
    )


def _execute(parsed: argparse.Namespace) -> None:
    try:
        convert(parsed.source)
    except CasesFailed as error:
        if error.some_done:
            _print_counts()
        raise
    _print_counts()


def _print_counts() -> None:
    dataset = RawDataset(raw_folder() / NAME)
    print(f"{dataset.folder}: {len(dataset.cases('Tr'))} training and {len(dataset.cases('Ts'))} test cases")


main = command("Dataset101_STS", __doc__, _add_arguments, _execute)

if __name__ == "__main__":
    sys.exit(main(None))
