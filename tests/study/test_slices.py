"""Slices show the lesion where it is, in the unit of the volume, whatever grid the volume has."""

from dataclasses import replace

import numpy as np
import pytest
from disc_slices import disc_slices

from ct2pet.errors import DatasetError
from ct2pet.imageio import write_volume
from ct2pet.study.slices import (
    LabelledCase,
    SliceOptions,
    from_network,
    lesion_slices,
    read_slices,
    shown_range,
    to_network,
)
from ct2pet.volume import Grid, Volume

GRID = Grid((30, 40, 50), (3.0, 2.0, 2.0), (-49.0, -39.0, 10.0))
CENTRE = (11.0, -5.0, 58.0)  # x, y, z in mm
OPTIONS = SliceOptions(size_mm=32.0, pixels=16, per_case=3)


def distance(grid, centre=CENTRE):
    z, y, x = (grid.origin[2 - a] + np.arange(grid.shape[a]) * grid.spacing[a] for a in range(3))
    return np.sqrt(
        (z[:, None, None] - centre[2]) ** 2 + (y[:, None] - centre[1]) ** 2 + (x[None, None, :] - centre[0]) ** 2
    )


def ball(radius=9.0, grid=GRID):
    return Volume((distance(grid) <= radius).astype(np.uint8), grid, "label")


def ramp(grid=GRID):
    """A volume whose value is x + 1000 z."""
    z, _, x = (grid.origin[2 - a] + np.arange(grid.shape[a]) * grid.spacing[a] for a in range(3))
    return Volume(np.broadcast_to(x + 1000 * z[:, None, None], grid.shape).astype(np.float32), grid, "SUV")


def test_the_squares_lie_around_the_lesion_at_even_heights_inside_it():
    found = lesion_slices({"pet": ramp()}, ball(), OPTIONS)
    assert found.shape == (3, 1, 16, 16)
    x = CENTRE[0] + (np.arange(16) - 7.5) * 2.0
    heights = found[:, 0, 0, 0] - x[0]
    low, high = 58 - 9 - 1.5, 58 + 9 + 1.5  # the outer faces of the mask
    expected = low + (np.arange(3) + 0.5) * (high - low) / 3
    np.testing.assert_allclose(heights / 1000, expected, atol=0.02)
    np.testing.assert_allclose(found[1, 0, 3] - 1000 * expected[1], x, atol=0.05)


def test_the_largest_of_several_lesions_is_taken():
    mask = ball().array.copy()
    mask[2:4, 2:5, 2:5] = 1
    both = lesion_slices({"pet": ramp()}, Volume(mask, GRID, "label"), OPTIONS)
    np.testing.assert_array_equal(both, lesion_slices({"pet": ramp()}, ball(), OPTIONS))


def test_the_orientation_of_the_files_does_not_matter():
    flipped = [Volume(v.array[::-1, :, ::-1], v.grid, v.unit) for v in (ramp(), ball())]
    grid = Grid.from_affine(
        GRID.shape, GRID.affine @ np.array([[-1, 0, 0, 49], [0, 1, 0, 0], [0, 0, -1, 29], [0, 0, 0, 1.0]])
    )
    pet, mask = (Volume(v.array, grid, v.unit) for v in flipped)
    np.testing.assert_allclose(
        lesion_slices({"pet": pet}, mask, OPTIONS), lesion_slices({"pet": ramp()}, ball(), OPTIONS), atol=0.1
    )


def test_channels_of_different_grids_show_the_same_place():
    fine = Grid((45, 80, 100), (2.0, 1.0, 1.0), GRID.origin)
    pet, ct = (Volume(np.exp(-distance(grid) / 10).astype(np.float32), grid) for grid in (GRID, fine))
    found = lesion_slices({"pet": pet, "ct": ct}, ball(), OPTIONS)
    np.testing.assert_allclose(found[:, 0], found[:, 1], atol=0.06)


def test_outside_of_the_volume_there_is_no_uptake_and_air():
    mask = np.zeros(GRID.shape, np.uint8)
    mask[14:17, :3, :3] = 1
    ones = Volume(np.ones(GRID.shape, np.float32), GRID)
    found = lesion_slices({"pet": ones, "ct": ones}, Volume(mask, GRID, "label"), OPTIONS)
    assert set(np.unique(found[:, 0, 0])) == {0.0}
    assert set(np.unique(found[:, 1, 0])) == {-1024.0}
    assert found[:, :, -1, -1].min() == 1


def test_without_a_mask_the_middle_is_shown():
    found = lesion_slices({"pet": ramp()}, None, OPTIONS)
    low, high = GRID.bounds
    middle = (low + high) / 2
    assert found[1, 0, 0].mean() == pytest.approx(middle[0] + 1000 * middle[2], abs=1)


def test_an_empty_mask_is_named(tmp_path):
    write_volume(tmp_path / "pet.nii.gz", ramp())
    write_volume(tmp_path / "mask.nii.gz", Volume(np.zeros(GRID.shape, np.uint8), GRID))
    case = LabelledCase("a", "p", 0, {"pet": tmp_path / "pet.nii.gz"}, tmp_path / "mask.nii.gz")
    with pytest.raises(DatasetError, match=r"mask\.nii\.gz: the lesion mask is empty"):
        read_slices([case], ("benign", "malignant"), OPTIONS)


def test_files_become_slices_with_class_and_patient(tmp_path):
    write_volume(tmp_path / "pet.nii.gz", ramp())
    write_volume(tmp_path / "mask.nii.gz", ball())
    files = {"pet": tmp_path / "pet.nii.gz"}
    cases = [
        LabelledCase(name, f"patient_{name}", label, files, tmp_path / "mask.nii.gz") for label, name in enumerate("ab")
    ]
    slices = read_slices(cases, ("benign", "malignant"), OPTIONS)
    assert slices.labels.tolist() == [0] * 3 + [1] * 3
    assert slices.patient_labels() == {"patient_a": 0, "patient_b": 1}
    np.testing.assert_allclose(slices.images[:3], lesion_slices({"pet": ramp()}, ball(), OPTIONS), rtol=1e-5)
    assert slices.of_patients(["patient_b"]).labels.tolist() == [1, 1, 1]


def test_uptake_and_ct_numbers_survive_the_network_scale():
    slices = disc_slices(4, channels=("pet", "ct"))
    images = np.clip(slices.images, [[[0]], [[-1000]]], [[[99]], [[400]]]).astype(np.float32)
    scaled = to_network(images, slices.channels)
    assert scaled[:, 1].min() >= -1
    np.testing.assert_allclose(from_network(scaled, slices.channels), images, rtol=1e-4, atol=1e-3)


def test_pictures_show_a_pet_up_to_its_hottest_voxels_and_a_ct_in_a_fixed_range():
    slices = disc_slices(10, channels=("pet", "ct"))
    low, high = shown_range(slices, "pet")
    share_above = float((slices.images[:, 0] > high).mean())
    assert low == 0.0
    assert 0.003 < share_above < 0.008
    assert shown_range(slices, "ct") == (-1000.0, 400.0)
    cold = replace(slices, images=slices.images * 0.01)
    assert shown_range(cold, "pet") == (0.0, 1.0)  # noise is not stretched to white
