"""To which moment the values of a series are decay corrected, told from clocks that may contradict each other (see
``suv_beds``)."""

from datetime import datetime, timedelta

import pytest
from dicom_files import Study, enhanced_pet, pet_series, radiopharmaceutical
from suv_beds import (
    HALF_LIFE,
    LATER,
    MEAN,
    NINE,
    SYSTEMS,
    beds,
    late,
    minutes,
    notes,
    refusal,
    slices,
    start,
    with_ge,
    with_siemens,
)

from ct2pet.errors import ImageError
from ct2pet.suv.header import Frame, frames
from ct2pet.suv.reference import administration_notes, dated_reference


@pytest.mark.parametrize("system", SYSTEMS)
def test_series_time_and_what_each_system_records_agree(system):
    headers = beds(**SYSTEMS[system])
    assert start(headers) == (NINE, "Series Time (0008,0031)")
    assert notes(headers) == ()


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_series_that_was_made_later_refers_to_the_earliest_acquisition(system):
    moment, tag = start(beds(**SYSTEMS[system], SeriesTime=LATER)[::-1])
    assert (moment, tag) == (NINE, "the earliest Acquisition Time (0008,0032)")


def test_a_late_part_of_a_scan_refers_to_its_start():
    assert start(late(SeriesTime="081000")) == (NINE - minutes(50), "Series Time (0008,0031)")


@pytest.mark.parametrize(
    ("manufacturer", "system"),
    [
        ("SIEMENS", {}),
        ("CPS", {"to_offset": 60.0, "to_factor": 60.0}),
        ("Philips Medical Systems", {}),
        ("ACME", {"to_offset": 0.0}),
        ("ACME", {"to_offset": 0.0, "to_factor": 0.0}),
    ],
)
def test_the_start_is_computed_back_where_series_time_was_rewritten(manufacturer, system):
    headers = late(SeriesTime=LATER, Manufacturer=manufacturer, **system)
    moment, tag = start(headers)
    assert abs(moment - (NINE - minutes(50))) < timedelta(seconds=0.1)
    assert tag == "Frame Reference Time (0054,1300) and Decay Factor (0054,1321)"
    (note,) = notes(headers)
    assert note.startswith("the decay reference is computed from Frame Reference Time (0054,1300) and Decay Factor")
    assert note.endswith("50 min before the earliest Acquisition Time (0008,0032)")


GE = "GE MEDICAL SYSTEMS"


def test_the_start_is_computed_back_for_ge_where_the_beds_have_times_of_their_own():
    for system in ({"to_offset": 0.0}, {"to_offset": 0.0, "to_factor": 0.0}):
        headers = beds(3, first=3000.0, SeriesTime=LATER, Manufacturer=GE, **system)
        assert abs(start(headers)[0] - (NINE - minutes(50))) < timedelta(seconds=0.1)


def test_equal_times_of_an_unknown_manufacturer_are_refused_for_long_frames():
    """Equal ones may count to the start or to the mean: 60 s apart in 120 s, 10 minutes in 20 minutes."""
    headers = late(SeriesTime=LATER)
    assert abs(start(headers)[0] - (NINE - minutes(50))) <= timedelta(seconds=60)
    headers[0].ActualFrameDuration = 1200000
    assert "contradict each other about the decay reference" in refusal(headers)
    headers[0].Manufacturer = "SIEMENS"
    assert start(headers)[0] > NINE - minutes(50)


def test_a_missing_series_time_is_as_a_rewritten_one():
    for given in (None, "08"):  # an hour names no minute
        moment, _ = start(late(SeriesTime=given, to_offset=0.0))
        assert abs(moment - (NINE - minutes(50))) < timedelta(seconds=0.1)


def test_one_record_alone_is_not_computed_back():
    message = refusal(late(SeriesTime=LATER, to_factor=None))
    assert "the earliest Acquisition Time (0008,0032) and Frame Reference Time (0054,1300) contradict" in message
    assert message.endswith("give decay_reference in --weights_csv")
    message = refusal(late(SeriesTime=LATER, to_offset=None))
    assert "the earliest Acquisition Time (0008,0032) and Decay Factor (0054,1321) contradict" in message


def test_records_that_disagree_are_not_chosen_between():
    headers = late(SeriesTime=LATER)
    headers[0].FrameReferenceTime = 1000 * 2400.0
    message = refusal(headers)
    assert "Frame Reference Time (0054,1300) and Decay Factor (0054,1321) contradict" in message


@pytest.mark.parametrize("system", [{"to_factor": None}, {"to_offset": None}])
def test_a_series_time_that_contradicts_one_record_is_refused(system):
    """The series was opened half an hour before the scan."""
    message = refusal(beds(SeriesTime="083000", **system))
    assert "Series Time (0008,0031) and " in message
    assert "contradict each other about the decay reference: give decay_reference in --weights_csv" in message


@pytest.mark.parametrize("system", [{}, {"to_offset": 0.0}])
def test_a_series_time_that_contradicts_two_records_is_not_used(system):
    for headers in (beds(SeriesTime="083000", **system), beds(1, SeriesTime="083000", **system)):
        assert start(headers) == (NINE, "the earliest Acquisition Time (0008,0032)")
        (note,) = notes(headers)
        assert note == (
            "Series Time (0008,0031) is not used: it contradicts Frame Reference Time (0054,1300) and Decay Factor "
            "(0054,1321)"
        )
    moment, tag = start(late(SeriesTime="083000", Manufacturer="SIEMENS", **system))
    assert abs(moment - (NINE - minutes(50))) < timedelta(seconds=0.1)
    assert tag == "Frame Reference Time (0054,1300) and Decay Factor (0054,1321)"


def test_a_series_time_that_a_private_time_confirms_is_used():
    message = refusal(with_ge(beds(SeriesTime="083000"), "20200102083000"))
    assert "Series Time (0008,0031) and Frame Reference Time (0054,1300) and Decay Factor (0054,1321)" in message
    assert start(with_ge(beds(SeriesTime="083000"), "20200102090000"))[1] == "GE's scan date and time (0009,100D)"


def test_a_series_time_that_nothing_confirms_is_taken_and_noted():
    headers = slices(SeriesTime="083000", FrameReferenceTime=None, DecayFactor=None)
    assert start(headers)[0] == NINE - minutes(30)
    (note,) = notes(headers)
    assert note == "nothing in the headers confirms Series Time (0008,0031), 30 min before the first acquisition"


def test_an_acquisition_that_nothing_confirms_is_taken_and_noted():
    headers = slices(SeriesTime=LATER, FrameReferenceTime=None, DecayFactor=None)
    assert start(headers) == (NINE, "the earliest Acquisition Time (0008,0032)")
    assert "nothing in the headers confirms the earliest Acquisition Time" in notes(headers)[0]


def test_a_private_time_of_ge_or_siemens_names_the_start_where_series_time_was_rewritten():
    for headers, tag in (
        (with_ge(late(SeriesTime=LATER), "20200102081000.00"), "(0009,100D)"),
        (with_siemens(late(SeriesTime=LATER), "20200102081000.000000"), "(0071,1022)"),
    ):
        moment, found = start(headers)
        assert moment == NINE - minutes(50)
        assert tag in found


def test_a_private_time_counts_before_a_reference_time_of_0_alone():
    headers = with_siemens(slices(SeriesTime=LATER, AcquisitionTime="090300"), "20200102090000")
    assert start(headers)[0] == NINE
    assert notes(headers)[0].startswith("Frame Reference Time (0054,1300) is 0 and not used: it contradicts Siemens'")
    headers[0].FrameReferenceTime = headers[1].FrameReferenceTime = headers[2].FrameReferenceTime = 1000
    assert "contradict" in refusal(headers)


def test_a_private_time_may_be_stored_without_its_representation():
    headers = with_ge(late(SeriesTime=LATER), b"20200102081000.00 ", "UN")
    assert start(headers)[0] == NINE - minutes(50)


@pytest.mark.parametrize("date", ["20200101", "20190607", "20200103"])
def test_the_date_of_a_private_time_may_be_shifted(date):
    """De-identification moves the dates of the standard's tags and leaves private ones, or the other way."""
    headers = with_siemens(late(SeriesTime=LATER), f"{date}081000")
    assert start(headers)[0] == NINE - minutes(50)


@pytest.mark.parametrize("value", ["20200102081000", "20200102083000"])
def test_two_clocks_that_contradict_each_other_are_refused(value):
    message = refusal(with_ge(slices(SeriesTime="085930"), value))
    assert "Series Time (0008,0031) and GE's scan date and time (0009,100D) contradict each other by" in message
    assert "give decay_reference" in message


@pytest.mark.parametrize("value", ["20200102091000", "20200102063000"])
def test_a_private_time_that_contradicts_the_acquisitions_is_refused(value):
    """After the first of them, or hours before."""
    message = refusal(with_ge(slices(SeriesTime=LATER), value))
    assert "GE's scan date and time (0009,100D)" in message
    assert "contradict" in message


def test_a_private_time_that_agrees_confirms_series_time():
    headers = with_siemens(slices(FrameReferenceTime=None, DecayFactor=None, SeriesTime="083000"), "20200102083000")
    assert start(headers) == (NINE - minutes(30), "Series Time (0008,0031)")
    assert notes(headers) == ()


@pytest.mark.parametrize("value", ["20200102", "2020010208", "soon"])
def test_a_private_time_that_names_no_minute_is_none(value):
    assert start(with_ge(slices(), value, "LO")) == (NINE, "Series Time (0008,0031)")


def test_a_private_time_without_its_creator_counts_where_the_manufacturer_is_its_own():
    headers = late(SeriesTime=LATER)
    for header in headers:
        header.add_new((0x0071, 0x1022), "DT", "20200102081000")
    assert "(0071,1022)" not in start(headers)[1]
    for header in headers:
        header.Manufacturer = "SIEMENS"
    assert start(headers) == (NINE - minutes(50), "Siemens' decay correction date and time (0071,1022)")


def test_times_count_where_dates_were_removed():
    undated = {"SeriesDate": None, "AcquisitionDate": None}
    assert start(slices(**undated, SeriesTime=LATER))[0] == NINE  # on the date of the study
    assert start(slices(**undated, StudyDate=None, SeriesTime=LATER))[0].time() == NINE.time()


def across_midnight(dates, series_date="20200102", series_time="234000", **tags):
    headers = pet_series(SeriesDate=series_date, SeriesTime=series_time, **tags)[:3]
    for header, date, time in zip(headers, dates, ("234000", "235600", "001200")):
        header.AcquisitionDate, header.AcquisitionTime = date, time
    return headers


@pytest.mark.parametrize(
    "headers",
    [
        across_midnight(["20200102", "20200102", "20200103"]),
        across_midnight(["20200102", "20200102", "20200102"]),
        across_midnight(["20200103", "20200103", "20200103"], "20200103"),
        across_midnight(["20200102", "20200102", "20200102"], "20200103"),
        across_midnight(["20200102", "20200102", "20200102"], series_time="080000"),
        across_midnight([None, None, None]),
    ],
    ids=["right", "never changes", "of the end", "series of the end", "series made later", "no dates"],
)
def test_beds_across_midnight_refer_to_the_first(headers):
    assert start(headers)[0].time() == datetime(2020, 1, 2, 23, 40).time()


def test_a_date_that_did_not_change_is_not_noted():
    unrecorded = {"FrameReferenceTime": None, "DecayFactor": None}
    headers = across_midnight(["20200102", "20200102", "20200102"], "20200103", **unrecorded)
    assert notes(headers) == ()


def test_a_scan_after_midnight_whose_series_began_before_it():
    """List mode from 23:35 on, measured from 0:25 on; the date never changes. Frame Reference Time tells."""
    tags = {"AcquisitionTime": "002500", "SeriesTime": "233500", "FrameReferenceTime": 1000 * (3000 + MEAN)}
    headers = slices(**tags, DecayFactor=f"{2 ** ((3000 + MEAN) / HALF_LIFE):.9f}")
    assert start(headers) == (datetime(2020, 1, 1, 23, 35), "Series Time (0008,0031)")
    unconfirmed = slices(**{**tags, "FrameReferenceTime": None}, DecayFactor=None)
    assert start(unconfirmed)[0] == datetime(2020, 1, 2, 0, 25)


def test_the_study_of_another_date_changes_nothing():
    one, other = (start(slices(study=Study(date=date)))[0].time() for date in ("20200102", "20210304"))
    assert one == other


def dated(**tags):
    return dated_reference(frames(enhanced_pet(**tags)), HALF_LIFE)


def test_an_enhanced_object_names_its_reference():
    assert dated().moment == NINE
    for value in (None, "20200102", "2020010209"):
        with pytest.raises(ImageError, match=r"\(0018,9701\) is missing or has no minutes"):
            dated(DecayCorrectionDateTime=value)


def test_an_enhanced_reference_that_contradicts_the_decay_factors_is_refused():
    assert dated(DecayCorrectionDateTime="20200102081000", DecayFactor=2 ** (3000 / HALF_LIFE)).moment.minute == 10
    with pytest.raises(ImageError, match=r"\(0018,9701\) and Decay Factor \(0054,1321\) contradict"):
        dated(DecayFactor=2 ** (3000 / HALF_LIFE))


def administration(**tags):
    headers = slices(**tags)
    return administration_notes(frames(headers), Frame(radiopharmaceutical()), HALF_LIFE)


def test_decay_factors_of_values_that_are_corrected_to_the_injection():
    assert administration() == ()
    assert administration(DecayFactor=f"{2 ** (3600 / HALF_LIFE):.6f}") == ()
    assert administration(DecayFactor=1.02, AcquisitionTime=None) == ()  # nothing to compare with
    (note,) = administration(DecayFactor=f"{2 ** (MEAN / HALF_LIFE):.6f}")
    assert "Decay Factor (0054,1321) is not that from the injection" in note
