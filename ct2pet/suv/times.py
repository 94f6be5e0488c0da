"""The times for SUV that are in the headers: acquisition, series, injection.

All are the scanner's local time, without a zone. Date times with an offset from UTC are converted to the zone of
(0008,0201) where the object has it; otherwise the offset is assumed to be that of all other times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta, timezone
from typing import TypeVar

from ct2pet.errors import ImageError
from ct2pet.suv.clocks import Imprecise, in_one_scan, read_date, read_date_time, read_time, read_zone
from ct2pet.suv.header import Frame, name

SAME_INJECTION_S = 60.0
"""Two times of one injection that differ by more contradict each other."""

_ZONE = "TimezoneOffsetFromUTC"
_PLAUSIBLE_HALF_LIVES = 5
"""An uptake of more half-lives is an error of the clock or of the date: 3% of the tracer would be left."""

_ANY_DAY = date(2000, 1, 1)
_DAY_S = 86400
_T = TypeVar("_T", datetime, time, date, timezone)


def _read(frame: Frame, keyword: str, read: Callable[[object], _T]) -> tuple[_T | None, Imprecise | None]:
    """The value of a tag, or an Imprecise where it has no minutes. Raises ImageError for other values."""
    value = frame.get(keyword)
    try:
        return (None, None) if value is None else (read(value), None)
    except Imprecise as vague:
        return None, vague
    except (ValueError, OverflowError):
        raise ImageError(f"{name(keyword)} is not a valid date or time") from None


def date_time(frame: Frame, keyword: str, zone: timezone | None = None) -> datetime | None:
    """The local time of a tag of the representation DT; None where it is missing or has no minutes."""
    return _local(_read(frame, keyword, read_date_time)[0], zone or _zone(frame))


def _zone(frame: Frame) -> timezone | None:
    try:
        return None if frame.get(_ZONE) is None else read_zone(frame.get(_ZONE))
    except ValueError:
        raise ImageError(f"{name(_ZONE)} is not an offset") from None


def _local(moment: datetime | None, zone: timezone | None) -> datetime | None:
    if moment is None or moment.tzinfo is None:
        return moment
    return (moment if zone is None else moment.astimezone(zone)).replace(tzinfo=None)


def date_and_time(frame: Frame, kind: str) -> datetime | None:
    """The moment of two tags, such as ``SeriesDate`` and ``SeriesTime``; None where the time is missing or has no
    minutes.

    De-identification may remove dates and leave times: then another date of the object is used, or any day.
    """
    clock, _ = _read(frame, f"{kind}Time", read_time)
    if clock is None:
        return None
    keywords = (f"{each}Date" for each in (kind, "Acquisition", "Series", "Study") if frame.get(f"{each}Date"))
    keyword = next(keywords, None)
    day = None if keyword is None else _read(frame, keyword, read_date)[0]
    return datetime.combine(day or _ANY_DAY, clock)


def acquisition_starts(slices: Sequence[Frame]) -> list[datetime]:
    """The start of the measurement of each slice. Dates that did not change at midnight are corrected.

    Raises ImageError where a slice has no minutes, and where the times are not those of one scan.
    """
    starts = [_acquisition_start(frame) for frame in slices]
    known = [start for start in starts if start is not None]
    if len(known) < len(starts):
        raise ImageError(f"{name('AcquisitionTime')} is missing or has no minutes")
    try:
        return in_one_scan(known)
    except ValueError:
        raise ImageError(f"{name('AcquisitionTime')} of the slices spreads over more than 12 hours") from None


def has_acquisition_times(slices: Sequence[Frame]) -> bool:
    """Whether the headers have the start of the measurement of every slice."""
    return all(_acquisition_start(frame) is not None for frame in slices)


def _acquisition_start(frame: Frame) -> datetime | None:
    for keyword in ("FrameAcquisitionDateTime", "AcquisitionDateTime"):
        moment = date_time(frame, keyword)
        if moment is not None:
            return moment
    return date_and_time(frame, "Acquisition")


def frame_seconds(frame: Frame) -> float | None:
    """The duration of the measurement of a slice in seconds; None where unknown."""
    milliseconds = frame.number("FrameAcquisitionDuration") or frame.number("ActualFrameDuration")
    return None if milliseconds is None else milliseconds / 1000


def mean_activity_delay(seconds: float, half_life: float) -> float:
    """The time (s) in a frame of ``seconds`` at which the activity equals its mean over the frame.

    With the decay constant k and the duration T, ln(kT / (1 - exp(-kT))) / k (PS3.3 C.8.9.4.1.5).
    """
    constant = math.log(2) / half_life
    decay = constant * seconds
    return math.log(decay / -math.expm1(-decay)) / constant if decay > 0 else 0.0


def mean_activity_times(slices: Sequence[Frame], half_life: float) -> list[datetime]:
    """The time at which the activity of each slice equalled its mean over the frame: the reference of uncorrected
    values."""
    moments = []
    for frame, start in zip(slices, acquisition_starts(slices)):
        seconds = frame_seconds(frame)
        if seconds is None:
            raise ImageError(f"{name('ActualFrameDuration')} is missing")
        moments.append(start + timedelta(seconds=mean_activity_delay(seconds, half_life)))
    return moments


def injection(frame: Frame, drug: Frame, first: datetime, half_life: float) -> tuple[datetime, str]:
    """The time of the injection, and its tag; ``first`` is the start of the first acquisition.

    (0018,1078) has a date; (0018,1072) has none and means the day of the scan, or the evening before (``last_before``);
    ImageError where it could be another day.
    A date that contradicts the scan (de-identification shifts some dates and not others) is not used, its time is. Of
    a date without a time, or with its hour alone, only these are used: together with (0018,1072).
    """
    whole, vague = _read(drug, "RadiopharmaceuticalStartDateTime", read_date_time)
    dated = _local(whole, _zone(frame))
    at, vague_at = _read(drug, "RadiopharmaceuticalStartTime", read_time)
    _check_same_injection(dated, vague, at, vague_at)
    tag, dated_tag = name("RadiopharmaceuticalStartTime"), name("RadiopharmaceuticalStartDateTime")
    if dated is not None and plausible((first - dated).total_seconds(), half_life):
        return dated, dated_tag
    if at is not None:
        day = vague.day if vague is not None else None
        if day is not None and plausible((first - datetime.combine(day, at)).total_seconds(), half_life):
            return datetime.combine(day, at), tag
        return last_before(at, first, half_life, tag), tag
    if dated is None:
        how = "is missing" if vague is None and vague_at is None else "has no minutes"
        named = dated_tag if vague is not None and vague_at is None else tag
        raise ImageError(f"{named} {how}: give injection in --weights_csv")
    how = f"the time of {dated_tag}, not its date"
    return last_before(dated.time(), first, half_life, how), how


def _check_same_injection(
    dated: datetime | None, vague: Imprecise | None, at: time | None, vague_at: Imprecise | None
) -> None:
    """Raise ImageError where the two tags of the injection contradict each other, as far as each is precise."""
    hours = {source.hour for source in (vague, vague_at) if source is not None and source.hour is not None}
    known = at if at is not None else dated.time() if dated is not None else None
    apart = dated is not None and at is not None and _apart(dated.time(), at) > SAME_INJECTION_S
    if apart or len(hours) > 1 or (known is not None and hours - {known.hour}):
        names = f"{name('RadiopharmaceuticalStartDateTime')} and {name('RadiopharmaceuticalStartTime')}"
        raise ImageError(f"{names} contradict each other: give injection in --weights_csv")


def _apart(one: time, other: time) -> float:
    """Seconds between two times of the day, around midnight if that is shorter."""
    seconds = [(t.hour * 60 + t.minute) * 60 + t.second for t in (one, other)]
    difference = abs(seconds[0] - seconds[1])
    return min(difference, _DAY_S - difference)


def last_before(clock: time, reference: datetime, half_life: float, source: str) -> datetime:
    """The time ``clock`` on the day of ``reference``; the day before, where that lies after ``reference``
    and the day before is plausible: the injection at 23:50 for a scan at 0:40.

    Raises ImageError, naming the ``source`` of the clock, where an earlier day is plausible, too: a tracer of a long
    half-life is scanned hours or days after the injection.
    """
    moment = datetime.combine(reference.date(), clock)
    earlier = moment - timedelta(days=1)
    passed = moment > reference and plausible((reference - earlier).total_seconds(), half_life)
    found = earlier if passed else moment
    uptakes = [(reference - found).total_seconds() + day for day in (0, _DAY_S)]
    if all(plausible(uptake, half_life) for uptake in uptakes):
        raise ImageError(
            f"the day of the injection is unknown: by {source} and the half-life it could be one of several; "
            "give injection with its date in --weights_csv"
        )
    return found


def plausible(uptake: float, half_life: float) -> bool:
    """Whether a tracer may have been injected ``uptake`` seconds before the scan."""
    return 0 <= uptake <= _PLAUSIBLE_HALF_LIVES * half_life
