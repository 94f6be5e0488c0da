"""Values are found wherever classic, enhanced and legacy converted objects keep them."""

import pytest
from dicom_files import item
from pydicom.sequence import Sequence
from suv_series import AT_INJECTION, AT_START, enhanced, factor, series


def test_enhanced_activity_is_corrected_to_the_moment_that_it_names():
    assert factor(enhanced()) == pytest.approx(AT_START, rel=1e-12)
    assert factor(enhanced(DecayCorrectionDateTime="20200102071000")) == pytest.approx(AT_INJECTION, rel=1e-12)


def test_enhanced_activity_without_decay_correction():
    # As the classic one: frames of one half-life from 9:00 on, 2e-4 * 2 * 1.386294.
    headers = enhanced(DecayCorrected="NO", DecayCorrectionDateTime=None)
    for frame in headers[0].PerFrameFunctionalGroupsSequence:
        frame.FrameContentSequence[0].FrameAcquisitionDuration = 6600000.0
    assert factor(headers) == pytest.approx(5.545177e-4, rel=1e-6)


def test_legacy_converted_objects_keep_their_values_in_unassigned_groups():
    classic = series()[0]
    moved = ("Units", "DecayCorrection", "CorrectedImage", "RadiopharmaceuticalInformationSequence")
    headers = enhanced(DecayCorrected=None, DecayCorrectionDateTime=None, AcquisitionDateTime=None)
    headers[0].SeriesDate, headers[0].SeriesTime = "20200102", "090000"
    shared = item(**{keyword: classic.get(keyword) for keyword in moved})
    headers[0].SharedFunctionalGroupsSequence[0].UnassignedSharedConvertedAttributesSequence = Sequence([shared])
    del headers[0].RadiopharmaceuticalInformationSequence
    for frame in headers[0].PerFrameFunctionalGroupsSequence:
        del frame.RealWorldValueMappingSequence
        del frame.FrameContentSequence[0].FrameAcquisitionDateTime
        own = item(AcquisitionDate="20200102", AcquisitionTime="090000")
        frame.UnassignedPerFrameConvertedAttributesSequence = Sequence([own])
    assert factor(headers) == pytest.approx(AT_START, rel=1e-12)
