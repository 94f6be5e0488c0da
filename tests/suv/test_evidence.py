"""What the frames of a series record of their decay reference, and by how much it may differ (see ``suv_beds``)."""

from datetime import timedelta

import pytest
from suv_beds import HALF_LIFE, LATER, MEAN, NINE, beds, notes, refusal, slices, start, with_ge

from ct2pet.errors import ImageError
from ct2pet.suv.evidence import Evidence, Meaning, agreement, describe, frame_times
from ct2pet.suv.header import frames
from ct2pet.suv.reference import decay_reference


def test_the_bounds():
    assert agreement(6586.2) == 60
    assert agreement(4062.6) == pytest.approx(40.626)  # gallium-68
    assert agreement(76.0) == 1


def test_the_recorded_frame_times_give_start_delay_and_meaning():
    times = frame_times(frames(beds(first=600.0)), HALF_LIFE)
    assert times.first == NINE
    assert times.delay == pytest.approx(MEAN, abs=1e-3)
    assert [each.offset for each in times.recorded] == pytest.approx([600 + MEAN] * 2, abs=1e-3)
    assert times.meaning is Meaning.FRAME
    assert frame_times(frames(beds(to_offset=None, to_factor=None)), HALF_LIFE).recorded == ()
    assert frame_times(frames(beds(1)), HALF_LIFE).meaning is Meaning.OPEN


def test_an_offset_may_count_to_the_start_or_the_mean_of_a_frame():
    evidence = Evidence("", 600.0, (0.0, 300.0))
    supported = [evidence.supports(NINE - timedelta(seconds=passed), NINE, 1.0) for passed in (600, 450, 300, 0)]
    assert supported == [True, False, True, False]


def test_distances_in_words():
    assert describe(timedelta(seconds=-90)) == "90 s"
    assert describe(timedelta(minutes=50)) == "50 min"


def test_a_first_frame_at_the_reference_contradicts_an_earlier_series_time():
    """Frame Reference Time 0 of a single bed is a value."""
    assert "Frame Reference Time (0054,1300) contradict" in refusal(slices(SeriesTime="083000"))


@pytest.mark.parametrize("seconds", [59, 61])
def test_times_agree_within_a_minute(seconds):
    clock = (NINE - timedelta(seconds=seconds)).strftime("%H%M%S")
    headers = slices(SeriesTime=clock)
    if seconds < 60:
        assert start(headers)[0] == NINE - timedelta(seconds=seconds)
    else:
        assert "contradict" in refusal(headers)


def test_times_of_a_short_lived_nuclide_agree_within_a_hundredth_of_its_half_life():
    """Of rubidium-82 (76 s) a second is 0.9% of SUV."""
    headers = slices(SeriesTime="085957", DecayFactor=None, ActualFrameDuration=None)
    assert decay_reference(frames(headers), HALF_LIFE).moment == NINE - timedelta(seconds=3)
    with pytest.raises(ImageError, match="contradict"):
        decay_reference(frames(headers), 76.0)


def test_frames_whose_distances_contradict_each_other_are_refused():
    headers = beds()
    headers[2].AcquisitionTime = "093000"
    message = refusal(headers)
    assert "Acquisition Time (0008,0032) and Frame Reference Time (0054,1300) contradict each other" in message
    headers = beds()
    headers[1].DecayFactor = 1.3
    assert "Decay Factor (0054,1321) contradict each other" in refusal(headers)


def test_planes_that_two_beds_share_may_have_the_times_of_either():
    headers = beds()
    headers[1].FrameReferenceTime = 1000 * (120 + MEAN)
    headers[1].DecayFactor = 2 ** ((120 + MEAN) / HALF_LIFE)
    assert start(headers)[0] == NINE


def test_an_invalid_decay_factor_is_refused():
    assert "Decay Factor (0054,1321) is not above 0" in refusal(slices(DecayFactor=-1.0))
    assert "Decay Factor (0054,1321) is not above 0" in refusal(slices(DecayFactor=0.0))


def test_one_acquisition_time_in_all_beds_is_that_of_the_scan():
    """As an old system of GE writes it: the beds differ in Frame Reference Time and Decay Factor."""
    headers = beds(to_offset=0.0)
    for header in headers:
        header.AcquisitionTime = "090000"
    assert start(headers)[0] == NINE
    for header in headers:
        header.SeriesTime = LATER
    assert start(headers)[0] == NINE


def at_one_distance(**tags):
    """Slices of one bed, 18 minutes after the start of a scan whose time stands in all of them, as systems of GE write
    it: of 51 soft-tissue sarcoma PETs of a Discovery ST 11 have such times."""
    headers = beds(1, first=1098.0, to_offset=0.0, **tags)
    assert headers[0].AcquisitionTime == headers[0].SeriesTime == "090000"
    return headers


def test_a_time_that_ge_writes_into_all_frames_is_that_of_the_scan():
    headers = at_one_distance(Manufacturer="GE MEDICAL SYSTEMS")
    assert start(headers) == (NINE, "Series Time (0008,0031)")
    assert notes(headers) == ("Acquisition Time (0008,0032) is used as that of the whole scan, as written by GE",)
    headers[0].SeriesTime = LATER
    assert "Acquisition Time (0008,0032) and Frame Reference Time (0054,1300)" in refusal(headers)
    assert start(with_ge(headers, "20200102090000"))[0] == NINE


def test_frames_at_several_distances_whose_times_are_one_count_from_it():
    headers = beds(3, first=1098.0, to_offset=0.0)
    for header in headers:
        header.AcquisitionTime = "090000"
    assert frame_times(frames(headers), HALF_LIFE).meaning is Meaning.SCAN
    assert start(headers) == (NINE, "Series Time (0008,0031)")
    for header in headers:
        header.SeriesTime = LATER
    assert start(headers)[0] == NINE


def test_an_ambiguous_time_of_scan_or_frame_is_decided_by_the_manufacturer():
    """Series Time 9:00 is that of the acquisition; 18 minutes lie between the frame and the reference."""
    assert "Series Time (0008,0031) and Frame Reference Time (0054,1300)" in refusal(at_one_distance())
    headers = beds(1, first=1098.0, Manufacturer="SIEMENS")
    assert abs(start(headers)[0] - (NINE - timedelta(seconds=1098))) < timedelta(seconds=0.1)
