"""When the tracer was injected and when its activity is meant, told from tags that may contradict each other."""

from datetime import datetime, timedelta

import pytest
from dicom_files import pet_series, radiopharmaceutical
from pydicom.valuerep import DT

from ct2pet.errors import ImageError
from ct2pet.suv.header import Frame, frames
from ct2pet.suv.times import acquisition_starts, injection, mean_activity_delay, mean_activity_times, plausible

HALF_LIFE = 6600.0
NINE = datetime(2020, 1, 2, 9)


def slices(**tags):
    return pet_series(**tags)[:3]


def injected(reference=NINE, zone=None, half_life=HALF_LIFE, **tags):
    drug = radiopharmaceutical(**{"RadiopharmaceuticalStartTime": None, **tags})
    header = pet_series(TimezoneOffsetFromUTC=zone)[0]
    return injection(Frame(header), Frame(drug), reference, half_life)


def starts(headers):
    return acquisition_starts(frames(headers))


def with_times(times, **tags):
    headers = slices(**tags)
    for header, time in zip(headers, times):
        header.AcquisitionTime = time
    return headers


def test_one_slice_without_a_time_is_too_many():
    headers = slices()
    del headers[1].AcquisitionTime
    with pytest.raises(ImageError, match=r"\(0008,0032\) is missing or has no minutes"):
        starts(headers)


def test_an_acquisition_time_of_hours_only_is_missing():
    with pytest.raises(ImageError, match=r"\(0008,0032\) is missing or has no minutes"):
        starts(slices(AcquisitionTime="09"))


def test_an_acquisition_date_time_without_a_time_leaves_the_acquisition_time():
    assert starts(slices(AcquisitionDateTime="20200102"))[0] == NINE
    assert starts(slices(AcquisitionDateTime="2020010217"))[0] == NINE
    assert starts(slices(AcquisitionDateTime="202001020910"))[0] == NINE + timedelta(minutes=10)


@pytest.mark.parametrize("date", ["20200102", None])
def test_beds_across_midnight_whose_date_does_not_change_keep_their_order(date):
    found = starts(with_times(["235600", "000400", "234000"], AcquisitionDate=date))
    assert [(moment - found[2]).total_seconds() for moment in found] == [960, 1440, 0]


def test_times_of_a_whole_day_are_no_scan():
    with pytest.raises(ImageError, match=r"\(0008,0032\) of the slices spreads over more than 12 hours"):
        starts(with_times(["000000", "080000", "160000"]))


def test_the_mean_activity_of_a_short_frame_is_at_its_middle():
    # ln(x / (1 - exp(-x))) = x/2 - x^2/24 + ...: for 120 s the mean lies 60 s - 0.06 s after the start.
    (moment, *_) = mean_activity_times(frames(slices(ActualFrameDuration=120000)), HALF_LIFE)
    after = (moment - NINE).total_seconds()
    assert after == pytest.approx(60 - 120**2 * 0.693147 / 6600 / 24, abs=1e-3)
    assert mean_activity_delay(0, HALF_LIFE) == 0


def test_uncorrected_beds_across_midnight_are_those_of_one_scan():
    headers = with_times(["234000", "235600", "001200"], ActualFrameDuration=120000)
    found = mean_activity_times(frames(headers), HALF_LIFE)
    assert [(moment - found[0]).total_seconds() for moment in found] == [0, 960, 1920]


def test_an_injection_before_midnight():
    after_midnight = datetime(2020, 1, 2, 0, 40)
    assert injected(after_midnight, RadiopharmaceuticalStartTime="235000")[0] == datetime(2020, 1, 1, 23, 50)
    dated = {"RadiopharmaceuticalStartDateTime": "20200101235000", "RadiopharmaceuticalStartTime": "235000"}
    assert injected(after_midnight, **dated)[0] == datetime(2020, 1, 1, 23, 50)


def test_a_clock_that_shows_a_time_after_the_scan_is_not_taken_for_the_evening_before():
    assert injected(RadiopharmaceuticalStartTime="093000")[0] == NINE + timedelta(minutes=30)


def test_the_date_of_the_injection_counts_where_it_can_be_right():
    found = injected(datetime(2020, 1, 2, 0, 30), RadiopharmaceuticalStartDateTime="20200101230000")
    assert found == (datetime(2020, 1, 1, 23), "Radiopharmaceutical Start DateTime (0018,1078)")


@pytest.mark.parametrize("date", ["20200103", "20191224", "20300102"])
def test_a_shifted_date_of_the_injection_does_not_count_and_its_time_does(date):
    dated = {"RadiopharmaceuticalStartDateTime": f"{date}080000.00"}
    assert injected(**dated)[0] == datetime(2020, 1, 2, 8)
    assert "not its date" in injected(**dated)[1]
    both = injected(**dated, RadiopharmaceuticalStartTime="080010")
    assert both == (datetime(2020, 1, 2, 8, 0, 10), "Radiopharmaceutical Start Time (0018,1072)")


@pytest.mark.parametrize("hours", [78.41, 100.2, 64.05, 12.701])  # Zr-89, I-124, Y-90, Cu-64
@pytest.mark.parametrize("clock", ["080000", "100000"])
def test_the_day_of_a_long_lived_tracer_is_not_guessed(hours, clock):
    with pytest.raises(ImageError, match=r"\(0018,1072\).*give injection with its date in --weights_csv"):
        injected(half_life=hours * 3600, RadiopharmaceuticalStartTime=clock)
    shifted = {"RadiopharmaceuticalStartDateTime": f"20300102{clock}"}
    with pytest.raises(ImageError, match=r"\(0018,1078\).*give injection with its date in --weights_csv"):
        injected(half_life=hours * 3600, **shifted)


def test_the_date_of_a_long_lived_tracer_counts():
    zirconium = 78.41 * 3600
    days = datetime(2019, 12, 29, 14)
    assert injected(half_life=zirconium, RadiopharmaceuticalStartDateTime="20191229140000")[0] == days
    vague = {"RadiopharmaceuticalStartDateTime": "20191229", "RadiopharmaceuticalStartTime": "140000"}
    assert injected(half_life=zirconium, **vague)[0] == days


@pytest.mark.parametrize("minutes", [109.77, 67.71, 200.3])  # F-18, Ga-68, Cu-61
def test_one_day_alone_is_plausible_for_short_lived_tracers(minutes):
    for hours in range(1, 6):
        found = injected(half_life=minutes * 60, RadiopharmaceuticalStartTime=f"0{9 - hours}0000")
        assert found[0] == datetime(2020, 1, 2, 9 - hours)


def test_two_times_of_the_injection_that_contradict_each_other_are_not_chosen_between():
    with pytest.raises(ImageError, match=r"\(0018,1078\).*\(0018,1072\).*contradict.*--weights_csv"):
        injected(RadiopharmaceuticalStartDateTime="20200102080000", RadiopharmaceuticalStartTime="070000")
    close = {"RadiopharmaceuticalStartDateTime": "20200102000010", "RadiopharmaceuticalStartTime": "235950"}
    assert injected(datetime(2020, 1, 2, 1), **close)[0] == datetime(2020, 1, 2, 0, 0, 10)


def test_times_with_an_offset_are_turned_into_the_zone_of_the_object():
    # 07:00 UTC is 08:00 an hour east of Greenwich.
    assert injected(zone="+0100", RadiopharmaceuticalStartDateTime="20200102070000+0000")[0] == datetime(2020, 1, 2, 8)
    assert injected(zone="-0500", RadiopharmaceuticalStartDateTime="20200102130000+0000")[0] == datetime(2020, 1, 2, 8)
    assert injected(zone="+0100", RadiopharmaceuticalStartDateTime="20200102080000")[0] == datetime(2020, 1, 2, 8)


def test_an_offset_without_a_zone_of_the_object_is_that_of_all_its_times():
    assert injected(RadiopharmaceuticalStartDateTime="20200102080000+0100")[0] == datetime(2020, 1, 2, 8)


def test_an_invalid_time_zone_is_refused():
    with pytest.raises(ImageError, match=r"\(0008,0201\)"):
        injected(zone="CET", RadiopharmaceuticalStartDateTime=DT("20200102080000+0000"))


@pytest.mark.parametrize("vague", ["20200102", "2020010208"])
def test_a_date_of_the_injection_without_its_minute_leaves_the_time(vague):
    found = injected(RadiopharmaceuticalStartDateTime=vague, RadiopharmaceuticalStartTime="080000")
    assert found == (datetime(2020, 1, 2, 8), "Radiopharmaceutical Start Time (0018,1072)")


def test_the_date_of_an_imprecise_value_counts_where_it_can_be_right():
    vague = {"RadiopharmaceuticalStartDateTime": "20200101", "RadiopharmaceuticalStartTime": "233000"}
    assert injected(datetime(2020, 1, 2, 0, 30), **vague)[0] == datetime(2020, 1, 1, 23, 30)
    vague["RadiopharmaceuticalStartDateTime"] = "20190607"
    assert injected(datetime(2020, 1, 2, 0, 30), **vague)[0] == datetime(2020, 1, 1, 23, 30)


@pytest.mark.parametrize(
    ("tags", "named"),
    [
        ({"RadiopharmaceuticalStartDateTime": "20200102"}, "0018,1078"),
        ({"RadiopharmaceuticalStartDateTime": "2020010208"}, "0018,1078"),
        ({"RadiopharmaceuticalStartTime": "08"}, "0018,1072"),
        ({"RadiopharmaceuticalStartTime": "08", "RadiopharmaceuticalStartDateTime": "20200102"}, "0018,1072"),
    ],
)
def test_an_injection_that_names_no_minute_is_refused(tags, named):
    with pytest.raises(ImageError, match=rf"\({named}\) has no minutes: give injection in --weights_csv"):
        injected(**tags)


def test_an_hour_that_contradicts_the_other_tag_is_refused():
    with pytest.raises(ImageError, match="contradict"):
        injected(RadiopharmaceuticalStartDateTime="2020010207", RadiopharmaceuticalStartTime="083000")
    with pytest.raises(ImageError, match="contradict"):
        injected(RadiopharmaceuticalStartDateTime="20200102083000", RadiopharmaceuticalStartTime="07")
    assert injected(RadiopharmaceuticalStartDateTime="20200102083000", RadiopharmaceuticalStartTime="08")[0] == (
        datetime(2020, 1, 2, 8, 30)
    )


def test_delays_up_to_five_half_lives_are_plausible():
    assert plausible(0, HALF_LIFE)
    assert plausible(5 * HALF_LIFE, HALF_LIFE)
    assert not plausible(-1, HALF_LIFE)
    assert not plausible(5 * HALF_LIFE + 1, HALF_LIFE)
