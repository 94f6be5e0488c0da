"""The points in time that SUV needs: when the tracer was injected, and when its activity is meant.

All are the scanner's local time, without a zone. Date times that carry an offset from UTC are turned into the zone
of (0008,0201) where the object names one; where it does not, the offset is taken to be that of all other times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

from pydicom.valuerep import DA, DT, TM

from ct2pet.errors import ImageError
from ct2pet.suv.header import Frame, name

_ZONE = "TimezoneOffsetFromUTC"
_PLAUSIBLE_HALF_LIVES = 5
"""An uptake of more half-lives is an error of the clock or of the date: 3% of the tracer would be left."""

_ANY_DAY = date(2000, 1, 1)
_LONGEST_SCAN = timedelta(hours=2)


def _parsed(kind: Any, value: Any, keyword: str) -> Any:
    try:
        return kind(str(value).strip())
    except (ValueError, OverflowError):
        raise ImageError(f"{name(keyword)} is not a valid date or time") from None


def _zone(frame: Frame) -> timezone | None:
    value = str(frame.get(_ZONE) or "").strip()
    if not value:
        return None
    try:
        return datetime.strptime(value, "%z").tzinfo  # type: ignore[return-value]
    except ValueError:
        raise ImageError(f"{name(_ZONE)} is not an offset") from None


def date_time(frame: Frame, keyword: str, value: Any = None, zone: timezone | None = None) -> datetime | None:
    """The local time of a tag of the representation DT (or of a ``value`` that came from elsewhere)."""
    value = frame.get(keyword) if value is None else value
    if value is None:
        return None
    moment = _parsed(DT, value, keyword)
    zone = zone or _zone(frame)
    if moment.tzinfo is not None and zone is not None:
        moment = moment.astimezone(zone)
    return datetime.combine(moment.date(), moment.time())


def _date_and_time(frame: Frame, kind: str) -> datetime | None:
    """The moment of two tags, ``SeriesDate`` and ``SeriesTime``, say.

    De-identification may remove dates and leave times: then another date of the object serves, or any day at all.
    """
    clock = frame.get(f"{kind}Time")
    if clock is None:
        return None
    keywords = (f"{each}Date" for each in (kind, "Acquisition", "Series", "Study") if frame.get(f"{each}Date"))
    keyword = next(keywords, None)
    day = _ANY_DAY if keyword is None else _parsed(DA, frame.get(keyword), keyword)
    return datetime.combine(day, _parsed(TM, clock, f"{kind}Time"))


def acquisition_start(frame: Frame) -> datetime | None:
    """When the measurement of a slice began."""
    for keyword in ("FrameAcquisitionDateTime", "AcquisitionDateTime"):
        moment = date_time(frame, keyword)
        if moment is not None:
            return moment
    return _date_and_time(frame, "Acquisition")


def scan_start(slices: Sequence[Frame]) -> tuple[datetime, str]:
    """The start of the scan, to which DecayCorrection START refers, and which tag says so.

    As in QIBA's vendor-neutral pseudo-code: the series' date and time, unless they lie after the first acquisition
    (post-processed series carry the time of their creation); then GE's private scan date and time, or else the first
    acquisition of the series. GE's value is not used where it contradicts the acquisitions: where it lies after the
    first, or more than two hours before it.
    """
    starts = [acquisition_start(frame) for frame in slices]
    known = [start for start in starts if start is not None]
    if len(known) < len(starts):
        raise ImageError(f"{name('AcquisitionTime')} is missing")
    first = min(known)
    series = _date_and_time(slices[0], "Series")
    if series is not None and series <= first:
        return series, name("SeriesTime")
    scanner = slices[0].private(0x0009, "GEMS_PETD_01", 0x0D)
    if scanner is not None:
        start = date_time(slices[0], "AcquisitionDateTime", scanner)
        if start is not None and timedelta() <= first - start <= _LONGEST_SCAN:
            return start, "GE's scan date and time (0009,100D)"
    return first, f"the earliest {name('AcquisitionTime')}"


def mean_count_time(frame: Frame, half_life: float) -> datetime:
    """When the activity of a slice equalled its mean over the frame: the moment that uncorrected values belong to.

    With the decay constant k and the duration T, ln(kT / (1 - exp(-kT))) / k after the start of the frame.
    """
    start = acquisition_start(frame)
    if start is None:
        raise ImageError(f"{name('AcquisitionTime')} is missing")
    milliseconds = frame.number("FrameAcquisitionDuration") or frame.number("ActualFrameDuration")
    if milliseconds is None:
        raise ImageError(f"{name('ActualFrameDuration')} is missing")
    constant = math.log(2) / half_life
    decay = constant * milliseconds / 1000
    return start + timedelta(seconds=math.log(decay / -math.expm1(-decay)) / constant)


def injection(frame: Frame, drug: Frame, reference: datetime, half_life: float) -> tuple[datetime, str]:
    """When the tracer was injected, and which tag says so; ``reference`` is the time that the activity belongs to.

    (0018,1078) has a date; (0018,1072) has none and means the day of the scan, or the evening before (``last_before``).
    A date that contradicts the scan (de-identification shifts some dates and not others) is not used, its time is.
    """
    dated = date_time(drug, "RadiopharmaceuticalStartDateTime", zone=_zone(frame))
    clock = drug.get("RadiopharmaceuticalStartTime")
    at = _parsed(TM, clock, "RadiopharmaceuticalStartTime") if clock is not None else None
    if dated is None and at is None:
        raise ImageError(f"{name('RadiopharmaceuticalStartTime')} is missing: give injection in --weights_csv")
    if dated is not None and at is not None and _apart(dated.time(), at) > 60:
        names = f"{name('RadiopharmaceuticalStartDateTime')} and {name('RadiopharmaceuticalStartTime')}"
        raise ImageError(f"{names} contradict each other: give injection in --weights_csv")
    if dated is not None and plausible((reference - dated).total_seconds(), half_life):
        return dated, name("RadiopharmaceuticalStartDateTime")
    if at is not None:
        return last_before(at, reference, half_life), name("RadiopharmaceuticalStartTime")
    assert dated is not None
    return last_before(
        dated.time(), reference, half_life
    ), f"the time of {name('RadiopharmaceuticalStartDateTime')}, not its date"


def _apart(one: time, other: time) -> float:
    """Seconds between two times of the day, around midnight if that is shorter."""
    seconds = [(t.hour * 60 + t.minute) * 60 + t.second for t in (one, other)]
    difference = abs(seconds[0] - seconds[1])
    return min(difference, 86400 - difference)


def last_before(clock: time, reference: datetime, half_life: float) -> datetime:
    """When a clock showed ``clock`` on the day of ``reference``; the day before, where that lies after ``reference``
    and the day before is plausible: the injection at 23:50 for a scan at 0:40."""
    moment = datetime.combine(reference.date(), clock)
    earlier = moment - timedelta(days=1)
    passed = moment > reference and plausible((reference - earlier).total_seconds(), half_life)
    return earlier if passed else moment


def plausible(uptake: float, half_life: float) -> bool:
    """Whether a tracer may have been injected ``uptake`` seconds before the scan."""
    return 0 <= uptake <= _PLAUSIBLE_HALF_LIVES * half_life
