"""The slices of enhanced multi-frame objects."""

import numpy as np
import pytest
from dicom_files import CT_GRID, PET_GRID, TILTED, ct_series, enhanced_ct, enhanced_pet, write
from pydicom.sequence import Sequence

from ct2pet.dicom.frames import series_stack
from ct2pet.dicom.pixels import read_ct
from ct2pet.dicom.tree import scan_tree
from ct2pet.errors import GeometryError, ImageError
from ct2pet.volume import Box, Grid


def only_series(folder):
    (series,) = scan_tree(folder).series
    return series


def test_an_enhanced_object_equals_the_classic_slices(tmp_path):
    order = [int(i) for i in np.random.default_rng(5).permutation(12)]
    write(enhanced_ct(order=order), tmp_path / "enhanced")
    write(ct_series(), tmp_path / "classic")
    enhanced, classic = (read_ct(series_stack(only_series(tmp_path / name))) for name in ("enhanced", "classic"))
    assert enhanced.grid == classic.grid
    np.testing.assert_array_equal(enhanced.array, classic.array)
    assert all(low.max() < high.max() for low, high in zip(enhanced.array, enhanced.array[1:]))


def test_frames_name_their_number_and_their_own_slope(tmp_path):
    grid = Grid(PET_GRID.shape, PET_GRID.spacing, PET_GRID.origin, TILTED)
    write(enhanced_pet(grid=grid), tmp_path)
    placed = series_stack(only_series(tmp_path))
    assert placed.grid.matches(grid)
    assert [item.name for item in placed.slices[:2]] == ["frame 1 of image 1", "frame 2 of image 1"]
    assert len({item.slope for item in placed.slices}) == 9


def test_one_series_in_several_objects(tmp_path):
    _, rows, columns = CT_GRID.shape
    low = CT_GRID.crop(Box((0, 0, 0), (5, rows, columns)))
    high = CT_GRID.crop(Box((5, 0, 0), (12, rows, columns)))
    write(enhanced_ct(grid=high) + enhanced_ct(grid=low), tmp_path)
    assert series_stack(only_series(tmp_path)).grid.matches(CT_GRID)


def test_orientation_and_pixel_size_of_each_frame_count(tmp_path):
    (dataset,) = enhanced_ct()
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        frame.PlaneOrientationSequence = shared.PlaneOrientationSequence
        frame.PixelMeasuresSequence = shared.PixelMeasuresSequence
    del dataset.SharedFunctionalGroupsSequence
    write([dataset], tmp_path)
    assert series_stack(only_series(tmp_path)).grid.matches(CT_GRID)


def test_several_frames_of_one_place(tmp_path):
    write(enhanced_ct(order=[*range(12), 4]), tmp_path)
    with pytest.raises(
        GeometryError, match=r"have the same position, such as frame 5 of image 1 and frame 13 of image 1"
    ):
        series_stack(only_series(tmp_path))


def test_frames_without_a_position(tmp_path):
    (dataset,) = enhanced_ct()
    del dataset.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence
    write([dataset], tmp_path)
    with pytest.raises(GeometryError, match=r"image 1: its ImagePositionPatient is missing"):
        series_stack(only_series(tmp_path))


def test_no_frames_at_all(tmp_path):
    (dataset,) = enhanced_ct()
    dataset.PerFrameFunctionalGroupsSequence = Sequence([])
    write([dataset], tmp_path)
    with pytest.raises(ImageError, match="without its PerFrameFunctionalGroupsSequence"):
        series_stack(only_series(tmp_path))
