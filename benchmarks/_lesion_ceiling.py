"""The best prediction from a phantom's CT and the rules by which phantoms are made: the ceiling of any method."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ct2pet.imageio import write_volume
from ct2pet.phantom import TISSUES, Patient, Scanner, make_patient, scan
from ct2pet.phantom.tissues import FATTY, GAS, PART_OF

_LEAST_LESIONS = 5  # of one tissue; with fewer, the mean of all lesions is used


def patients(raw: Path) -> dict[str, Patient]:
    """The patient of each case of a raw dataset of phantoms."""
    with (raw / "cases.csv").open(newline="") as file:
        return {row["case"]: make_patient(int(row["seed"])) for row in csv.DictReader(file)}


def uptake_of_shown_lesions(known: Sequence[Patient]) -> dict[str, float]:
    """The mean SUV of the lesions that a CT shows, by host tissue, and of all ("")."""
    found: dict[str, list[float]] = {"": []}
    for patient in known:
        for lesion in patient.lesions:
            if lesion.hu is not None:
                found.setdefault(lesion.host, []).append(lesion.suv)
                found[""].append(lesion.suv)
    enough = {host: values for host, values in found.items() if not host or len(values) >= _LEAST_LESIONS}
    return {host: float(np.mean(values)) for host, values in enough.items()}


def write_ceiling(folder: Path, cases: Mapping[str, Patient], scanner: Scanner, uptake: Mapping[str, float]) -> None:
    """Write a PET without noise of every case, in which each tissue has its mean uptake in patients of this habitus,
    each lesion that the CT shows the mean ``uptake`` of such lesions in its tissue, and the others none."""
    for case, patient in cases.items():
        path = folder / f"{case}.nii.gz"
        if not path.exists():
            write_volume(path, scan(expected_patient(patient, uptake), replace(scanner, dose_fraction=math.inf)).pet)


def expected_patient(patient: Patient, uptake: Mapping[str, float]) -> Patient:
    """The patient with the mean uptake of each tissue, and of the lesions those that the CT shows, with the mean
    ``uptake`` of their host tissue ("": of all)."""
    lesions = tuple(
        replace(lesion, suv=uptake.get(lesion.host, uptake[""])) for lesion in patient.lesions if lesion.hu is not None
    )
    return replace(patient, suv=_mean_suv(patient), lesions=lesions)


def _mean_suv(patient: Patient) -> dict[str, float]:
    """The mean of each tissue's log-normal uptake, with its dependence on habitus, density and age."""
    bmi = patient.weight_kg / (patient.height_mm / 1000) ** 2
    lean = 0.5 * np.log(bmi / 25)
    suv = {}
    for tissue in TISSUES:
        exponent = tissue.suv_spread**2 / 2 + (0.0 if tissue.name in (*FATTY, *GAS) else lean)
        suv[tissue.name] = tissue.suv * float(np.exp(exponent))
    suv["lung"] *= (1000 + patient.hu["lung"]) / 200
    suv["tonsils"] *= float(np.exp(-0.01 * (patient.age - 55)))
    return {**suv, **{part: suv[whole] for part, whole in PART_OF.items()}}
