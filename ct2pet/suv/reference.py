"""The moment that the values of a PET series are decay corrected to, where Decay Correction (0054,1102) is START.

The clocks that may name it, in this order: Series Time, unless it lies after the first acquisition (systems rewrite
it when they process images); the private times of GE and Siemens; the earliest acquisition. This is the order of the
vendor-neutral pseudo-code of the Quantitative Imaging Biomarkers Alliance (QIBA, 2018), with Siemens' private time
added. The chosen one must agree with whatever else the headers record (ct2pet.suv.evidence).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ct2pet.errors import ImageError
from ct2pet.suv.clocks import nearest_day
from ct2pet.suv.evidence import Evidence, FrameTimes, Meaning, agreement, decay_seconds, describe, frame_times
from ct2pet.suv.header import Frame, name
from ct2pet.suv.scan_clocks import (
    COUNT_TO_MEAN,
    GE,
    SUPPLY,
    DecayReference,
    check_agree,
    private_clocks,
    seconds_apart,
    series_clock,
    series_time,
)
from ct2pet.suv.times import date_time, has_acquisition_times, injection


def decay_reference(slices: Sequence[Frame], half_life: float) -> DecayReference:
    """The reference of a series that is corrected to the start of its scan; ``half_life`` in seconds.

    Series Time is not used where Frame Reference Time and Decay Factor agree with each other and not with it. Where no
    other clock agrees with these two, they are computed back to the reference. Raises ImageError, naming the tags,
    where times differ by more than ``agreement``.
    """
    times, tolerance = frame_times(slices, half_life), agreement(half_life)
    computed = _computed(slices[0], times, tolerance)
    series, private = series_clock(slices[0], times, tolerance), private_clocks(slices, times, tolerance)
    outvoted = series is not None and _outvoted(slices[0], series, private, computed, times, tolerance)
    clocks = [*([] if series is None or outvoted else [series]), *private]
    for other in clocks[1:]:
        check_agree(clocks[0], other, tolerance)
    chosen = clocks[0] if clocks else DecayReference(times.first, f"the earliest {name('AcquisitionTime')}")
    denying, notes = _denying(chosen, times, tolerance), []
    if denying and not clocks and computed is not None:
        chosen, denying = computed, []
    excuse = _excuse(slices[0], chosen, private, times, tolerance) if denying and clocks else None
    if excuse is not None:
        denying, notes = [], [excuse]
    _check_supported(chosen, denying)
    if outvoted:
        notes.append(f"{name('SeriesTime')} is not used: it contradicts {' and '.join(e.tag for e in times.recorded)}")
    if not times.recorded and len(clocks) < 2:
        notes += _unconfirmed(chosen, series_time(slices[0]), times.first, timedelta(seconds=tolerance))
    return replace(chosen, notes=(*chosen.notes, *notes))


def _outvoted(
    first: Frame,
    series: DecayReference,
    private: Sequence[DecayReference],
    computed: DecayReference | None,
    times: FrameTimes,
    tolerance: float,
) -> bool:
    """Whether both recorded tags deny Series Time, agree with each other, and no private time agrees with it.

    A Series Time that is the acquisition time of all frames may be right, and that time the scan's: then the records
    count from it. Siemens and Philips write the acquisition time of the frame.
    """
    if computed is None or len(_denying(series, times, tolerance)) < len(times.recorded):
        return False
    at_first = abs((series.moment - times.first).total_seconds()) <= tolerance
    if at_first and times.meaning is Meaning.OPEN and not first.made_by(COUNT_TO_MEAN):
        return False
    return all(seconds_apart(series, each) > tolerance for each in private)


def _excuse(
    first: Frame, chosen: DecayReference, private: Sequence[DecayReference], times: FrameTimes, tolerance: float
) -> str | None:
    """Why what is recorded need not agree with the chosen clock, as a note; None where it must.

    The records of GE count from the one acquisition time of all frames, where that is the reference. A Frame Reference
    Time of 0 without a decay factor is what systems write in place of nothing: a private time counts before it.
    """
    at_first = abs((chosen.moment - times.first).total_seconds()) <= tolerance
    agree = len(times.recorded) == 2 and _counts_to(first, *times.recorded, times.delay, tolerance) is not None
    if at_first and agree and times.meaning is Meaning.OPEN and first.made_by(GE.manufacturers):
        return f"{name('AcquisitionTime')} is taken for that of the whole scan, as GE writes it"
    if private and [each.offset for each in times.recorded] == [0.0]:
        return f"{times.recorded[0].tag} is 0 and not used: it contradicts {private[0].tag}"
    return None


def _denying(reference: DecayReference, times: FrameTimes, tolerance: float) -> list[str]:
    """The tags that contradict a reference."""
    return [each.tag for each in times.recorded if not each.supports(reference.moment, times.first, tolerance)]


def _check_supported(reference: DecayReference, denying: Sequence[str]) -> None:
    if denying:
        others = " and ".join(denying)
        raise ImageError(f"{reference.tag} and {others} contradict each other about the decay reference: {SUPPLY}")


def _computed(first: Frame, times: FrameTimes, tolerance: float) -> DecayReference | None:
    """The reference by Frame Reference Time and Decay Factor; None where one is missing, where they disagree, and for
    GE where it is open what they count from."""
    if len(times.recorded) < 2 or (times.meaning is Meaning.OPEN and first.made_by(GE.manufacturers)):
        return None
    offset, decay = times.recorded
    delay = _counts_to(first, offset, decay, times.delay, tolerance)
    if delay is None:
        return None
    moment = times.first + timedelta(seconds=delay - offset.offset)
    tags = f"{offset.tag} and {decay.tag}"
    distance = f"{describe(times.first - moment)} before the earliest {name('AcquisitionTime')}"
    return DecayReference(moment, tags, (f"the decay reference is computed from {tags}: {distance}",))


def _counts_to(first: Frame, offset: Evidence, decay: Evidence, mean: float, tolerance: float) -> float | None:
    """What the offset counts to, in seconds after the start of the frame; None where this cannot be told.

    Where the decay factor counts to the mean activity and the offset does not, the offset counts to the start. Where
    both count to the same, it is the mean for Siemens and Philips, as the standard says, and the start for GE. For
    other manufacturers it is not known: the start is taken where the mean lies within ``tolerance`` of it.
    """
    beyond = decay.offset - offset.offset
    if abs(beyond - mean) < abs(beyond):
        return 0.0 if abs(beyond - mean) <= tolerance else None
    if abs(beyond) > tolerance:
        return None
    if first.made_by(COUNT_TO_MEAN):
        return mean
    return 0.0 if first.made_by(GE.manufacturers) or mean <= tolerance else None


def _unconfirmed(chosen: DecayReference, series: datetime | None, first: datetime, bound: timedelta) -> list[str]:
    """A note on a reference that rests on one clock, where another clock of the headers differs from it."""
    if abs(first - chosen.moment) > bound:
        distance = f"{describe(first - chosen.moment)} before the first acquisition"
        return [f"nothing in the headers confirms {chosen.tag}, {distance}"]
    if series is not None and abs(nearest_day(series, first) - chosen.moment) > bound:
        return [f"{name('SeriesTime')} lies after the acquisition; nothing in the headers confirms {chosen.tag}"]
    return []


def dated_reference(slices: Sequence[Frame], half_life: float) -> DecayReference:
    """The reference that Decay Correction DateTime (0018,9701) of enhanced objects names.

    Raises ImageError where it is missing, names no minute, or contradicts the decay factors of the frames.
    """
    keyword = "DecayCorrectionDateTime"
    moment = date_time(slices[0], keyword)
    if moment is None:
        raise ImageError(f"{name(keyword)} is missing, or names no minute: {SUPPLY}")
    reference = DecayReference(moment, name(keyword))
    if decay_seconds(slices, half_life) is not None and has_acquisition_times(slices):
        times = frame_times(slices, half_life)
        _check_supported(reference, _denying(reference, times, agreement(half_life)))
    return reference


def administration_notes(slices: Sequence[Frame], drug: Frame, half_life: float) -> tuple[str, ...]:
    """A note where the decay factors of values that are corrected to the injection (ADMIN) say something else.

    What is missing for the comparison is no fault: such values need no times.
    """
    try:
        times = frame_times(slices, half_life)
        injected, tag = injection(slices[0], drug, times.first, half_life)
    except ImageError:
        return ()
    factors = [each for each in times.recorded if each.tag == name("DecayFactor")]
    if all(each.supports(injected, times.first, agreement(half_life)) for each in factors):
        return ()
    return (
        f"{name('DecayFactor')} is not that from the injection ({tag}) to the scan, although {name('DecayCorrection')}"
        " is ADMIN: if the values are corrected to the start of the scan, SUV are too low; compare with the scanner's",
    )
