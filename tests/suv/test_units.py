"""Units of enhanced objects: real world value mappings, which may differ from the rescaling."""

import numpy as np
import pytest
from dicom_files import BECQUEREL, SUV_BODY_WEIGHT, code, item
from suv_series import AT_START, enhanced, factor, refusal

from ct2pet.suv import suv_factors


def test_enhanced_values_in_suv_are_not_scaled():
    assert factor(enhanced(units=SUV_BODY_WEIGHT)) == pytest.approx(1, rel=1e-12)
    assert factor(enhanced(units=("{SUVbw}g/ml", "UCUM", "SUV"))) == pytest.approx(1, rel=1e-12)
    assert "Units" in refusal(enhanced(units=("{SUVlbm}g/ml", "UCUM", "SUV")))


def test_real_world_values_may_have_another_slope_than_the_rescaling():
    headers = enhanced()
    for frame in headers[0].PerFrameFunctionalGroupsSequence:  # rescaled values are kBq/ml, say
        rescale = frame.PixelValueTransformationSequence[0]
        rescale.RescaleSlope = frame.RealWorldValueMappingSequence[0].RealWorldValueSlope / 1000
    assert suv_factors(headers).factors == pytest.approx(np.full(9, 1000 * AT_START), rel=1e-9)
    rescale.RescaleIntercept = 10
    assert "intercepts" in refusal(headers)


def test_the_scanners_own_suv_is_taken_before_the_activity():
    headers = enhanced(units=BECQUEREL)
    for frame in headers[0].PerFrameFunctionalGroupsSequence:
        mapping = item(RealWorldValueIntercept=0.0)
        mapping.RealWorldValueSlope = 5 * float(frame.RealWorldValueMappingSequence[0].RealWorldValueSlope)
        mapping.MeasurementUnitsCodeSequence = code(*SUV_BODY_WEIGHT)
        frame.RealWorldValueMappingSequence.append(mapping)
    assert suv_factors(headers).factors == pytest.approx(np.full(9, 5.0), rel=1e-9)


def test_enhanced_objects_without_attenuation_correction_are_refused():
    assert "(0018,9759)" in refusal(enhanced(AttenuationCorrected="NO"))
