"""What a date or a time names, and what it does not; and moments of one scan that crosses midnight."""

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ct2pet.suv.clocks import Imprecise, in_one_scan, nearest_day, read_date, read_date_time, read_time

NINE = datetime(2020, 1, 2, 9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0900", time(9)),
        ("090030", time(9, 0, 30)),
        ("090030.", time(9, 0, 30)),
        ("090030.5", time(9, 0, 30, 500000)),
        ("090030.123456 ", time(9, 0, 30, 123456)),
        ("09:00:30", time(9, 0, 30)),
        ("09:00:30.25", time(9, 0, 30, 250000)),
        ("000000", time(0)),
    ],
)
def test_times(text, expected):
    assert read_time(text) == expected


@pytest.mark.parametrize("text", ["", "9", "240000", "0960", "0900000", "0900.5", "09.00", "9 o'clock", "['0900']"])
def test_an_invalid_time_is_refused(text):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        read_time(text)
    assert not isinstance(error.value, Imprecise)


def test_a_time_of_hours_only_is_missing():
    with pytest.raises(Imprecise) as error:
        read_time("09")
    assert error.value.hour == 9


@pytest.mark.parametrize(
    ("text", "hour", "day"),
    [
        ("2020", None, None),
        ("202001", None, None),
        ("20200102", None, date(2020, 1, 2)),
        ("20200102+0100", None, date(2020, 1, 2)),
        ("2020010209", 9, date(2020, 1, 2)),
    ],
)
def test_a_date_and_time_without_its_minute_is_imprecise(text, hour, day):
    with pytest.raises(Imprecise) as error:
        read_date_time(text)
    assert (error.value.hour, error.value.day) == (hour, day)


def test_dates_and_times():
    assert read_date_time("202001020900") == NINE
    assert read_date_time("20200102090000.00") == NINE
    assert read_date_time("20200102090000+0100").utcoffset() == timedelta(hours=1)
    for text in ("2020-01-02 09:00:00", "20201301090000", "202001020900000", ""):
        with pytest.raises(ValueError):  # noqa: PT011
            read_date_time(text)


def test_days():
    assert read_date("20200102") == read_date("2020.01.02") == date(2020, 1, 2)
    for text in ("2020-01-02", "202001", "20201302", ""):
        with pytest.raises(ValueError):  # noqa: PT011
            read_date(text)


def test_the_nearest_day():
    assert nearest_day(datetime(2019, 6, 7, 8, 50), NINE) == datetime(2020, 1, 2, 8, 50)
    assert nearest_day(datetime(2020, 1, 2, 23, 50), datetime(2020, 1, 2, 0, 10)) == datetime(2020, 1, 1, 23, 50)
    assert nearest_day(NINE, NINE) == NINE


def clocks(*texts, day=2):
    return [datetime(2020, 1, day, int(text[:2]), int(text[3:])) for text in texts]


def test_beds_across_midnight_whose_date_does_not_change():
    beds = in_one_scan(clocks("23:56", "00:12", "23:40", "00:04"))
    assert min(beds) == beds[2] == datetime(2020, 1, 2, 23, 40)
    assert [(bed - beds[2]).total_seconds() / 60 for bed in beds] == [16, 32, 0, 24]


def test_a_date_that_changes_at_the_wrong_bed():
    beds = in_one_scan(clocks("23:40", "00:04") + clocks("00:12", day=3))
    assert [(bed - beds[0]).total_seconds() / 60 for bed in beds] == [0, 24, 32]


def test_times_of_a_whole_day_are_no_scan():
    with pytest.raises(ValueError, match="one scan"):
        in_one_scan(clocks("00:00", "06:00", "12:00", "18:00"))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(start=st.integers(0, 1439), steps=st.lists(st.integers(0, 60), min_size=1, max_size=8), frozen=st.booleans())
def test_a_scan_of_any_start_keeps_its_distances(start, steps, frozen):
    """With dates that are right, and with one date in all images."""
    first = datetime(2020, 1, 2) + timedelta(minutes=start)
    true = [first + timedelta(minutes=sum(steps[:count])) for count in range(len(steps) + 1)]
    written = [datetime.combine(first.date(), moment.time()) for moment in true] if frozen else true
    found = in_one_scan(written)
    assert [moment - found[0] for moment in found] == [moment - first for moment in true]
    assert found[0].time() == first.time()
