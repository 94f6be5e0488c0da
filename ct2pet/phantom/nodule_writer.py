"""Patients with one solitary pulmonary nodule each, as a raw dataset with a class and without input images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ct2pet import layout
from ct2pet.errors import DatasetError
from ct2pet.files import write_json
from ct2pet.imageio import write_volume
from ct2pet.parallel import map_cases
from ct2pet.phantom._cases_table import write_cases_table
from ct2pet.phantom.nodules import CLASSES, make_nodule_patient, scan_nodule
from ct2pet.phantom.scanner import CLINICAL, Scanner

_FILE_ENDING = ".nii.gz"
_MEMORY_GIB = 0.5  # of one process, its libraries included
_FOLDERS = {"pet": "targets", "ct": "CT", "lesion": "lesions"}


def write_nodule_dataset(
    folder: str | os.PathLike,
    *,
    num_train: int,
    num_test: int,
    seed: int = 0,
    scanner: Scanner = CLINICAL,
    num_processes: int = 1,
) -> None:
    """Write ``num_train`` + ``num_test`` patients to ``folder`` as a raw dataset (NIfTI): every second one malignant.

    dataset.json (no input channel; targets PET and CT; condition ``diagnosis``), cases.csv with the diagnosis and the
    true SUV and radius, and for each case PET (float32 SUV, targetsTr), CT (int16 HU, CTTr) and the nodule's mask (on
    the PET's grid, lesionsTr). The first cases do not depend on the numbers of cases. dataset.json is written last, so
    that an interrupted folder is not a dataset. Raises DatasetError where the numbers are impossible, and CasesFailed
    naming the cases that could not be written.
    """
    if num_train < 0 or num_test < 0 or num_train + num_test < 1:
        raise DatasetError(f"{folder}: a dataset of {num_train} training and {num_test} test cases cannot be written")
    folder = Path(folder)
    (folder / layout.DATASET).unlink(missing_ok=True)
    cases = {
        f"nodule_{number:04d}": (folder, f"nodule_{number:04d}", split, (seed, number), scanner)
        for number, split in enumerate(["Tr"] * num_train + ["Ts"] * num_test, start=1)
    }
    results = map_cases(
        _write_case, cases, num_processes=num_processes, memory_per_process_gib=_MEMORY_GIB, description="nodules"
    )
    results.raise_failures("could not be written")
    write_cases_table(folder / layout.CASES, [results.values[case] for case in cases])
    write_json(folder / layout.DATASET, _description(num_train, seed, scanner))


def _description(num_train: int, seed: int, scanner: Scanner) -> dict[str, object]:
    return {
        "name": "Nodules",
        "channel_names": {},
        "targets": {"PET": {"kind": "pet", "unit": "SUVbw g/ml"}, "CT": {"kind": "ct", "unit": "HU"}},
        "conditions": {"diagnosis": list(CLASSES)},
        "numTraining": num_train,
        "file_ending": _FILE_ENDING,
        "districts": {},
        "phantom": {"seed": seed, "scanner": scanner.name},
    }


def _write_case(folder: Path, case: str, split: str, seed: tuple[int, int], scanner: Scanner) -> dict[str, object]:
    patient = make_nodule_patient(_patient_seed(*seed), CLASSES[seed[1] % 2])
    volumes = scan_nodule(patient, scanner)
    for attribute, kind in _FOLDERS.items():
        write_volume(folder / f"{kind}{split}" / f"{case}{_FILE_ENDING}", getattr(volumes, attribute))
    return {
        "case": case,
        "patient": case.replace("nodule", "patient"),
        "diagnosis": patient.nodule.diagnosis,
        "true_suv": round(patient.nodule.suv, 3),
        "true_radius_mm": round(patient.nodule.radius_mm, 3),
        "true_hu": round(patient.nodule.hu, 1),
        "seed": patient.patient.seed,
    }


def _patient_seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number, 19]).generate_state(1)[0])
