"""When the tracer was injected and when its activity is meant, told from tags that may contradict each other."""

from datetime import datetime, timedelta

import pytest
from dicom_files import Study, pet_series, radiopharmaceutical
from pydicom.valuerep import DT

from ct2pet.errors import ImageError
from ct2pet.suv.header import Frame, frames
from ct2pet.suv.times import injection, mean_count_time, plausible, scan_start

HALF_LIFE = 6600.0
NINE = datetime(2020, 1, 2, 9)


def slices(**tags):
    return pet_series(**tags)[:3]


def start(headers):
    return scan_start(frames(headers))


def with_ge(headers, value, representation="DT"):
    for header in headers:
        header.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, representation, value)
    return headers


def injected(reference=NINE, zone=None, **tags):
    drug = radiopharmaceutical(**{"RadiopharmaceuticalStartTime": None, **tags})
    header = pet_series(TimezoneOffsetFromUTC=zone)[0]
    return injection(Frame(header), Frame(drug), reference, HALF_LIFE)


def test_the_series_time_counts_where_it_is_not_after_the_acquisition():
    assert start(slices(SeriesTime="085900"))[0] == NINE - timedelta(minutes=1)
    assert start(slices(SeriesTime="090000.000"))[0] == NINE


def test_the_earliest_acquisition_counts_for_a_series_that_was_made_later():
    headers = slices(SeriesTime="173000")
    headers[0].AcquisitionTime, headers[1].AcquisitionTime = "090600", "090300.5"
    moment, tag = start(headers)
    assert moment == NINE  # of the third
    assert "earliest Acquisition Time (0008,0032)" in tag
    assert start(slices(SeriesDate="20200103", SeriesTime="080000"))[0] == NINE
    assert start(slices(SeriesTime=None))[0] == NINE


def test_times_count_where_dates_were_removed():
    undated = {"SeriesDate": None, "AcquisitionDate": None}
    assert start(slices(**undated, SeriesTime="173000"))[0] == NINE  # on the date of the study
    moment, _ = start(slices(**undated, StudyDate=None, SeriesTime="173000"))
    drug = Frame(radiopharmaceutical(RadiopharmaceuticalStartDateTime="20200102080000"))
    injected_at, _ = injection(Frame(), drug, moment, HALF_LIFE)
    assert moment - injected_at == timedelta(hours=1)


def test_ges_private_scan_time_counts_for_a_series_that_was_made_later():
    headers = with_ge(slices(SeriesTime="173000", AcquisitionTime="090300"), "20200102090000.00")
    moment, tag = start(headers)
    assert moment == NINE
    assert "(0009,100D)" in tag


def test_ges_private_scan_time_may_be_stored_without_its_representation():
    headers = with_ge(slices(SeriesTime="173000", AcquisitionTime="090300"), b"20200102090000.00 ", "UN")
    assert start(headers)[0] == NINE


@pytest.mark.parametrize("value", ["20200102091000", "20200102063000", "20190607090000"])
def test_ges_private_scan_time_does_not_count_where_it_contradicts_the_acquisitions(value):
    """After the first of them, or hours or months before."""
    assert start(with_ge(slices(SeriesTime="173000"), value))[0] == NINE


def test_ges_private_scan_time_does_not_count_where_the_series_time_can_be_right():
    assert start(with_ge(slices(SeriesTime="085900"), "20200102085500"))[0] == NINE - timedelta(minutes=1)


def test_one_slice_without_a_time_is_too_many():
    headers = slices()
    del headers[1].AcquisitionTime
    with pytest.raises(ImageError, match=r"\(0008,0032\)"):
        start(headers)


def test_the_mean_count_time_of_a_short_frame_is_its_middle():
    # ln(x / (1 - exp(-x))) = x/2 - x^2/24 + ...: for 120 s the mean lies 60 s - 0.06 s after the start.
    (frame, *_) = frames(slices(ActualFrameDuration=120000))
    after = (mean_count_time(frame, HALF_LIFE) - NINE).total_seconds()
    assert after == pytest.approx(60 - 120**2 * 0.693147 / 6600 / 24, abs=1e-3)


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


def test_a_zone_that_is_none_is_refused():
    with pytest.raises(ImageError, match=r"\(0008,0201\)"):
        injected(zone="CET", RadiopharmaceuticalStartDateTime=DT("20200102080000+0000"))


def test_the_study_of_another_date_changes_nothing():
    one, other = (start(slices(study=Study(date=date)))[0].time() for date in ("20200102", "20210304"))
    assert one == other


def test_what_is_plausible():
    assert plausible(0, HALF_LIFE)
    assert plausible(5 * HALF_LIFE, HALF_LIFE)
    assert not plausible(-1, HALF_LIFE)
    assert not plausible(5 * HALF_LIFE + 1, HALF_LIFE)
