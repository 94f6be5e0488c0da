import numpy as np
import pytest

from ct2pet.phantom import COARSE, make_patient, scan
from ct2pet.phantom.field_of_view import crop_some, cropped


@pytest.fixture(scope="module")
def scanned():
    patient = make_patient(1)
    return patient, scan(patient, COARSE)


def places(volume, axis):
    grid = volume.grid
    return grid.origin[2 - axis] + np.arange(grid.shape[axis]) * grid.spacing[axis]


def test_all_images_show_the_same_box_with_the_voxels_that_they_had(scanned):
    _, volumes = scanned
    low, high = np.array([-100.0, -60.0, 900.0]), np.array([120.0, 80.0, 1050.0])
    part = cropped(volumes, low, high)
    for name in ("ct", "districts", "organs", "pet", "lesions"):
        whole, small = getattr(volumes, name), getattr(part, name)
        kept = [(places(whole, axis) >= low[2 - axis]) & (places(whole, axis) <= high[2 - axis]) for axis in range(3)]
        assert (small.array == whole.array[np.ix_(*kept)]).all()
        for axis in range(3):
            np.testing.assert_allclose(places(small, axis), places(whole, axis)[kept[axis]])


def test_a_box_beside_the_images_cuts_nothing(scanned):
    _, volumes = scanned
    assert cropped(volumes, np.full(3, 5000.0), np.full(3, 6000.0)) is volumes


def test_a_patient_always_has_the_same_field_of_view_and_some_have_a_small_one(scanned):
    _, volumes = scanned
    shapes = [crop_some(volumes, make_patient(seed)).ct.grid.shape for seed in range(12)]
    assert shapes == [crop_some(volumes, make_patient(seed)).ct.grid.shape for seed in range(12)]
    small = [shape for shape in shapes if shape != volumes.ct.grid.shape]
    assert 0 < len(small) < 12
    assert all(n <= 320 / s + 1 for shape in small for n, s in zip(shape, volumes.ct.grid.spacing))
