"""The factor that turns the rescaled values of a PET series into SUVbw (g/ml), and how it was found.

SUVbw = activity concentration (Bq/ml) * weight (g) / injected activity (Bq), both activities at one point in time. The
branches are those of the vendor-neutral pseudo-code of the Quantitative Imaging Biomarkers Alliance (QIBA), to which
its profile FDG-PET/CT as an Imaging Biomarker Measuring Response to Cancer Therapy refers, for DecayCorrection START,
and DICOM PS3.3 C.8.9.1 and C.8.22 for ADMIN, NONE and enhanced objects. documentation/explanation/suv.md tells all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from pydicom.dataset import Dataset

from ct2pet.errors import ImageError
from ct2pet.suv.header import Frame, frames, name, same_in_all
from ct2pet.suv.supplied import Supplied
from ct2pet.suv.times import date_time, injection, last_before, mean_count_time, plausible, scan_start
from ct2pet.suv.units import corrections, real_world_factor, texts, units

_FLUORINE_18 = {"C-111A1", "77004003"}
_HALF_LIFE_18F = 6586.2
_HALF_LIVES = (60.0, 1e6)  # s: from shorter than rubidium-82 to longer than iodine-124
_DOSES = (1e6, 1e10)  # Bq
_WEIGHTS = (1.5, 400.0)  # kg
_USUAL_UPTAKE = (30.0, 180.0)  # min
_SUPPLY = "give {} in --weights_csv"


@dataclass(frozen=True)
class SuvFactors:
    """``factors`` (slices,): SUV = factor * rescaled value. ``how`` says by which tags, in one line without values
    that identify; ``notes`` are what a user should look at."""

    factors: np.ndarray
    how: str
    notes: tuple[str, ...] = ()


def suv_factors(headers: Sequence[Dataset], supplied: Supplied | None = None) -> SuvFactors:
    """The factor of each slice: one for each classic object, one for each frame of a multi-frame one, in order.

    ``headers``: the objects of one PET series, complete but for the pixels; all of them, because the scan's start may
    have to be told from the earliest. The factor belongs to values after Rescale Slope and Intercept. ``supplied``:
    what the user says instead of, or in the absence of, weight, dose and time of injection.

    Raises ImageError: one line with the name and number of the tag that is missing, contradicts another, or cannot be.
    """
    slices, supplied = frames(headers), supplied or Supplied()
    for keyword in ("PatientWeight", "DecayCorrection", "DecayCorrected", "DecayCorrectionDateTime", "SUVType"):
        same_in_all(slices, keyword)
    notes = list(corrections(slices[0]))
    unit, *others = {units(frame) for frame in slices}
    if others:
        raise ImageError(f"{name('Units')} differs between the slices of the series")
    scale = np.array([real_world_factor(frame, unit) for frame in slices])
    if unit == "GML":
        if supplied:
            notes.append("the values are SUV already; what --weights_csv says about them is not used")
        return SuvFactors(scale, "values are SUVbw already (Units GML)", tuple(notes))
    if unit == "CNTS":
        suv, activity = (_philips(slices, element) for element in (0x00, 0x09))
        if suv is not None and (not supplied or activity is None):
            notes += ["Philips' SUV factor is in the values; --weights_csv is not used"] if supplied else []
            return SuvFactors(scale * suv, "Philips' SUV factor (7053,1000)", tuple(notes))
        if activity is None:
            raise ImageError(
                "Units are CNTS, and Philips' factors (7053,1000) and (7053,1009) are missing or 0: no SUV without them"
            )
        scale = scale * activity
        notes.append("activity by Philips' factor (7053,1009)")
    factors, how = _from_activity(slices, supplied, notes)
    return SuvFactors(scale * factors, how, tuple(notes))


def _philips(slices: Sequence[Frame], element: int) -> np.ndarray | None:
    """A factor of Philips' private group for each slice; None where one is missing or not above 0."""
    values = [frame.private(0x7053, "Philips PET Private Group", element) for frame in slices]
    try:
        factors = np.array([0.0 if value is None else float(value) for value in values])
    except ValueError:
        raise ImageError(f"Philips' factor (7053,10{element:02d}) is not a number") from None
    return factors if np.isfinite(factors).all() and (factors > 0).all() else None


def _from_activity(slices: Sequence[Frame], supplied: Supplied, notes: list[str]) -> tuple[np.ndarray, str]:
    """SUV per Bq/ml of each slice, and how."""
    first = slices[0]
    drugs = [frame.item("RadiopharmaceuticalInformationSequence") or Frame() for frame in slices]
    for keyword in ("RadionuclideTotalDose", "RadionuclideHalfLife", "RadiopharmaceuticalStartTime"):
        same_in_all(drugs, keyword)
    drug = drugs[0]
    weight = _within(supplied.weight_kg or first.number("PatientWeight"), _WEIGHTS, "PatientWeight", "weight_kg", "kg")
    dose = supplied.dose_bq or drug.number("RadionuclideTotalDose")
    dose = _within(dose, _DOSES, "RadionuclideTotalDose", "dose_bq", "Bq")
    notes += [f"{what} from --weights_csv" for what in supplied.names]
    at_injection = weight * 1000 / dose
    decay = _decay_correction(first)
    if decay == "ADMIN":
        return np.full(len(slices), at_injection), "activity at the injection (DecayCorrection ADMIN)"
    half_life = _half_life(drug, notes)
    if decay == "NONE":
        moments = [mean_count_time(frame, half_life) for frame in slices]
        clock = f"uncorrected activity (DecayCorrection NONE) at the mean of each frame after {name('AcquisitionTime')}"
    elif decay == "START":
        moment, tag = scan_start(slices)
        moments, clock = [moment] * len(slices), f"activity at the start of the scan by {tag}"
    else:
        corrected_to = date_time(first, "DecayCorrectionDateTime")
        if corrected_to is None:
            raise ImageError(f"{name('DecayCorrectionDateTime')} is missing")
        moments, clock = [corrected_to] * len(slices), f"activity at {name('DecayCorrectionDateTime')}"
    injected, tag = _injection(first, drug, min(moments), half_life, supplied)
    uptake = np.array([(moment - injected).total_seconds() for moment in moments])
    _check_uptake(uptake.min(), uptake.max(), half_life, tag, notes)
    return at_injection * 2.0 ** (uptake / half_life), f"{clock}, injection by {tag}"


def _within(value: float | None, limits: tuple[float, float], keyword: str, column: str, unit: str) -> float:
    if value is None:
        raise ImageError(f"{name(keyword)} is missing: {_SUPPLY.format(column)}")
    if not limits[0] <= value <= limits[1]:
        raise ImageError(f"{name(keyword)} is {value:g}, which cannot be {unit}: {_SUPPLY.format(column)}")
    return value


def _decay_correction(frame: Frame) -> str:
    """START, ADMIN, NONE, or DATED: to the moment that (0018,9701) names."""
    classic, corrected = frame.get("DecayCorrection"), frame.get("DecayCorrected")
    if classic is None and corrected is None:
        raise ImageError(f"{name('DecayCorrection')} is missing")
    if classic is None:
        return "NONE" if corrected == "NO" else "DATED"
    if classic not in ("START", "ADMIN", "NONE"):
        raise ImageError(f"{name('DecayCorrection')} is none of START, ADMIN and NONE")
    listed = frame.get("CorrectedImage")
    if listed is not None and ("DECY" in texts(listed)) != (classic != "NONE"):
        raise ImageError(f"{name('DecayCorrection')} and {name('CorrectedImage')} contradict each other")
    return classic


def _half_life(drug: Frame, notes: list[str]) -> float:
    """Seconds; what the nuclide's code says counts where the tag is missing."""
    seconds = drug.number("RadionuclideHalfLife")
    nuclide = drug.item("RadionuclideCodeSequence")
    fluorine = nuclide is not None and str(nuclide.get("CodeValue")) in _FLUORINE_18
    if seconds is None and fluorine:
        notes.append(
            f"{name('RadionuclideHalfLife')} is missing; that of fluorine-18 is used, as the nuclide's code says"
        )
        return _HALF_LIFE_18F
    if seconds is None:
        raise ImageError(f"{name('RadionuclideHalfLife')} is missing, and no code says that the nuclide is fluorine-18")
    if not _HALF_LIVES[0] <= seconds <= _HALF_LIVES[1]:
        raise ImageError(f"{name('RadionuclideHalfLife')} of {seconds:g} s is none of a PET tracer")
    if fluorine and abs(seconds / _HALF_LIFE_18F - 1) > 0.01:
        raise ImageError(f"{name('RadionuclideHalfLife')} of {seconds:g} s contradicts the nuclide's code, fluorine-18")
    return seconds


def _injection(
    first: Frame, drug: Frame, reference: datetime, half_life: float, supplied: Supplied
) -> tuple[datetime, str]:
    if supplied.injection is None:
        return injection(first, drug, reference, half_life)
    if isinstance(supplied.injection, datetime):
        return supplied.injection, "--weights_csv"
    return last_before(supplied.injection, reference, half_life), "--weights_csv"


def _check_uptake(shortest: float, longest: float, half_life: float, tag: str, notes: list[str]) -> None:
    """Seconds between injection and the moments that the activity belongs to."""
    supply = _SUPPLY.format("injection")
    minutes = shortest / 60
    if shortest < 0:
        raise ImageError(f"the injection ({tag}) lies {-minutes:.0f} min after the scan: {supply}")
    if not plausible(longest, half_life):
        raise ImageError(
            f"the injection ({tag}) lies {longest / 60:.0f} min before the scan, which cannot be: {supply}"
        )
    if abs(half_life / _HALF_LIFE_18F - 1) < 0.01 and not _USUAL_UPTAKE[0] <= minutes <= _USUAL_UPTAKE[1]:
        notes.append(f"the scan began {minutes:.0f} min after the injection, which is unusual for FDG")
