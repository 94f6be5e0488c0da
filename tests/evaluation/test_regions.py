import numpy as np
import pytest

from ct2pet.errors import GeometryError, ImageError
from ct2pet.evaluation import regions
from ct2pet.volume import Grid, Volume

GRID = Grid((6, 5, 4), (4.0, 3.0, 3.0), (-10.0, 5.0, 100.0))
DISTRICTS = {"head": 1, "trunk": 2}


def volume_of(values, grid=GRID, dtype=np.float32):
    return Volume(np.broadcast_to(np.asarray(values, dtype), grid.shape).copy(), grid)


def district_map_on(grid):
    labels = volume_of(0, grid, np.uint8)
    labels.array[: grid.shape[0] // 2] = 2
    labels.array[grid.shape[0] // 2 :, 1:] = 1
    labels.array[0] = 9
    return labels


def voxels_of(scene, region):
    """Z, Y, X on the grid of the voxels of a region."""
    cut = np.stack(np.unravel_index(scene.partition.region(region), scene.real_part.shape), axis=1)
    return (cut - 1 + scene.box.start).tolist()


def test_regions_are_districts_lesions_and_organs():
    lesions, organs = volume_of(0, dtype=np.uint8), volume_of(0, dtype=np.float32)
    lesions.array[4, 2, 2] = lesions.array[2, 2, 2] = 7
    organs.array[3, 1, 1], organs.array[3, 3, 3] = 5, 300
    organs.array[0, 0, 0] = 6
    named = {"liver": 5, "spleen": 8}
    scene = regions.make_scene(volume_of(1), district_map_on(GRID), DISTRICTS, lesions, organs, named)
    assert list(scene.partition.regions) == [
        *("whole_body", "head", "trunk", "lesions", "lesion:1", "lesion:2"),
        *("organ:liver", "organ:spleen", "organ:6", "organ:300"),
    ]
    assert len(voxels_of(scene, "head")) == 48
    assert len(voxels_of(scene, "trunk")) == 2 * 5 * 4
    assert len(voxels_of(scene, "whole_body")) == 48 + 2 * 5 * 4
    assert not scene.labels[0].any()  # a label that is no district
    assert voxels_of(scene, "lesion:1") == [[2, 2, 2]]
    assert voxels_of(scene, "lesion:2") == [[4, 2, 2]]
    assert sorted(voxels_of(scene, "lesions")) == [[2, 2, 2], [4, 2, 2]]
    organs = ("liver", "spleen", "6", "300")
    assert [voxels_of(scene, f"organ:{name}") for name in organs] == [[[3, 1, 1]], [], [[0, 0, 0]], [[3, 3, 3]]]
    assert scene.real.array.dtype == np.float32
    assert regions.make_scene(volume_of(1), district_map_on(GRID), DISTRICTS).lesions is None


def test_a_cut_has_a_margin_of_one_voxel_on_all_sides():
    scene = regions.make_scene(volume_of(1), district_map_on(GRID), {"trunk": 2})
    assert scene.box.start == (1, 0, 0)
    assert scene.box.stop == (3, 5, 4)
    values = np.arange(120, dtype=np.float32).reshape(GRID.shape)
    found = scene.cut(values)
    np.testing.assert_array_equal(found, np.pad(values, 1, mode="edge")[1:5])
    assert found.shape == scene.real_part.shape == scene.real_peaks.shape == scene.peaks(values).shape


def test_peaks_include_voxels_outside_the_regions():
    real = volume_of(0)
    real.array[4] = 3.0  # beyond the box of the trunk, and inside spheres around its last slice
    scene = regions.make_scene(real, district_map_on(GRID), {"trunk": 2})
    assert scene.real_peaks[2].min() > 0


def test_maps_on_a_finer_grid_come_to_the_pet():
    fine = GRID.with_spacing((2.0, 1.5, 1.5))
    _, here = regions.real_and_labels(volume_of(1), district_map_on(GRID), DISTRICTS)
    labels = district_map_on(GRID)
    fine_map = Volume(labels.array.repeat(2, 0).repeat(2, 1).repeat(2, 2), fine)
    _, there = regions.real_and_labels(volume_of(1), fine_map, DISTRICTS)
    np.testing.assert_array_equal(there, here)


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
    real, _ = regions.real_and_labels(volume_of(1), district_map_on(GRID), {"head": 1})
    np.testing.assert_allclose(regions.on_grid_of(turned, real), fake.array)


def test_images_that_cannot_be_compared_are_refused():
    real = volume_of(1)
    far = Grid(GRID.shape, GRID.spacing, (5000.0, 5.0, 100.0))
    with pytest.raises(GeometryError, match="do not overlap"):
        regions.on_grid_of(volume_of(1, far), real)
    broken = volume_of(1)
    broken.array[1, 1, 1] = np.nan
    with pytest.raises(ImageError, match="prediction"):
        regions.on_grid_of(broken, real)
    with pytest.raises(ImageError, match="real PET"):
        regions.make_scene(broken, district_map_on(GRID), {"head": 1})
    with pytest.raises(ImageError, match="no district"):
        regions.make_scene(real, volume_of(0, dtype=np.uint8), {"head": 1})


def test_groups_of_lesions_are_regions_and_the_lesions_stay_whole():
    lesions = volume_of(0, dtype=np.uint8)
    lesions.array[2, 2, 2], lesions.array[2, 2, 3], lesions.array[4, 2, 2], lesions.array[4, 4, 0] = 1, 2, 2, 3
    groups = {"shown": 1, "hidden": 2}
    scene = regions.make_scene(volume_of(1), district_map_on(GRID), DISTRICTS, lesions, lesion_groups=groups)
    assert [name for name in scene.partition.regions if name.startswith("lesion")] == [
        *("lesions", "lesion:1", "lesion:2", "lesion:3", "lesions_shown", "lesions_hidden")
    ]
    assert voxels_of(scene, "lesions_shown") == [[2, 2, 2]]
    assert sorted(voxels_of(scene, "lesions_hidden")) == [[2, 2, 3], [4, 2, 2]]
    assert sorted(voxels_of(scene, "lesion:1")) == [[2, 2, 2], [2, 2, 3]], "one lesion, although in two groups"
    assert scene.partition.common_voxels("lesion:1", "lesions_hidden") == 1
    assert scene.partition.common_voxels("lesion:3", "lesions_hidden") == 0
