from dataclasses import replace

import numpy as np
import pytest

from ct2pet.phantom.frame import CROTCH, DIAPHRAGM, DIAPHRAGM_REACH, Frame

HEIGHTS = np.linspace(-20, 2000, 300)


def test_the_reference_patient_is_the_reference(standard_patient):
    assert Frame(standard_patient).z_to_reference(HEIGHTS) == pytest.approx(HEIGHTS, abs=1e-3)


def test_heights_go_there_and_back(standard_patient):
    frame = Frame(replace(standard_patient, height_mm=1850.0, leg_share=1.05))
    assert frame.z_from_reference(frame.z_to_reference(HEIGHTS)) == pytest.approx(HEIGHTS, abs=0.01)


def test_long_legs_leave_the_height_as_it_is(standard_patient):
    frame = Frame(replace(standard_patient, leg_share=1.05))
    assert float(frame.z_from_reference(CROTCH)) == pytest.approx(1.05 * CROTCH)
    assert float(frame.z_from_reference(1700.0)) == pytest.approx(1700.0)


def test_a_breath_moves_the_diaphragm_most_and_far_places_not_at_all(standard_patient):
    frame, z = Frame(standard_patient), HEIGHTS.astype(np.float32)
    shift = z - frame.moved(z, 20.0)
    assert shift.max() == pytest.approx(20, abs=0.1)
    assert abs(z[shift.argmax()] - DIAPHRAGM) < 10
    assert (shift[np.abs(z - DIAPHRAGM) > DIAPHRAGM_REACH] == 0).all()
    assert (np.diff(frame.moved(z, 40.0)) > 0).all(), "organs must not be turned inside out"


def test_the_fields_of_view_are_the_usual_ones(standard_patient):
    low, high = Frame(standard_patient).axial_range()
    assert low < 0
    assert high > 1700
    low, high = Frame(replace(standard_patient, field_of_view="thigh")).axial_range()
    assert 500 < low < 750
    assert 1560 < high < 1640
