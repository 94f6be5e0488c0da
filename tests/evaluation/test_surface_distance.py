import numpy as np
import pytest
import SimpleITK as sitk
from label_maps import LABELS, SHAPE, SPACING, ellipsoid, label_pair
from scipy.ndimage import binary_erosion, distance_transform_edt

from ct2pet.evaluation.surface_distance import (
    average_surface_distance,
    hausdorff_95,
    label_surfaces,
    surface_distances,
)


def surface_masks(label_map, labels):
    masks = {label: np.zeros(label_map.shape, bool) for label in labels}
    for label, voxels in label_surfaces(label_map, labels).items():
        assert np.all(np.diff(voxels) > 0)
        masks[label].ravel()[voxels] = True
    return masks


@pytest.mark.parametrize("planes", [1, 15, 16, 17, 40])
def test_surfaces_are_what_an_erosion_by_the_face_neighbours_removes(planes):
    """For any number of planes, as the map is read in slabs; values without a label in the list change nothing."""
    label_map = np.random.default_rng(planes).integers(0, 3, (planes, 12, 14)).repeat(3, axis=1).astype(np.int16)
    label_map[:, 6:30, 2:12] = 2
    label_map[0, 0, 0] = -1
    for label, mask in surface_masks(label_map, [2, 1, 9]).items():
        own = label_map == label
        np.testing.assert_array_equal(mask, own & ~binary_erosion(own))


def test_surfaces_are_simpleitks_label_contours():
    """In an image with a border of background, since SimpleITK takes no voxel as surface for lying at the border."""
    label_map = np.pad(label_pair()[1], 1)
    contour = sitk.LabelContour(sitk.GetImageFromArray(label_map), fullyConnected=False)
    expected = sitk.GetArrayFromImage(contour)
    for label, mask in surface_masks(label_map, list(LABELS.values())).items():
        np.testing.assert_array_equal(mask, expected == label)


def test_a_map_in_another_memory_order_has_the_same_surfaces():
    label_map = label_pair()[0]
    flipped = np.asfortranarray(label_map[::-1])[::-1]
    for label, voxels in label_surfaces(flipped, [1, 2]).items():
        np.testing.assert_array_equal(voxels, label_surfaces(label_map, [1, 2])[label])


@pytest.mark.parametrize("label", LABELS.values())
def test_distances_are_those_of_a_distance_map(label):
    first, second = (surface_masks(label_map, [label])[label] for label_map in label_pair())
    found = surface_distances(np.flatnonzero(first), np.flatnonzero(second), SHAPE, SPACING)
    for distances, source, target in zip(found, (first, second), (second, first)):
        expected = distance_transform_edt(~target, sampling=SPACING)[source]
        np.testing.assert_allclose(distances, expected, atol=1e-9)


def test_distances_are_those_of_simpleitks_distance_map():
    first, second = (surface_masks(label_map, [1])[1] for label_map in label_pair())
    image = sitk.GetImageFromArray(second.astype(np.uint8))
    image.SetSpacing(SPACING[::-1])
    distance_map = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    expected = np.abs(sitk.GetArrayFromImage(distance_map))[first]
    found, _ = surface_distances(np.flatnonzero(first), np.flatnonzero(second), SHAPE, SPACING)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_spheres_of_two_radii_are_their_difference_apart():
    small, large = (ellipsoid((20, 20, 20), (radius,) * 3, (41, 41, 41)).astype(np.uint8) for radius in (9, 15))
    surfaces = [label_surfaces(one, [1])[1] for one in (small, large)]
    distances = surface_distances(*surfaces, (41, 41, 41), (2.0, 2.0, 2.0))
    assert average_surface_distance(distances) == pytest.approx(12.0, abs=0.7)
    assert hausdorff_95(distances) == pytest.approx(12.0, abs=2.0)


def test_the_percentile_is_taken_of_each_direction_and_the_mean_of_both_together():
    directed = (np.linspace(0.0, 1.0, 21), np.array([5.0, 7.0]))
    assert hausdorff_95(directed) == pytest.approx(6.9)
    assert hausdorff_95(directed[::-1]) == pytest.approx(6.9)
    assert average_surface_distance(directed) == pytest.approx((21 * 0.5 + 12.0) / 23)


def test_a_surface_has_no_distance_to_itself():
    voxels = label_surfaces(label_pair()[0], [1])[1]
    for directed in surface_distances(voxels, voxels, SHAPE, SPACING):
        assert directed.shape == voxels.shape
        assert not directed.any()
