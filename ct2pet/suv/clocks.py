"""Dates and times of DICOM headers, with their written precision (PS3.5 6.2: DA, TM and DT).

DICOM allows omitting the last components of a time. The decay cannot be computed from a value without minutes: one hour
of fluorine-18 is 46% of SUV. Such a value is ``Imprecise``, never a full hour or midnight.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, timezone

from pydicom.valuerep import DA, DT, TM

LONGEST_SCAN = timedelta(hours=12)
"""No PET series is acquired over a longer time: a wider range of its times means that a date did not change."""

_DAY = timedelta(days=1)
_COLONS = re.compile(r"(\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?")  # HH:MM:SS of ACR-NEMA (PS3.5 6.2, TM)
_DATE = re.compile(r"\d{8}|\d{4}\.\d\d\.\d\d")  # the dots are ACR-NEMA's
_TIME = re.compile(r"\d{2}(?:\d{2}(?:\d{2}(?:\.\d{0,6})?)?)?")
_DATE_TIME = re.compile(r"(\d{4}(?:\d{2}(?:\d{2}(?:\d{2}(?:\d{2}(?:\d{2}(?:\.\d{0,6})?)?)?)?)?)?)([+-]\d{4})?")
_MINUTE_OF_TIME, _MINUTE_OF_DATE_TIME = 4, 12  # digits


class Imprecise(ValueError):
    """A date and time, or a time, without minutes. ``hour`` and ``day``: its components."""

    def __init__(self, hour: int | None = None, day: date | None = None) -> None:
        super().__init__("has no minutes")
        self.hour, self.day = hour, day


def read_date(value: object) -> date:
    """The day of a DA. Raises ValueError for anything else."""
    text = str(value).strip("\0 ")
    if not _DATE.fullmatch(text):
        raise ValueError("not a date")
    return DA(text.replace(".", ""))  # type: ignore[return-value]


def read_time(value: object) -> time:
    """The time of the day of a TM. Raises Imprecise where it has no minutes, ValueError for anything else."""
    text = str(value).strip("\0 ")
    colons = _COLONS.fullmatch(text)
    text = "".join(part or "" for part in colons.groups()) if colons else text
    if not _TIME.fullmatch(text):
        raise ValueError("not a time")
    found = TM(text)
    if len(text) < _MINUTE_OF_TIME:
        raise Imprecise(found.hour)  # type: ignore[union-attr]
    return time(found.hour, found.minute, found.second, found.microsecond)  # type: ignore[union-attr]


def read_date_time(value: object) -> datetime:
    """The moment of a DT, with its zone. Raises Imprecise and ValueError as ``read_time`` does."""
    text = str(value).strip("\0 ")
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueError("not a date and time")
    digits, offset = match.groups()
    found = DT(digits)
    day = date(found.year, found.month, found.day) if len(digits) >= len("YYYYMMDD") else None  # type: ignore[union-attr]
    if len(digits) < _MINUTE_OF_DATE_TIME:
        raise Imprecise(found.hour if len(digits) >= len("YYYYMMDDHH") else None, day)  # type: ignore[union-attr]
    moment = datetime.combine(found.date(), found.time())  # type: ignore[union-attr]
    return moment.replace(tzinfo=read_zone(offset)) if offset else moment


def read_zone(value: object) -> timezone:
    """The zone of an offset from UTC, such as +0100. Raises ValueError for anything else."""
    return datetime.strptime(str(value).strip(), "%z").tzinfo  # type: ignore[return-value]


def nearest_day(moment: datetime, anchor: datetime) -> datetime:
    """The same time of the day, on the day on which it is nearest to ``anchor``: never more than 12 hours away."""
    days = round((anchor - moment) / _DAY)
    return moment + days * _DAY


def in_one_scan(moments: Sequence[datetime]) -> list[datetime]:
    """The moments of one series of images, in the given order, with dates that give one scan.

    Some systems write the date of the start into all images: the beds from 23:40 to 0:12 would then begin with the last
    ones. Where the moments spread over more than ``LONGEST_SCAN``, only their times of the day are used, and the scan
    begins after the longest gap between these. Raises ValueError where this range is also longer.
    """
    if not moments or max(moments) - min(moments) <= LONGEST_SCAN:
        return list(moments)
    ordered = sorted(moments, key=lambda moment: moment.time())
    following = [*ordered[1:], ordered[0]]
    gaps = [(_clock(after) - _clock(before)) % _DAY for before, after in zip(ordered, following)]
    first = following[gaps.index(max(gaps))]
    placed = [first + (_clock(moment) - _clock(first)) % _DAY for moment in moments]
    if max(placed) - first > LONGEST_SCAN:
        raise ValueError("not the times of one scan")
    return placed


def _clock(moment: datetime) -> timedelta:
    return moment - datetime.combine(moment.date(), time())
