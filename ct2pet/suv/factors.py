"""The factor from the rescaled values of a PET series to SUVbw (g/ml), and its source.

SUVbw = activity concentration (Bq/ml) * weight (g) / injected activity (Bq), both activities at one point in time. The
branches are those of the vendor-neutral pseudo-code of the Quantitative Imaging Biomarkers Alliance (QIBA), to which
its profile FDG-PET/CT as an Imaging Biomarker Measuring Response to Cancer Therapy refers, for DecayCorrection START,
and DICOM PS3.3 C.8.9.1 and C.8.22 for ADMIN, NONE and enhanced objects. Details: documentation/explanation/suv.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import numpy as np
from pydicom.dataset import Dataset

from ct2pet.errors import ImageError
from ct2pet.suv import nuclides, philips
from ct2pet.suv.clocks import nearest_day
from ct2pet.suv.evidence import agreement, decay_seconds
from ct2pet.suv.header import Frame, frames, name, same_in_all
from ct2pet.suv.reference import administration_notes, dated_reference, decay_reference
from ct2pet.suv.supplied import Supplied
from ct2pet.suv.times import (
    acquisition_starts,
    has_acquisition_times,
    injection,
    last_before,
    mean_activity_times,
    plausible,
)
from ct2pet.suv.units import corrections, real_world_factor, texts, units

_SERIES = ("PatientWeight", "DecayCorrection", "DecayCorrected", "DecayCorrectionDateTime", "SUVType", "SeriesTime")
_DRUG = (
    *("RadionuclideTotalDose", "RadionuclideHalfLife"),
    *("RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime"),
)
_DOSES = (1e6, 1e10)  # Bq
_WEIGHTS = (1.5, 400.0)  # kg
_USUAL_UPTAKE = (30.0, 180.0)  # min
_LONGEST_USUAL = timedelta(minutes=_USUAL_UPTAKE[1])
_PLACEHOLDER = time()  # midnight: written by systems and de-identification for unknown times
_LONGEST_BEFORE_INJECTION = timedelta(minutes=10)
"""A dynamic scan may begin, and its values be corrected to, so long before the injection."""
_SUPPLY = "give {} in --weights_csv"


@dataclass(frozen=True)
class SuvFactors:
    """``factors`` (slices,): SUV = factor * rescaled value. ``how``: the used tags, in one line without identifying
    values; ``notes``: for the user to check."""

    factors: np.ndarray
    how: str
    notes: tuple[str, ...] = ()


def suv_factors(headers: Sequence[Dataset], supplied: Supplied | None = None) -> SuvFactors:
    """The factor of each slice: one for each classic object, one for each frame of a multi-frame one, in order.

    ``headers``: the objects of one PET series, complete but for the pixels; all of them, because the scan's start may
    be that of the earliest. The factor belongs to values after Rescale Slope and Intercept. ``supplied``: values of the
    user that replace weight, dose, time of injection and decay reference.

    Raises ImageError: one line with the name and number of the tag that is missing, contradictory or invalid.
    """
    slices, supplied = frames(headers), supplied or Supplied()
    for keyword in _SERIES:
        same_in_all(slices, keyword)
    notes = list(corrections(slices[0]))
    unit, *others = {units(frame) for frame in slices}
    if others:
        raise ImageError(f"{name('Units')} differs between the slices of the series")
    scale = np.array([real_world_factor(frame, unit) for frame in slices])
    if unit == "GML":
        notes += _suv_notes(slices[0], supplied)
        return SuvFactors(scale, "values are SUVbw already (Units GML)", tuple(notes))
    decay = _decay_correction(slices[0])  # before Philips' factors: they belong to corrected values
    if unit == "CNTS":
        suv, activity = _philips(slices, decay, supplied, notes)
        if suv is not None:
            return SuvFactors(scale * suv, philips.SUV_FACTOR.name, tuple(notes))
        scale = scale * activity
    factors, how = _from_activity(slices, decay, supplied, notes)
    return SuvFactors(scale * factors, how, tuple(notes))


def _suv_notes(first: Frame, supplied: Supplied) -> list[str]:
    notes = []
    if supplied:
        notes.append("the values are already SUV; their row in --weights_csv is not used")
    if _decay_correction(first, needed=False) == "NONE" and "SYNTHETIC" not in texts(first.get("ImageType") or []):
        notes.append(f"{name('Units')} is GML and {name('DecayCorrection')} NONE: check that the SUV account for decay")
    return notes


def _philips(
    slices: Sequence[Frame], decay: str, supplied: Supplied, notes: list[str]
) -> tuple[np.ndarray | None, np.ndarray]:
    """SUV per count, or None; and, where it is None, Bq/ml per count.

    The SUV factor includes the decay from the injection to the start of the scan: it applies to values corrected to
    that start. For others, and with values that the user supplies, the activity factor is used.
    """
    suv = philips.factors(slices, philips.SUV_FACTOR, notes) if decay == "START" else None
    if suv is not None and not supplied:
        return suv, np.ones(len(slices))
    activity = philips.factors(slices, philips.ACTIVITY_FACTOR, notes)
    if activity is not None:
        notes.append("activity by Philips' factor (7053,1009)")
        return None, activity
    if suv is not None:
        notes.append("Philips' SUV factor is used; --weights_csv is not used")
        return suv, np.ones(len(slices))
    reason = (
        philips.why_not(slices, philips.SUV_FACTOR)
        if decay == "START"
        else f"{philips.SUV_FACTOR.name} needs {name('DecayCorrection')} START, which is {decay}"
    )
    raise ImageError(
        f"Units are CNTS: no SUV from it, because {reason}, and {philips.why_not(slices, philips.ACTIVITY_FACTOR)}; "
        "export the PET in BQML"
    )


def _from_activity(slices: Sequence[Frame], decay: str, supplied: Supplied, notes: list[str]) -> tuple[np.ndarray, str]:
    """SUV per Bq/ml of each slice, and how."""
    first = slices[0]
    drugs = [frame.item("RadiopharmaceuticalInformationSequence") or Frame() for frame in slices]
    for keyword in _DRUG:
        same_in_all(drugs, keyword)
    drug = drugs[0]
    weight = _within(supplied.weight_kg or first.number("PatientWeight"), _WEIGHTS, "PatientWeight", "weight_kg", "kg")
    dose = supplied.dose_bq or drug.number("RadionuclideTotalDose")
    dose = _within(dose, _DOSES, "RadionuclideTotalDose", "dose_bq", "Bq")
    notes += [f"{what} from --weights_csv" for what in supplied.names]
    at_injection = weight * 1000 / dose
    if decay == "ADMIN" and supplied.decay_reference is None:
        known = drug.number("RadionuclideHalfLife")
        notes += administration_notes(slices, drug, known) if known is not None else ()
        return np.full(len(slices), at_injection), "activity at the injection (DecayCorrection ADMIN)"
    half_life = nuclides.half_life(drug, notes)
    moments, clock = _moments(slices, decay, half_life, supplied, notes)
    begun = min(acquisition_starts(slices)) if has_acquisition_times(slices) else min(moments)
    injected, tag = _injection(first, drug, begun, half_life, supplied)
    uptake = np.array([(moment - injected).total_seconds() for moment in moments])
    if supplied.injection is None and injected.time() == _PLACEHOLDER and begun - injected > _LONGEST_USUAL:
        raise ImageError(f"the injection ({tag}) is at midnight, hours before the scan: {_SUPPLY.format('injection')}")
    _check_uptake(begun - injected, min(moments) - injected, half_life, tag, notes)
    return at_injection * 2.0 ** (uptake / half_life), f"{clock}, injection by {tag}"


def _moments(
    slices: Sequence[Frame], decay: str, half_life: float, supplied: Supplied, notes: list[str]
) -> tuple[list[datetime], str]:
    """The reference time of the activity of each slice, and its tag."""
    if supplied.decay_reference is not None:
        return [_supplied_reference(slices, supplied.decay_reference)] * len(slices), "activity at --weights_csv's time"
    if decay == "NONE":
        seconds = decay_seconds(slices, half_life)
        if seconds is not None and np.abs(seconds).max() > agreement(half_life):
            raise ImageError(f"{name('DecayCorrection')} NONE and {name('DecayFactor')} contradict each other")
        clock = f"uncorrected activity (DecayCorrection NONE) at the mean of each frame after {name('AcquisitionTime')}"
        return mean_activity_times(slices, half_life), clock
    if decay == "START":
        reference, prefix = decay_reference(slices, half_life), "activity at the start of the scan by"
    else:
        reference, prefix = dated_reference(slices, half_life), "activity at"
    notes += reference.notes
    return [reference.moment] * len(slices), f"{prefix} {reference.tag}"


def _supplied_reference(slices: Sequence[Frame], given: time | datetime) -> datetime:
    if isinstance(given, datetime):
        return given
    begun = min(acquisition_starts(slices))
    return nearest_day(datetime.combine(begun.date(), given), begun)


def _within(value: float | None, limits: tuple[float, float], keyword: str, column: str, unit: str) -> float:
    if value is None:
        raise ImageError(f"{name(keyword)} is missing: {_SUPPLY.format(column)}")
    if not limits[0] <= value <= limits[1]:
        raise ImageError(
            f"{name(keyword)} is {value:g}, which is not a valid value in {unit}: {_SUPPLY.format(column)}"
        )
    return value


def _decay_correction(frame: Frame, *, needed: bool = True) -> str:
    """START, ADMIN, NONE, or DATED: to the moment that (0018,9701) names. Empty where it is unknown and not
    ``needed``."""
    classic, corrected = frame.get("DecayCorrection"), frame.get("DecayCorrected")
    if classic is None and corrected is None:
        if not needed:
            return ""
        raise ImageError(f"{name('DecayCorrection')} is missing")
    if classic is None:
        return "NONE" if corrected == "NO" else "DATED"
    if classic not in ("START", "ADMIN", "NONE"):
        raise ImageError(f"{name('DecayCorrection')} is not START, ADMIN or NONE")
    listed = frame.get("CorrectedImage")
    if listed is not None and ("DECY" in texts(listed)) != (classic != "NONE"):
        raise ImageError(f"{name('DecayCorrection')} and {name('CorrectedImage')} contradict each other")
    return classic


def _injection(
    first: Frame, drug: Frame, begun: datetime, half_life: float, supplied: Supplied
) -> tuple[datetime, str]:
    if supplied.injection is None:
        return injection(first, drug, begun, half_life)
    if isinstance(supplied.injection, datetime):
        return supplied.injection, "--weights_csv"
    return last_before(supplied.injection, begun, half_life, "--weights_csv"), "--weights_csv"


def _check_uptake(uptake: timedelta, reference: timedelta, half_life: float, tag: str, notes: list[str]) -> None:
    """Time from the injection to the first acquisition, and to the reference time of the activity."""
    supply = _SUPPLY.format("injection")
    minutes, before = uptake.total_seconds() / 60, -reference
    if minutes < 0:
        raise ImageError(f"the injection ({tag}) is {-minutes:.0f} min after the scan: {supply}")
    if before > _LONGEST_BEFORE_INJECTION:
        late = before.total_seconds() / 60
        raise ImageError(f"the injection ({tag}) is {late:.0f} min after the decay reference: {supply}")
    if not plausible(uptake.total_seconds(), half_life):
        raise ImageError(f"the injection ({tag}) is {minutes:.0f} min before the scan, which is implausible: {supply}")
    fluorine = abs(half_life / nuclides.FLUORINE_18 - 1) < nuclides.AGREEMENT
    if fluorine and not _USUAL_UPTAKE[0] <= minutes <= _USUAL_UPTAKE[1]:
        notes.append(f"the scan began {minutes:.0f} min after the injection, which is unusual for FDG")
