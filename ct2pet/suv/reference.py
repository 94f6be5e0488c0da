"""The moment that the values of a PET series are decay corrected to, where Decay Correction (0054,1102) is START.

The clocks that may name it, in this order: Series Time, unless it lies after the first acquisition (systems rewrite
it when they process images); the private times of GE and Siemens; the earliest acquisition. This is the order of the
vendor-neutral pseudo-code of the Quantitative Imaging Biomarkers Alliance (QIBA, 2018), with Siemens' private time
added. The chosen one must agree with whatever else the headers record (ct2pet.suv.evidence).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ct2pet.errors import ImageError
from ct2pet.suv.clocks import nearest_day, read_date_time
from ct2pet.suv.evidence import Evidence, FrameTimes, agreement, decay_seconds, describe, frame_times
from ct2pet.suv.header import Creator, Frame, PrivateElement, name
from ct2pet.suv.times import date_and_time, date_time, has_acquisition_times, injection

LONGEST_BEFORE_FIRST_FRAME = timedelta(hours=2)
"""A private scan time that lies farther before the first acquisition, and that nothing confirms, is no reference."""

_GE = PrivateElement(
    0x0009, "GEMS_PETD_01", 0x0D, "GE's scan date and time (0009,100D)", ("GE", "GEMS", "GENERAL ELECTRIC")
)
_SIEMENS = PrivateElement(
    0x0071, "SIEMENS MED PT", 0x22, "Siemens' decay correction date and time (0071,1022)", ("SIEMENS", "CPS", "CTI")
)
_PRIVATE = (_GE, _SIEMENS)
_COUNT_TO_MEAN = (*_SIEMENS.manufacturers, "PHILIPS")
_SUPPLY = "give decay_reference in --weights_csv"


@dataclass(frozen=True)
class DecayReference:
    """``tag`` says which tag names the ``moment``; ``notes`` are what a user should look at."""

    moment: datetime
    tag: str
    notes: tuple[str, ...] = ()


def decay_reference(slices: Sequence[Frame], half_life: float) -> DecayReference:
    """The reference of a series that is corrected to the start of its scan; ``half_life`` in seconds.

    Series Time is not used where Frame Reference Time and Decay Factor agree with each other and not with it. Where no
    other clock agrees with these two, they are computed back to the reference. Raises ImageError, naming the tags,
    where times differ by more than ``agreement``.
    """
    times, tolerance = frame_times(slices, half_life), agreement(half_life)
    computed = _computed(slices[0], times, tolerance)
    series, private = _series(slices[0], times, tolerance), _private(slices, times, tolerance)
    outvoted = series is not None and _outvoted(series, private, computed, times, tolerance)
    clocks = [*([] if series is None or outvoted else [series]), *private]
    for other in clocks[1:]:
        _check_agree(clocks[0], other, tolerance)
    chosen = clocks[0] if clocks else DecayReference(times.first, f"the earliest {name('AcquisitionTime')}")
    denying = _denying(chosen, times, tolerance)
    if denying and not clocks and computed is not None:
        chosen, denying = computed, []
    _check_supported(chosen, denying)
    notes = [*chosen.notes]
    if outvoted:
        notes.append(f"{name('SeriesTime')} is not used: it contradicts {' and '.join(e.tag for e in times.recorded)}")
    if not times.recorded and len(clocks) < 2:
        notes += _unconfirmed(chosen, _written(slices[0]), times.first, timedelta(seconds=tolerance))
    return replace(chosen, notes=tuple(notes))


def _outvoted(
    series: DecayReference,
    private: Sequence[DecayReference],
    computed: DecayReference | None,
    times: FrameTimes,
    tolerance: float,
) -> bool:
    """Whether both recorded tags deny Series Time, agree with each other, and no private time agrees with it."""
    if computed is None or len(_denying(series, times, tolerance)) < len(times.recorded):
        return False
    return all(_seconds_apart(series, each) > tolerance for each in private)


def _seconds_apart(one: DecayReference, other: DecayReference) -> float:
    return abs((one.moment - other.moment).total_seconds())


def _denying(reference: DecayReference, times: FrameTimes, tolerance: float) -> list[str]:
    """The tags that contradict a reference."""
    return [each.tag for each in times.recorded if not each.supports(reference.moment, times.first, tolerance)]


def _check_supported(reference: DecayReference, denying: Sequence[str]) -> None:
    if denying:
        others = " and ".join(denying)
        raise ImageError(f"{reference.tag} and {others} contradict each other about the decay reference: {_SUPPLY}")


def _series(first: Frame, times: FrameTimes, tolerance: float) -> DecayReference | None:
    """Series Time; None where it lies after the first acquisition.

    It counts on the day nearest to the acquisitions. If its date names another day, either the date did not change at
    midnight or the series was made later: then something must confirm it, the acquisitions or what is recorded.
    """
    moment = _written(first)
    if moment is None:
        return None
    near = nearest_day(moment, times.first)
    if near != moment:
        agrees = abs((times.first - near).total_seconds()) <= tolerance
        recorded = [each.supports(near, times.first, tolerance) for each in times.recorded]
        if not agrees and not (recorded and all(recorded)):
            return None
    return DecayReference(near, name("SeriesTime")) if near <= times.first else None


def _written(first: Frame) -> datetime | None:
    """Series Date and Time."""
    return date_and_time(first, "Series")


def _private(slices: Sequence[Frame], times: FrameTimes, tolerance: float) -> list[DecayReference]:
    """The private times, on the day that is nearest to the first acquisition: de-identification shifts the dates of
    the standard's tags alone."""
    found = []
    for element in _PRIVATE:
        moments = [moment for frame in slices if (moment := _private_time(frame, element)) is not None]
        if moments:
            moment = min(nearest_day(each, times.first) for each in moments)
            reference = DecayReference(moment, element.name)
            _check_before(reference, times, tolerance)
            found.append(reference)
    return found


def _private_time(frame: Frame, element: PrivateElement) -> datetime | None:
    value = frame.private(element)
    trusted = (Creator.OWN, Creator.MISSING) if frame.made_by(element.manufacturers) else (Creator.OWN,)
    if value is None or value.creator not in trusted:
        return None
    try:
        return read_date_time(value.text).replace(tzinfo=None)
    except ValueError:  # also where it names no minute
        return None


def _check_before(private: DecayReference, times: FrameTimes, tolerance: float) -> None:
    before = times.first - private.moment
    confirmed = any(each.supports(private.moment, times.first, tolerance) for each in times.recorded)
    if before < -timedelta(seconds=tolerance) or (before > LONGEST_BEFORE_FIRST_FRAME and not confirmed):
        earliest = DecayReference(times.first, f"the earliest {name('AcquisitionTime')}")
        _check_agree(private, earliest, tolerance)


def _check_agree(one: DecayReference, other: DecayReference, tolerance: float) -> None:
    if _seconds_apart(one, other) > tolerance:
        apart = describe(one.moment - other.moment)
        raise ImageError(f"{one.tag} and {other.tag} contradict each other by {apart}: {_SUPPLY}")


def _computed(first: Frame, times: FrameTimes, tolerance: float) -> DecayReference | None:
    """The reference by Frame Reference Time and Decay Factor; None where one is missing or they disagree."""
    if len(times.recorded) < 2:
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
    if first.made_by(_COUNT_TO_MEAN):
        return mean
    return 0.0 if first.made_by(_GE.manufacturers) or mean <= tolerance else None


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
        raise ImageError(f"{name(keyword)} is missing, or names no minute: {_SUPPLY}")
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
