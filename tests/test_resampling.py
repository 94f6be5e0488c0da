import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from ct2pet.resampling import AIR_HU, resample, resample_part, to_itk
from ct2pet.volume import Grid, Volume

OBLIQUE = tuple(Rotation.from_euler("zyx", (20, -15, 10), degrees=True).as_matrix().ravel().tolist())
FLIPPED = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
SOURCE = Grid((12, 14, 16), (3.0, 2.0, 1.5), (-10.0, -12.0, -14.0))
TARGETS = {
    "finer": SOURCE.with_spacing((1.7, 1.1, 1.3)),
    "coarser": SOURCE.with_spacing((5.0, 4.0, 3.0)),
    "oblique inside": Grid((6, 6, 6), (1.0, 1.0, 1.0), (-1.0, -2.0, 1.0), OBLIQUE),
    "oblique beyond": Grid((20, 20, 20), (3.0, 3.0, 3.0), (-30.0, -20.0, -25.0), OBLIQUE),
    "flipped": Grid((10, 12, 9), (2.0, 2.0, 2.0), (9.0, 11.0, -10.0), FLIPPED),
    "elsewhere": Grid((4, 4, 4), (1.0, 1.0, 1.0), (200.0, 200.0, 200.0)),
}


def noise(grid, seed=0):
    return Volume(np.random.default_rng(seed).normal(size=grid.shape).astype(np.float32) * 500, grid, "HU")


def indices_in(source, target):
    """Where the voxels of ``target`` lie in ``source``, as array indices (3, Z, Y, X)."""
    z, y, x = np.indices(target.shape)
    index = np.stack([x, y, z, np.ones_like(x)]).reshape(4, -1)
    inside = np.linalg.inv(source.affine) @ target.affine @ index
    return inside[2::-1].reshape(3, *target.shape)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_trilinear_agrees_with_scipy(target):
    volume = noise(SOURCE)
    indices = indices_in(SOURCE, target)
    expected = map_coordinates(volume.array.astype(float), indices, order=1, mode="nearest")
    last = np.array(SOURCE.shape).reshape(3, 1, 1, 1) - 1
    within = ((indices >= 0) & (indices <= last)).all(axis=0)
    beyond = ((indices < -0.51) | (indices > last + 0.51)).any(axis=0)
    resampled = resample(volume, target, outside=AIR_HU)
    assert resampled.array.dtype == np.float32
    assert resampled.grid == target
    assert resampled.unit == "HU"
    np.testing.assert_allclose(resampled.array[within], expected[within], atol=0.05)
    assert (resampled.array[beyond] == AIR_HU).all()


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_labels_agree_with_scipy_and_no_new_one_appears(target):
    labels = np.random.default_rng(1).choice(np.array([0, 3, 7, 200], np.uint8), size=SOURCE.shape)
    indices = indices_in(SOURCE, target)
    expected = map_coordinates(labels, indices, order=0, mode="nearest")
    last = np.array(SOURCE.shape).reshape(3, 1, 1, 1) - 1
    within = ((indices > -0.49) & (indices < last + 0.49)).all(axis=0)
    between = (np.abs(indices - np.floor(indices) - 0.5) < 1e-3).any(axis=0)  # either neighbour is right
    resampled = resample(Volume(labels, SOURCE), target, labels=True).array
    assert resampled.dtype == np.uint8
    assert set(np.unique(resampled)) <= {0, 3, 7, 200}
    np.testing.assert_array_equal(resampled[within & ~between], expected[within & ~between])


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_constant_in_constant_out_to_the_outer_faces(target):
    volume = Volume(np.full(SOURCE.shape, -123.0, np.float32), SOURCE)
    indices = indices_in(SOURCE, target)
    end = np.array(SOURCE.shape).reshape(3, 1, 1, 1) - 0.5
    within = ((indices > -0.499) & (indices < end - 0.001)).all(axis=0)
    array = resample(volume, target, outside=999.0).array
    np.testing.assert_allclose(array[within], -123.0, rtol=1e-6)


def test_resampling_reproduces_a_linear_ramp():
    slope = np.array([3.0, -2.0, 5.0])

    def ramp(grid):
        z, y, x = np.indices(grid.shape)
        points = np.stack([x, y, z, np.ones_like(x)], axis=-1) @ grid.affine.T
        return (points[..., :3] @ slope).astype(np.float32)

    target = TARGETS["oblique inside"]
    array = resample(Volume(ramp(SOURCE), SOURCE), target).array
    np.testing.assert_allclose(array, ramp(target), atol=1e-3)


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_part_is_resampled_as_the_whole(target, labels):
    volume = noise(SOURCE)
    whole = resample(volume, target, labels=labels, outside=-7.0)
    part = resample_part(volume, target, labels=labels, outside=-7.0)
    assert part.grid == target
    np.testing.assert_allclose(part.array, whole.array, atol=0.05)


def test_matching_grids_leave_the_values_untouched():
    volume = Volume(np.arange(np.prod(SOURCE.shape), dtype=np.int16).reshape(SOURCE.shape), SOURCE)
    nearly = Grid.from_affine(SOURCE.shape, SOURCE.affine.astype(np.float32))
    resampled = resample(volume, nearly)
    assert resampled.array is volume.array
    assert resampled.grid is nearly


def test_integers_are_interpolated_between():
    volume = Volume(np.array([[[0, 1]]], np.int16), Grid((1, 1, 2), (1.0, 1.0, 1.0)))
    middle = resample(volume, Grid((1, 1, 1), (1.0, 1.0, 1.0), (0.5, 0.0, 0.0)))
    assert middle.array.item() == pytest.approx(0.5)


def test_masks_and_half_floats_keep_their_type_as_labels_and_become_float32_otherwise():
    target = TARGETS["finer"]
    for dtype in (bool, np.float16):
        volume = Volume((noise(SOURCE).array > 0).astype(dtype), SOURCE)
        assert resample(volume, target, labels=True).array.dtype == dtype
        assert resample(volume, target).array.dtype == np.float32


def test_the_itk_image_has_the_position_of_the_volume():
    volume = noise(Grid((3, 4, 5), (3.0, 2.0, 1.0), (1.0, 2.0, 3.0), OBLIQUE))
    image = to_itk(volume)
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((4, 3, 2)), (volume.grid.affine @ [4, 3, 2, 1])[:3])
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.array)
