"""Patients and scanners that vary more than those of a single hospital: for models of data of unknown origin.

Domain randomisation as in Billot et al., "SynthSeg", Medical Image Analysis 2023: contrast agent and its phase, CT
scale, kernel and noise, resolution and noise of the PET, postures, implants, habitus, fat between muscles, large
tumours of soft tissue with and without a cold centre, and uptake by time after injection, fasting, muscle work and
drugs. Ranges are wider than clinical ones on purpose; they were chosen for this project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ct2pet.phantom.lesions import Site, place_lesions, place_lesions_at
from ct2pet.phantom.patient import ARM_POSES, Lesion, Patient
from ct2pet.phantom.population import make_patient
from ct2pet.phantom.scanner import Scanner
from ct2pet.phantom.tissues import FATTY, GAS, PART_OF, TISSUES

_POSE, _SPINE, _IMPLANT, _AMPUTATION, _WHOLE_BODY = 0.35, 0.15, 0.05, 0.02, 0.3
_SOFT_TISSUE_TUMOUR, _NECROTIC = 0.6, 0.5
"""Shares of patients: an unusual posture of the arms; a bent spine; a metal hip; an amputation; a scan from head to toe
in place of the field of view of the usual population; large tumours of soft tissue in addition to those of their
diagnosis; of large tumours, those with a cold centre."""
_NECROSIS_MM = 18.0  # radius of the smallest tumour that may be necrotic
_TUMOURS = (
    Site("muscle", 2, 28, 3.5, 33, 1.0, least=1, z=(100, 900), aside=(30, 400), largest=70.0),
    Site("muscle", 1, 28, 3.5, 32, 1.0, least=1, z=(150, 1400), aside=(30, 400), largest=70.0),
    Site("fat", 1, 18, 2.5, 28, 1.0, z=(150, 1400), aside=(30, 400), largest=70.0),
)
_IN_PATIENTS = {"fat": 1.25, "skin": 2.2, "yellow_marrow": 1.25}
"""Median uptake in PETs of 28 sarcoma patients (STS, see dataset_conversion) away from their tumours, as a factor of
that of ``tissues``."""
_BRAIN = ("grey_matter", "white_matter", "cerebellum")
_MARROW = ("marrow", "spine", "sternum", "pelvis")

_ENHANCEMENT_HU: Mapping[str, Mapping[str, float]] = {
    "none": {},
    "arterial": {"blood": 220, "kidney_cortex": 110, "spleen": 70, "myocardium": 60, "pancreas": 50, "liver": 10},
    "portal venous": {
        **{"blood": 110, "kidney_cortex": 140, "spleen": 70, "liver": 55, "myocardium": 55, "pancreas": 45},
        **{"thyroid": 40, "muscle": 8, "stomach_wall": 30, "small_bowel": 35, "colon": 30, "reproductive": 35},
    },
    "delayed": {"blood": 60, "kidney_cortex": 80, "renal_pelvis": 450, "bladder": 250, "liver": 40, "spleen": 45},
}
"""CT numbers that a contrast agent adds in the phases of an examination (after Prokop 2003, see tissues)."""


def make_varied_patient(seed: int) -> Patient:
    """The patient of a seed, from a population of wide ranges of habitus, posture, contrast and metabolism: always the
    same one."""
    random = np.random.default_rng([seed, *b"domain"])
    patient = _varied_body(make_patient(seed), random)
    patient = replace(patient, hu=_varied_hu(patient.hu, random), suv=_varied_suv(patient.suv, random))
    sites = _TUMOURS if random.random() < _SOFT_TISSUE_TUMOUR else ()
    tumours = place_lesions_at(patient, sites, random)
    return replace(patient, lesions=(*patient.lesions, *tumours, *_cold_centres(tumours, random)))


def vary_scanner(scanner: Scanner, seed: int) -> Scanner:
    """The scanner with other sharpness and noise in CT and PET, and with the PET at another respiratory position; its
    voxels are not changed."""
    random = np.random.default_rng([seed, *b"scanner"])
    return replace(
        scanner,
        psf_mm=float(random.uniform(4.0, 7.0)),
        filter_mm=float(random.uniform(2.0, 8.0)),
        counts=_log_uniform(random, 200.0, 3000.0),
        ct_blur_mm=scanner.ct_blur_mm * _log_uniform(random, 0.6, 2.0),
        ct_noise_hu=_log_uniform(random, 4.0, 45.0),
        respiratory_mismatch_mm=float(np.clip(random.normal(0, 6), -15, 15)),
    )


def _cold_centres(tumours: Sequence[Lesion], random: np.random.Generator) -> list[Lesion]:
    """Necrotic centres of some large tumours, with little uptake and slightly lower CT numbers."""
    centres = []
    for tumour in tumours:
        if min(tumour.radii) >= _NECROSIS_MM and random.random() < _NECROTIC:
            share = float(random.uniform(0.35, 0.75))
            x, y, z = (share * radius for radius in tumour.radii)
            suv = tumour.suv * float(random.uniform(0.15, 0.5))
            hu = None if tumour.hu is None else tumour.hu - float(random.uniform(0, 15))
            centres.append(replace(tumour, radii=(x, y, z), suv=suv, hu=hu))
    return centres


def _varied_body(patient: Patient, random: np.random.Generator) -> Patient:
    """Other habitus and postures. Lesions are placed again, because their positions depend on the body."""
    fat = float(np.clip(patient.fat * _log_uniform(random, 0.5, 1.8), 4, 60))
    muscle = float(np.clip(patient.muscle + random.normal(0, 6), -16, 18))
    width, depth = (side * float(np.clip(random.normal(1, 0.06), 0.85, 1.2)) for side in (patient.width, patient.depth))
    arms = ARM_POSES[int(random.integers(len(ARM_POSES)))] if random.random() < _POSE else patient.arms
    bent = random.random() < _SPINE
    scoliosis, kyphosis = (float(random.uniform(-25, 25)), float(random.uniform(0, 40))) if bent else (0.0, 0.0)
    amputated = ("left thigh", "left forearm")[int(random.integers(2))] if random.random() < _AMPUTATION else ""
    varied = replace(
        patient,
        fat=fat,
        muscle=muscle,
        width=width,
        depth=depth,
        arms=arms,
        scoliosis_mm=scoliosis,
        kyphosis_mm=kyphosis,
        amputated=amputated,
        hip_prosthesis=bool(random.random() < _IMPLANT),
        field_of_view="whole" if random.random() < _WHOLE_BODY else patient.field_of_view,
        septa=_log_uniform(random, 0.03, 0.25),
    )
    return replace(varied, lesions=place_lesions(varied, random))


def _varied_hu(hu: Mapping[str, float], random: np.random.Generator) -> dict[str, float]:
    """Contrast agent of a phase in another strength, oral contrast, and a scale and offset of the CT numbers."""
    phase = (*_ENHANCEMENT_HU,)[int(random.integers(len(_ENHANCEMENT_HU)))]
    strength = float(random.uniform(0.4, 1.4))
    varied = {name: value + strength * _ENHANCEMENT_HU[phase].get(name, 0.0) for name, value in hu.items()}
    varied["muscle"] += float(random.normal(-4, 5))
    if random.random() < 0.3:
        varied["bowel_content"] += float(random.uniform(50, 350))
    scale, offset = (float(np.clip(random.normal(), -2, 2)) for _ in range(2))
    scale, offset = 1 + 0.02 * scale, 5 * offset
    return _with_parts({name: value if name in GAS else value * scale + offset for name, value in varied.items()})


def _varied_suv(suv: Mapping[str, float], random: np.random.Generator) -> dict[str, float]:
    """Uptake at another time after injection (decreasing in blood, increasing in organs), after fasting or a meal,
    muscle work or drugs, and with a small error of the scanner's calibration."""
    wash = float(random.uniform(-0.25, 0.25))  # natural logarithm
    factors = dict.fromkeys(suv, 1.0)
    for name in ("blood", "mediastinum", "liver", "spleen"):
        factors[name] *= np.exp(-wash)
    for name in (*_BRAIN, "myocardium", *_MARROW):
        factors[name] *= np.exp(wash / 2)
    _raise_some(factors, random)
    calibration = float(np.exp(random.normal(0, 0.1)))
    spread = {tissue.name: np.exp(random.normal(0, tissue.suv_spread)) for tissue in TISSUES}
    return _with_parts({name: float(value * factors[name] * spread[name] * calibration) for name, value in suv.items()})


def _raise_some(factors: dict[str, float], random: np.random.Generator) -> None:
    """Tissues with much higher or lower uptake in some patients, each with its own probability."""
    if random.random() < 0.12:  # did not fast, or received insulin
        for name, factor in (("muscle", random.uniform(1.3, 4)), ("myocardium", random.uniform(1.5, 3))):
            factors[name] *= factor
        for name in (*_BRAIN, "liver"):
            factors[name] *= random.uniform(0.5, 0.9)
    rare = {
        "colon": (0.12, 2, 5),  # metformin
        "small_bowel": (0.12, 1.5, 3.5),
        "thyroid": (0.08, 1.5, 4),
        "stomach_wall": (0.10, 1.3, 2.5),
        "tonsils": (0.10, 1.3, 2.5),
        "myocardium": (0.25, 0.3, 0.6),
        "spleen": (0.06, 1.2, 2.0),
    }
    for name, (share, least, most) in rare.items():
        if random.random() < share:
            factors[name] *= random.uniform(least, most)
    if random.random() < 0.08:  # growth factors, anaemia
        for name in _MARROW:
            factors[name] *= random.uniform(1.5, 3.5)
    for name in (*FATTY, "muscle"):
        factors[name] *= _IN_PATIENTS.get(name, 1.0) * float(np.exp(random.normal(0, 0.25)))


def _with_parts(values: Mapping[str, float]) -> dict[str, float]:
    return {**values, **{part: values[whole] for part, whole in PART_OF.items()}}


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))
