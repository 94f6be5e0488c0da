import numpy as np
import pytest

from ct2pet.errors import GeometryError, ImageError
from ct2pet.evaluation import regions
from ct2pet.volume import Grid, Volume

GRID = Grid((6, 5, 4), (4.0, 3.0, 3.0), (-10.0, 5.0, 100.0))


def volume_of(values, grid=GRID, dtype=np.float32):
    return Volume(np.broadcast_to(np.asarray(values, dtype), grid.shape).copy(), grid)


def district_map_on(grid):
    labels = volume_of(0, grid, np.uint8)
    labels.array[: grid.shape[0] // 2] = 2
    labels.array[grid.shape[0] // 2 :, 1:] = 1
    labels.array[0] = 9
    return labels


def test_regions_are_the_districts_and_their_union():
    lesions = volume_of(0, dtype=np.uint8)
    lesions.array[4, 2, 2] = 7
    real, masks = regions.real_and_regions(volume_of(1), district_map_on(GRID), {"head": 1, "trunk": 2}, lesions)
    assert list(masks) == ["whole_body", "head", "trunk", "lesions"]
    np.testing.assert_array_equal(masks["whole_body"], masks["head"] | masks["trunk"])
    assert not (masks["head"] & masks["trunk"]).any()
    assert not masks["whole_body"][0].any()  # a label that is no district
    assert masks["trunk"].sum() == 2 * 5 * 4
    assert np.argwhere(masks["lesions"]).tolist() == [[4, 2, 2]]
    assert real.array.dtype == np.float32
    assert set(regions.picked_regions(masks, ["head"])) == {"head"}


def test_maps_on_a_finer_grid_come_to_the_pet():
    fine = GRID.with_spacing((2.0, 1.5, 1.5))
    _, here = regions.real_and_regions(volume_of(1), district_map_on(GRID), {"head": 1, "trunk": 2})
    labels = district_map_on(GRID)
    fine_map = Volume(labels.array.repeat(2, 0).repeat(2, 1).repeat(2, 2), fine)
    _, there = regions.real_and_regions(volume_of(1), fine_map, {"head": 1, "trunk": 2})
    for name, mask in here.items():
        np.testing.assert_array_equal(there[name], mask)


def test_prediction_on_another_grid_is_interpolated_linearly():
    real = volume_of(0)
    fine = GRID.with_spacing((2.0, 1.5, 1.5))
    z = fine.origin[2] + np.arange(fine.shape[0]) * 2.0
    fake = volume_of(z[:, None, None], fine)
    expected = GRID.origin[2] + np.arange(6) * 4.0
    found = regions.on_grid_of(fake, real)
    np.testing.assert_allclose(found[:, 2, 2], expected, rtol=1e-6)


def test_stored_orientation_changes_nothing():
    rng = np.random.default_rng(0)
    fake = Volume(rng.random(GRID.shape).astype(np.float32), GRID)
    flipped = Grid(GRID.shape, GRID.spacing, (-10.0 + 3 * 3.0, 5.0, 100.0), (-1, 0, 0, 0, 1, 0, 0, 0, 1))
    turned = Volume(np.ascontiguousarray(fake.array[:, :, ::-1]), flipped)
    real, _ = regions.real_and_regions(volume_of(1), district_map_on(GRID), {"head": 1})
    np.testing.assert_allclose(regions.on_grid_of(turned, real), fake.array)


def test_what_cannot_be_compared_is_refused():
    real = volume_of(1)
    far = Grid(GRID.shape, GRID.spacing, (5000.0, 5.0, 100.0))
    with pytest.raises(GeometryError, match="do not overlap"):
        regions.on_grid_of(volume_of(1, far), real)
    broken = volume_of(1)
    broken.array[1, 1, 1] = np.nan
    with pytest.raises(ImageError, match="prediction"):
        regions.on_grid_of(broken, real)
    with pytest.raises(ImageError, match="real PET"):
        regions.real_and_regions(broken, district_map_on(GRID), {"head": 1})
    with pytest.raises(ImageError, match="no district"):
        regions.real_and_regions(real, volume_of(0, dtype=np.uint8), {"head": 1})
