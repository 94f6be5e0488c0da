"""The times of a PET series that may be the reference of its decay correction: Series Time and the
private times of GE and Siemens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ct2pet.errors import ImageError
from ct2pet.suv.clocks import nearest_day, read_date_time
from ct2pet.suv.evidence import FrameTimes, describe
from ct2pet.suv.header import Creator, Frame, PrivateElement, name
from ct2pet.suv.times import date_and_time

LONGEST_BEFORE_FIRST_FRAME = timedelta(hours=2)
"""An unconfirmed private scan time that is earlier before the first acquisition is not a reference."""

GE = PrivateElement(
    0x0009, "GEMS_PETD_01", 0x0D, "GE's scan date and time (0009,100D)", ("GE", "GEMS", "GENERAL ELECTRIC")
)
SIEMENS = PrivateElement(
    0x0071, "SIEMENS MED PT", 0x22, "Siemens' decay correction date and time (0071,1022)", ("SIEMENS", "CPS", "CTI")
)
_PRIVATE = (GE, SIEMENS)
COUNT_TO_MEAN = (*SIEMENS.manufacturers, "PHILIPS")
"""Manufacturers whose Frame Reference Time counts to the mean activity, from the acquisition time of each frame."""

SUPPLY = "give decay_reference in --weights_csv"


@dataclass(frozen=True)
class DecayReference:
    """``tag``: the source of the ``moment``; ``notes``: for the user to check."""

    moment: datetime
    tag: str
    notes: tuple[str, ...] = ()


def seconds_apart(one: DecayReference, other: DecayReference) -> float:
    """Seconds between two references."""
    return abs((one.moment - other.moment).total_seconds())


def series_clock(first: Frame, times: FrameTimes) -> DecayReference | None:
    """Series Time; None where it is after the first acquisition.

    Its date is the day nearest to the acquisitions. If its own date is another day, either the date did not change at
    midnight or the series was made later: then it must be confirmed by the acquisitions or what is recorded.
    """
    moment = series_time(first)
    if moment is None:
        return None
    near = nearest_day(moment, times.first)
    if near != moment:
        recorded = times.recorded and not times.contradicting(near)
        if not recorded and not times.begin_at(near):
            return None
    return DecayReference(near, name("SeriesTime")) if near <= times.first else None


def series_time(first: Frame) -> datetime | None:
    """Series Date and Time."""
    return date_and_time(first, "Series")


def private_clocks(slices: Sequence[Frame], times: FrameTimes) -> list[DecayReference]:
    """The private times, on the day that is nearest to the first acquisition: de-identification shifts the dates of
    the standard's tags alone."""
    found = []
    for element in _PRIVATE:
        moments = [moment for frame in slices if (moment := _private_time(frame, element)) is not None]
        if moments:
            moment = min(nearest_day(each, times.first) for each in moments)
            reference = DecayReference(moment, element.name)
            _check_before(reference, times)
            found.append(reference)
    return found


def _private_time(frame: Frame, element: PrivateElement) -> datetime | None:
    value = frame.private(element)
    trusted = (Creator.OWN, Creator.MISSING) if frame.made_by(element.manufacturers) else (Creator.OWN,)
    if value is None or value.creator not in trusted:
        return None
    try:
        return read_date_time(value.text).replace(tzinfo=None)
    except ValueError:  # also without minutes
        return None


def _check_before(private: DecayReference, times: FrameTimes) -> None:
    before = times.first - private.moment
    confirmed = len(times.contradicting(private.moment)) < len(times.recorded)
    if before < -timedelta(seconds=times.tolerance) or (before > LONGEST_BEFORE_FIRST_FRAME and not confirmed):
        earliest = DecayReference(times.first, f"the earliest {name('AcquisitionTime')}")
        check_agree(private, earliest, times.tolerance)


def check_agree(one: DecayReference, other: DecayReference, tolerance: float) -> None:
    """Raise ImageError, naming both tags, where two references differ by more than ``tolerance`` seconds."""
    if seconds_apart(one, other) > tolerance:
        apart = describe(one.moment - other.moment)
        raise ImageError(f"{one.tag} and {other.tag} contradict each other by {apart}: {SUPPLY}")
