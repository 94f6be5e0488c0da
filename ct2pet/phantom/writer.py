"""Phantom patients as a raw dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ct2pet import layout
from ct2pet.dataset import write_dataset_json
from ct2pet.errors import DatasetError
from ct2pet.imageio import write_volume
from ct2pet.parallel import map_cases
from ct2pet.phantom._cases_table import write_cases_table
from ct2pet.phantom.domains import make_varied_patient, vary_scanner
from ct2pet.phantom.field_of_view import crop_some
from ct2pet.phantom.lesions import lesion_rich
from ct2pet.phantom.patient import Patient
from ct2pet.phantom.population import make_patient
from ct2pet.phantom.scan import LESION_GROUPS, CaseVolumes, scan
from ct2pet.phantom.scanner import CLINICAL, Scanner
from ct2pet.phantom.surfaces import DISTRICTS
from ct2pet.phantom.tissues import LABELS
from ct2pet.volume import Volume

FILE_ENDING = ".nii.gz"
_FOLDERS = {"ct": "images", "pet": "targets", "districts": "districts", "lesions": "lesions", "organs": "organs"}
_BYTES_PER_VOXEL = 20  # measured at the peak of a scan, per voxel of the CT
_LONGEST_MM = 2000.0
CaseVolumesOf = Callable[[Patient, Scanner], Mapping[str, Volume]]


@dataclass(frozen=True)
class Cohort:
    """Phantom patients in a scanner: ``num_train`` training and ``num_test`` test cases, drawn from ``seed``. The first
    cases do not depend on the numbers of cases. ``varied``: from the population of ``domains``, each with another
    sharpness and noise of the scanner, some in a small field of view. ``lesion_rich``: the training cases have further
    lesions, of all diagnoses (see ``lesions.lesion_rich``)."""

    num_train: int
    num_test: int
    seed: int = 0
    scanner: Scanner = CLINICAL
    varied: bool = False
    lesion_rich: bool = False


def write_dataset(
    folder: str | os.PathLike,
    *,
    num_train: int,
    num_test: int,
    seed: int = 0,
    scanner: Scanner = CLINICAL,
    name: str = "Phantom",
    num_processes: int = 1,
) -> None:
    """Write ``num_train`` + ``num_test`` phantom cases to ``folder`` as a raw dataset: see write_cohort."""
    write_cohort(folder, Cohort(num_train, num_test, seed, scanner), name=name, num_processes=num_processes)


def write_cohort(folder: str | os.PathLike, cohort: Cohort, *, name: str = "Phantom", num_processes: int = 1) -> None:
    """Write the phantom cases of a cohort to ``folder`` as a raw dataset (NIfTI).

    dataset.json (with the organs' labels), cases.csv, and for each case CT (int16 HU), PET (float32 SUV on its own
    grid), districts, organs (uint8 on the CT's grid) and lesions (uint8 on the PET's; dataset.json names the labels of
    those that the CT shows and of the others, ``lesion_groups``). The same cohort gives the same files; the first cases
    do not depend on the numbers of cases. dataset.json is written last, so that an interrupted folder is not a dataset.
    Raises DatasetError for impossible numbers of cases, and CasesFailed naming the cases that could not be written.
    """
    case_volumes = _varied_case_volumes if cohort.varied else _case_volumes
    write_cases(folder, cohort, case_volumes, num_processes=num_processes)
    write_dataset_json(
        folder,
        name=name,
        districts=DISTRICTS,
        num_training=cohort.num_train,
        file_ending=FILE_ENDING,
        organs=LABELS,
        lesion_groups=LESION_GROUPS,
        phantom={
            "seed": cohort.seed,
            "scanner": cohort.scanner.name,
            "varied": cohort.varied,
            "lesion_rich": cohort.lesion_rich,
        },
    )


def write_cases(
    folder: str | os.PathLike, cohort: Cohort, case_volumes: CaseVolumesOf, *, num_processes: int = 1
) -> None:
    """Write the cases of a cohort and cases.csv, and remove dataset.json: the caller writes it last.

    ``case_volumes`` makes the images of a patient in a scanner by folder (``images``, ``targets``, ``organs``, ...); it
    is sent to other processes (pickle). Raises as ``write_dataset`` does.
    """
    if cohort.num_train < 0 or cohort.num_test < 0 or cohort.num_train + cohort.num_test < 1:
        numbers = f"{cohort.num_train} training and {cohort.num_test} test cases"
        raise DatasetError(f"{folder}: a dataset of {numbers} cannot be written")
    folder, scanner = Path(folder), cohort.scanner
    (folder / layout.DATASET).unlink(missing_ok=True)
    splits = ["Tr"] * cohort.num_train + ["Ts"] * cohort.num_test
    cases = {
        case: (folder, case, split, *_drawn(cohort, _patient_seed(cohort.seed, number), split), case_volumes)
        for number, split in enumerate(splits, start=1)
        for case in [f"phantom_{number:03d}"]
    }
    voxels = _LONGEST_MM / scanner.ct_spacing[0] * scanner.ct_matrix[0] * scanner.ct_matrix[1]
    memory = 0.3 + voxels * _BYTES_PER_VOXEL / 2**30
    results = map_cases(
        _write_case, cases, num_processes=num_processes, memory_per_process_gib=memory, description="phantom"
    )
    results.raise_failures("could not be written")
    write_cases_table(folder / layout.CASES, [results.values[case] for case in cases])


def _patient_seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _drawn(cohort: Cohort, seed: int, split: str) -> tuple[Callable[[], Patient], Scanner]:
    """The function that draws the patient of a seed (in the process that writes it), and the scanner."""
    draw = partial(make_varied_patient if cohort.varied else make_patient, seed)
    scanner = vary_scanner(cohort.scanner, seed) if cohort.varied else cohort.scanner
    return (partial(_lesion_rich, draw) if cohort.lesion_rich and split == "Tr" else draw), scanner


def _lesion_rich(draw: Callable[[], Patient]) -> Patient:
    return lesion_rich(draw())


def _write_case(
    folder: Path, case: str, split: str, draw: Callable[[], Patient], scanner: Scanner, case_volumes: CaseVolumesOf
) -> dict[str, object]:
    patient = draw()
    for kind, volume in case_volumes(patient, scanner).items():
        file_name = f"{case}_0000{FILE_ENDING}" if kind == "images" else f"{case}{FILE_ENDING}"
        write_volume(folder / f"{kind}{split}" / file_name, volume)
    return _row(case, patient)


def _case_volumes(patient: Patient, scanner: Scanner) -> dict[str, Volume]:
    return _by_folder(scan(patient, scanner))


def _varied_case_volumes(patient: Patient, scanner: Scanner) -> dict[str, Volume]:
    return _by_folder(crop_some(scan(patient, scanner), patient))


def _by_folder(volumes: CaseVolumes) -> dict[str, Volume]:
    return {folder: getattr(volumes, attribute) for attribute, folder in _FOLDERS.items()}


def _row(case: str, patient: Patient) -> dict[str, object]:
    return {
        "case": case,
        "patient": case.replace("phantom", "patient"),
        "diagnosis": patient.diagnosis,
        "sex": patient.sex,
        "age": patient.age,
        "height_cm": round(patient.height_mm / 10),
        "weight_kg": round(patient.weight_kg, 1),
        "arms": patient.arms,
        "field_of_view": patient.field_of_view,
        "num_lesions": len(patient.lesions),
        "seed": patient.seed,
    }
