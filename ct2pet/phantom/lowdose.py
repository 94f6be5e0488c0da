"""Phantom patients as a raw dataset for LDOS: low-dose PET in, full-dose PET and the labels of 18 organs out, no CT."""

from __future__ import annotations

import os
from functools import partial

from ct2pet.dataset.low_dose import check_dose_fraction, write_low_dose_json
from ct2pet.phantom.paper_organs import PAPER_LABELS, paper_organ_map
from ct2pet.phantom.patient import Patient
from ct2pet.phantom.scan import scan
from ct2pet.phantom.scanner import Scanner
from ct2pet.phantom.writer import FILE_ENDING, Cohort, write_cases
from ct2pet.volume import Volume


def write_low_dose_dataset(
    folder: str | os.PathLike,
    cohort: Cohort,
    *,
    dose_fraction: float = 0.05,
    name: str = "LowDosePhantom",
    num_processes: int = 1,
) -> None:
    """Write the cases of a cohort to ``folder`` as a raw dataset (NIfTI).

    dataset.json, cases.csv, and for each case the low-dose PET (imagesTr) and the full-dose PET (targetsTr), float32
    SUV on the PET's grid, the first thinned from the second's counts; and the 18 organs of the paper (organsTr,
    ``PAPER_LABELS``), uint8 on the CT's grid, like labels from a CT. The labels have the CT's respiratory position: a
    ``respiratory_mismatch_mm`` of the cohort's scanner moves both PETs against them near the diaphragm. dataset.json is
    written last. Raises DatasetError where the cohort is empty or ``dose_fraction`` is not above 0 and at most 1, and
    CasesFailed naming the cases that could not be written.
    """
    check_dose_fraction(dose_fraction)
    write_cases(folder, cohort, partial(_case_volumes, dose_fraction=dose_fraction), num_processes=num_processes)
    write_low_dose_json(
        folder,
        name=name,
        dose_fraction=dose_fraction,
        num_training=cohort.num_train,
        organs=PAPER_LABELS,
        file_ending=FILE_ENDING,
        phantom={
            "seed": cohort.seed,
            "scanner": cohort.scanner.name,
            "respiratory_mismatch_mm": cohort.scanner.respiratory_mismatch_mm,
        },
    )


def _case_volumes(patient: Patient, scanner: Scanner, dose_fraction: float) -> dict[str, Volume]:
    volumes = scan(patient, scanner, (dose_fraction,))
    return {
        "images": volumes.low_dose[dose_fraction],
        "targets": volumes.pet,
        "organs": paper_organ_map(volumes.organs),
    }
