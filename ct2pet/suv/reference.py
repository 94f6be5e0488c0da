"""The time to which the values of a PET series are decay corrected, where Decay Correction (0054,1102) is START.

The possible sources, in this order: Series Time, unless it lies after the first acquisition (systems rewrite
it when they process images); the private times of GE and Siemens; the earliest acquisition. This is the order of the
vendor-neutral pseudo-code of the Quantitative Imaging Biomarkers Alliance (QIBA, 2018), with Siemens' private time
added. The chosen one must agree with all other records in the headers (ct2pet.suv.evidence).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ct2pet.errors import ImageError
from ct2pet.suv.clocks import nearest_day
from ct2pet.suv.evidence import Evidence, FrameTimes, Meaning, decay_seconds, describe, frame_times
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
    times, first = frame_times(slices, half_life), slices[0]
    computed = _computed(first, times)
    series, private = series_clock(first, times), private_clocks(slices, times)
    if contradicted := series is not None and _contradicted(series, private, computed, first, times):
        series = None
    clocks = [*([series] if series is not None else []), *private]
    for other in clocks[1:]:
        check_agree(clocks[0], other, times.tolerance)
    chosen = _checked(clocks[0], private, first, times) if clocks else _without_clock(computed, times)
    notes = []
    if contradicted:
        notes.append(f"{name('SeriesTime')} is not used: it contradicts {' and '.join(e.tag for e in times.recorded)}")
    if not times.recorded and len(clocks) < 2:
        notes += _unconfirmed(chosen, series_time(first), times)
    return replace(chosen, notes=(*chosen.notes, *notes))


def _contradicted(
    series: DecayReference,
    private: Sequence[DecayReference],
    computed: DecayReference | None,
    first: Frame,
    times: FrameTimes,
) -> bool:
    """Whether both recorded tags contradict Series Time and agree with each other, and no private time confirms it.

    A Series Time that is the acquisition time of all frames may be right, and that time the scan's: then the records
    count from it. Siemens and Philips write the acquisition time of the frame.
    """
    if computed is None or len(times.contradicting(series.moment)) < len(times.recorded):
        return False
    if times.begin_at(series.moment) and times.meaning is Meaning.OPEN and not first.made_by(COUNT_TO_MEAN):
        return False
    return all(seconds_apart(series, each) > times.tolerance for each in private)


def _checked(
    chosen: DecayReference, private: Sequence[DecayReference], first: Frame, times: FrameTimes
) -> DecayReference:
    """A clock, with a note where what is recorded need not agree with it. Raises ImageError where it must.

    The records of GE count from the one acquisition time of all frames, where a clock agrees with that. A Frame
    Reference Time of 0 without a decay factor is what systems write in place of nothing: a private time counts before.
    """
    contradicting = times.contradicting(chosen.moment)
    if not contradicting:
        return chosen
    agree = len(times.recorded) == 2 and _counts_to(first, *times.recorded, times) is not None
    of_scan = times.begin_at(chosen.moment) and times.meaning is Meaning.OPEN and first.made_by(GE.manufacturers)
    if agree and of_scan:
        note = f"{name('AcquisitionTime')} is used as that of the whole scan, as written by GE"
        return replace(chosen, notes=(note,))
    if private and [each.offset for each in times.recorded] == [0.0]:
        note = f"{times.recorded[0].tag} is 0 and not used: it contradicts {private[0].tag}"
        return replace(chosen, notes=(note,))
    raise _contradiction(chosen, contradicting)


def _without_clock(computed: DecayReference | None, times: FrameTimes) -> DecayReference:
    """The earliest acquisition, or what is computed from the records where they contradict it. Raises ImageError."""
    earliest = DecayReference(times.first, f"the earliest {name('AcquisitionTime')}")
    contradicting = times.contradicting(times.first)
    if contradicting and computed is None:
        raise _contradiction(earliest, contradicting)
    return computed if contradicting and computed is not None else earliest


def _contradiction(reference: DecayReference, contradicting: Sequence[str]) -> ImageError:
    others = " and ".join(contradicting)
    return ImageError(f"{reference.tag} and {others} contradict each other about the decay reference: {SUPPLY}")


def _computed(first: Frame, times: FrameTimes) -> DecayReference | None:
    """The reference by Frame Reference Time and Decay Factor; None where one is missing, where they disagree, and for
    GE where it is open what they count from."""
    if len(times.recorded) < 2 or (times.meaning is Meaning.OPEN and first.made_by(GE.manufacturers)):
        return None
    offset, decay = times.recorded
    delay = _counts_to(first, offset, decay, times)
    if delay is None:
        return None
    moment = times.first + timedelta(seconds=delay - offset.offset)
    tags = f"{offset.tag} and {decay.tag}"
    distance = f"{describe(times.first - moment)} before the earliest {name('AcquisitionTime')}"
    return DecayReference(moment, tags, (f"the decay reference is computed from {tags}: {distance}",))


def _counts_to(first: Frame, offset: Evidence, decay: Evidence, times: FrameTimes) -> float | None:
    """What the offset counts to, in seconds after the start of the frame; None where this cannot be determined.

    Where the decay factor counts to the mean activity and the offset does not, the offset counts to the start. Where
    both count to the same, it is the mean for Siemens and Philips, as the standard says, and the start for GE. For
    other manufacturers it is not known: the start is taken where the mean agrees with it.
    """
    beyond, mean = decay.offset - offset.offset, times.delay
    if abs(beyond - mean) < abs(beyond):
        return 0.0 if abs(beyond - mean) <= times.tolerance else None
    if abs(beyond) > times.tolerance:
        return None
    if first.made_by(COUNT_TO_MEAN):
        return mean
    return 0.0 if first.made_by(GE.manufacturers) or mean <= times.tolerance else None


def _unconfirmed(chosen: DecayReference, series: datetime | None, times: FrameTimes) -> list[str]:
    """A note on a reference that rests on one clock, where another clock of the headers differs from it."""
    if not times.begin_at(chosen.moment):
        distance = f"{describe(times.first - chosen.moment)} before the first acquisition"
        return [f"nothing in the headers confirms {chosen.tag}, {distance}"]
    if series is not None and not times.begin_at(nearest_day(series, times.first)):
        return [f"{name('SeriesTime')} is after the acquisition; nothing in the headers confirms {chosen.tag}"]
    return []


def dated_reference(slices: Sequence[Frame], half_life: float) -> DecayReference:
    """The reference of Decay Correction DateTime (0018,9701) in enhanced objects.

    Raises ImageError where it is missing, has no minutes, or contradicts the decay factors of the frames.
    """
    keyword = "DecayCorrectionDateTime"
    moment = date_time(slices[0], keyword)
    if moment is None:
        raise ImageError(f"{name(keyword)} is missing or has no minutes: {SUPPLY}")
    reference = DecayReference(moment, name(keyword))
    if decay_seconds(slices, half_life) is not None and has_acquisition_times(slices):
        contradicting = frame_times(slices, half_life).contradicting(moment)
        if contradicting:
            raise _contradiction(reference, contradicting)
    return reference


def administration_notes(slices: Sequence[Frame], drug: Frame, half_life: float) -> tuple[str, ...]:
    """A note where the decay factors of values that are corrected to the injection (ADMIN) differ.

    Missing values for the comparison are not an error: such values need no times.
    """
    try:
        times = frame_times(slices, half_life)
        injected, tag = injection(slices[0], drug, times.first, half_life)
    except ImageError:
        return ()
    if name("DecayFactor") not in times.contradicting(injected):
        return ()
    return (
        f"{name('DecayFactor')} is not that from the injection ({tag}) to the scan, although {name('DecayCorrection')}"
        " is ADMIN: if the values are corrected to the start of the scan, SUV are too low; compare with the scanner's",
    )
