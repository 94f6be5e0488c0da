"""Phantom patients as a raw dataset, as if a hospital had sent them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ct2pet.dataset import write_dataset_json
from ct2pet.errors import CasesFailed, DatasetError
from ct2pet.imageio import write_volume
from ct2pet.parallel import map_cases
from ct2pet.phantom._cases_table import write_cases_table
from ct2pet.phantom.patient import Patient
from ct2pet.phantom.population import make_patient
from ct2pet.phantom.scan import scan
from ct2pet.phantom.scanner import CLINICAL, Scanner
from ct2pet.phantom.surfaces import DISTRICTS
from ct2pet.phantom.tissues import LABELS

_FILE_ENDING = ".nii.gz"
_FOLDERS = {"ct": "images", "pet": "targets", "districts": "districts", "lesions": "lesions", "organs": "organs"}
_BYTES_PER_VOXEL = 20  # measured at the peak of a scan, per voxel of the CT
_LONGEST_MM = 2000.0


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
    """Write ``num_train`` + ``num_test`` phantom cases to ``folder`` as a raw dataset (NIfTI).

    dataset.json (with the organs' labels), cases.csv, and for each case CT (int16 HU), PET (float32 SUV on its own
    grid), districts, organs (uint8 on the CT's grid) and lesions (uint8 on the PET's). The same ``seed`` and
    ``scanner`` give the same files; the first cases do not depend on how many follow. dataset.json comes last: an
    interrupted folder is no dataset yet. Raises DatasetError where ``num_train`` or ``num_test`` cannot be, and
    CasesFailed naming the cases that could not be written.
    """
    if num_train < 0 or num_test < 0 or num_train + num_test < 1:
        raise DatasetError(f"{folder}: a dataset of {num_train} training and {num_test} test cases cannot be written")
    folder = Path(folder)
    (folder / "dataset.json").unlink(missing_ok=True)
    cases = {
        f"phantom_{number:03d}": (folder, f"phantom_{number:03d}", split, _patient_seed(seed, number), scanner)
        for number, split in enumerate(["Tr"] * num_train + ["Ts"] * num_test, start=1)
    }
    voxels = _LONGEST_MM / scanner.ct_spacing[0] * scanner.ct_matrix[0] * scanner.ct_matrix[1]
    memory = 0.3 + voxels * _BYTES_PER_VOXEL / 2**30
    results = map_cases(
        _write_case, cases, num_processes=num_processes, memory_per_process_gib=memory, description="phantom"
    )
    if results.failures:
        raise CasesFailed(results.failures, some_done=bool(results.values))
    write_cases_table(folder / "cases.csv", [results.values[case] for case in cases])
    write_dataset_json(
        folder,
        name=name,
        districts=DISTRICTS,
        num_training=num_train,
        file_ending=_FILE_ENDING,
        organs=LABELS,
        phantom={"seed": seed, "scanner": scanner.name},
    )


def _patient_seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _write_case(folder: Path, case: str, split: str, seed: int, scanner: Scanner) -> dict[str, object]:
    patient = make_patient(seed)
    volumes = scan(patient, scanner)
    for attribute, kind in _FOLDERS.items():
        file_name = f"{case}_0000{_FILE_ENDING}" if kind == "images" else f"{case}{_FILE_ENDING}"
        write_volume(folder / f"{kind}{split}" / file_name, getattr(volumes, attribute))
    return _row(case, patient)


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
