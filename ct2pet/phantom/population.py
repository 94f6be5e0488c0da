"""Random patients: age and sex, habitus, uptake and diseases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ct2pet.phantom.lesions import place_lesions
from ct2pet.phantom.patient import DIAGNOSES, REFERENCE_HEIGHT_MM, Organ, Patient
from ct2pet.phantom.tissues import FATTY, GAS, PART_OF, TISSUES

# variation between patients: size (log-normal sigma) and position (mm); other organs do not vary
_ORGANS = {
    "liver": (0.06, 4.0),
    "spleen": (0.14, 4.0),
    "kidney_cortex": (0.07, 4.0),
    "renal_pelvis": (0.15, 1.0),
    "stomach": (0.12, 6.0),
    "gallbladder": (0.20, 3.0),
    "heart": (0.07, 4.0),
    "mediastinum": (0.08, 0.0),
    "lung": (0.0, 7.0),
    "bladder": (0.22, 3.0),
    "reproductive": (0.15, 2.0),
    "thyroid": (0.15, 1.0),
    "tonsils": (0.20, 1.0),
    "salivary_glands": (0.10, 1.0),
    "sinuses": (0.08, 0.0),
    "mandible": (0.04, 0.0),
    "breast": (0.12, 3.0),
    "grey_matter": (0.0, 0.0),
}
_BRAIN = ("grey_matter", "white_matter", "cerebellum")
_WHOLE_BODY, _RAISED, _RAISED_WHOLE, _NEGATIVE = 0.35, 0.75, 0.3, 0.25
"""Shares of patients: head to toe; arms raised (in scans to the thigh, and head to toe); without a tumour."""
_WHOLE = tuple(tissue for tissue in TISSUES if tissue.name not in PART_OF)


def make_patient(seed: int) -> Patient:
    """The patient of a seed: always the same one."""
    random = np.random.default_rng([seed, *b"patient"])
    sex = "female" if random.random() < 0.5 else "male"
    age = int(random.integers(25, 86))
    mean, deviation = (1760, 65) if sex == "male" else (1630, 60)
    height = float(np.clip(random.normal(mean, deviation), 1450, 1950))
    bmi = float(np.clip(25.5 * np.exp(random.normal(0, 0.16)), 18, 38))
    build = height / REFERENCE_HEIGHT_MM * (1.0 if sex == "male" else 0.98)
    whole = random.random() < _WHOLE_BODY
    patient = Patient(
        seed=seed,
        sex=sex,
        age=age,
        height_mm=height,
        weight_kg=bmi * (height / 1000) ** 2,
        leg_share=float(np.clip(random.normal(1, 0.02), 0.95, 1.05)),
        width=build * float(np.clip(random.normal(1, 0.03), 0.93, 1.07)),
        depth=build * float(np.clip(random.normal(1, 0.03), 0.93, 1.07)),
        fat=float(np.clip(7 + 1.5 * (bmi - 18) + (4 if sex == "female" else 0) + random.normal(0, 2), 6, 42)),
        muscle=float(np.clip(0.4 * (bmi - 25) + (2 if sex == "male" else -4) + random.normal(0, 2.5), -12, 12)),
        arms="raised" if random.random() < (_RAISED_WHOLE if whole else _RAISED) else "down",
        field_of_view="whole" if whole else "thigh",
        diagnosis=_diagnosis(random),
    )
    patient = replace(patient, organs=_organs(patient, random), hu=_hu(patient, bmi, random))
    patient = replace(patient, suv=_suv(patient, bmi, random))
    return replace(patient, lesions=place_lesions(patient, random))


def _diagnosis(random: np.random.Generator) -> str:
    if random.random() < _NEGATIVE:
        return DIAGNOSES[0]
    return DIAGNOSES[int(random.integers(1, len(DIAGNOSES)))]


def _organs(patient: Patient, random: np.random.Generator) -> dict[str, Organ]:
    organs = {}
    for name, (sigma, place) in _ORGANS.items():
        shift = tuple(float(s) for s in np.clip(random.normal(0, 1, 3), -2, 2) * place)
        scale = float(np.exp(np.clip(random.normal(0, 1), -2, 2) * sigma))
        organs[name] = Organ(scale, shift, float(random.uniform(0, 2 * np.pi)))  # type: ignore[arg-type]
    organs["cerebrospinal_fluid"] = Organ(scale=0.9 + 0.012 * (patient.age - 45))  # brains shrink with age
    return organs


def _hu(patient: Patient, bmi: float, random: np.random.Generator) -> dict[str, float]:
    """CT numbers of the patient's tissues: fatty livers, and bones that thin with age."""
    hu = {tissue.name: tissue.hu + tissue.hu_spread * float(np.clip(random.normal(), -2, 2)) for tissue in _WHOLE}
    if random.random() < 0.1 + 0.02 * max(0.0, bmi - 25):
        hu["liver"] -= float(random.uniform(10, 35))
    for name in ("marrow", "spine", "ribs", "sternum", "pelvis"):
        hu[name] *= 1 - 0.006 * (patient.age - 55)
    return _with_parts(hu)


def _suv(patient: Patient, bmi: float, random: np.random.Generator) -> dict[str, float]:
    """Uptake of the patient's tissues.

    SUV by body weight is higher in heavy patients because fat takes up little (Zasadny KR, Wahl RL. Radiology
    1993;189:847-850). The parts of the brain vary together, as with blood glucose. Dense lungs have a higher uptake per
    ml; that of tonsils decreases with age (Wang 2007).
    """
    suv, common, brain = {}, float(random.normal(0, 0.05)), float(random.normal())
    for tissue in _WHOLE:
        own = float(np.clip(brain + 0.2 * random.normal() if tissue.name in _BRAIN else random.normal(), -2, 2))
        lean = 0.0 if tissue.name in (*FATTY, *GAS) else 0.5 * np.log(bmi / 25)
        suv[tissue.name] = tissue.suv * float(np.exp(own * tissue.suv_spread + common + lean))
    suv["lung"] *= (1000 + patient.hu["lung"]) / 200
    suv["tonsils"] *= float(np.exp(-0.01 * (patient.age - 55)))
    return _with_parts(suv)


def _with_parts(values: dict[str, float]) -> dict[str, float]:
    """The values of all tissues, where a part has the value of its whole."""
    return {**values, **{part: values[whole] for part, whole in PART_OF.items()}}
