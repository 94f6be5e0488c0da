import numpy as np
import pytest
import SimpleITK as sitk
from label_maps import LABELS, SHAPE, SPACING, label_pair
from scipy.spatial.distance import cdist

from ct2pet.errors import DatasetError, GeometryError, ImageError
from ct2pet.evaluation.label_metrics import label_metrics

# compute_dice, compute_iou, compute_hausdorff_distance (percentile 95) and compute_average_surface_distance (symmetric)
# of MONAI 1.6.1 for ``label_pair``, with spacing
MONAI = {
    "liver": {"dice": 0.741611, "iou": 0.589333, "hd95": 4.690416, "asd": 2.182399},
    "spleen": {"dice": 0.636364, "iou": 0.466667, "hd95": 3.605551, "asd": 2.914865},
    "aorta": {"dice": 0.713513, "iou": 0.554622, "hd95": 5.640847, "asd": 0.970216},
}
CUBE = (slice(4, 8), slice(10, 16), slice(6, 11))


def cubes(shift):
    """A cube of label 3 in both maps, the predicted one moved by ``shift`` voxels along Z."""
    reference = np.zeros(SHAPE, np.uint8)
    reference[CUBE] = 3
    return np.roll(reference, shift, axis=0), reference


@pytest.mark.parametrize("name", LABELS)
def test_all_metrics_are_monais(name):
    found = label_metrics(*label_pair(), LABELS, SPACING)[name]
    assert {metric: found[metric] for metric in MONAI[name]} == pytest.approx(MONAI[name], abs=1e-4)


def test_overlaps_and_volumes_are_simpleitks():
    predicted, reference = label_pair()
    overlaps = sitk.LabelOverlapMeasuresImageFilter()
    overlaps.Execute(*map(sitk.GetImageFromArray, (reference, predicted)))
    shapes = []
    for label_map in (reference, predicted):
        image = sitk.GetImageFromArray(label_map)
        image.SetSpacing(SPACING[::-1])
        shapes.append(sitk.LabelShapeStatisticsImageFilter())
        shapes[-1].Execute(image)
    for name, found in label_metrics(predicted, reference, LABELS, SPACING).items():
        label = LABELS[name]
        assert found["dice"] == pytest.approx(overlaps.GetDiceCoefficient(label), abs=1e-9)
        assert found["iou"] == pytest.approx(overlaps.GetJaccardCoefficient(label), abs=1e-9)
        for side, shape in zip(("real_volume_ml", "fake_volume_ml"), shapes):
            assert found[side] == pytest.approx(shape.GetPhysicalSize(label) / 1000, rel=1e-6)


def test_a_shifted_cube_has_the_numbers_of_its_faces():
    found = label_metrics(*cubes(1), {"cube": 3}, SPACING)["cube"]
    assert found["dice"] == pytest.approx(0.75)
    assert found["iou"] == pytest.approx(0.6)
    assert found["hd95"] == pytest.approx(SPACING[0])  # the far face: 30 of 96 surface voxels
    assert found["real_volume_ml"] == found["fake_volume_ml"] == pytest.approx(120 * 9.0 / 1000)


@pytest.mark.parametrize("seed", range(3))
def test_random_maps_agree_with_all_pairs_of_surface_voxels(seed):
    """Against every distance between two surface voxels, found with loops over the definition."""
    rng = np.random.default_rng(seed)
    predicted, reference = rng.integers(0, 3, (2, 7, 6, 5)).astype(np.int32)
    spacing = (2.5, 0.7, 1.3)
    for name, found in label_metrics(predicted, reference, {"a": 1, "b": 2}, spacing).items():
        points = [surface_points(label_map == {"a": 1, "b": 2}[name], spacing) for label_map in (predicted, reference)]
        distances = cdist(*points)
        directed = distances.min(axis=1), distances.min(axis=0)
        assert found["hd95"] == pytest.approx(max(np.quantile(d, 0.95) for d in directed), abs=1e-9)
        assert found["asd"] == pytest.approx(np.concatenate(directed).mean(), abs=1e-9)


def surface_points(mask, spacing):
    def inside(voxel):
        return all(0 <= i < n for i, n in zip(voxel, mask.shape)) and mask[tuple(voxel)]

    steps = [*np.eye(3, dtype=int), *-np.eye(3, dtype=int)]
    voxels = [voxel for voxel in np.argwhere(mask) if not all(inside(voxel + step) for step in steps)]
    return np.array(voxels) * spacing


def test_equal_maps_are_perfect():
    reference = label_pair()[1]
    for found in label_metrics(reference, reference, LABELS, SPACING).values():
        assert (found["dice"], found["iou"], found["hd95"], found["asd"]) == (1.0, 1.0, 0.0, 0.0)
        assert found["real_volume_ml"] == found["fake_volume_ml"] > 0


def test_the_metrics_of_both_orders_are_the_same_and_the_volumes_change_sides():
    predicted, reference = label_pair()
    forth = label_metrics(predicted, reference, LABELS, SPACING)
    back = label_metrics(reference, predicted, LABELS, SPACING)
    for name in LABELS:
        for metric in ("dice", "iou", "hd95", "asd"):
            assert forth[name][metric] == pytest.approx(back[name][metric], abs=1e-12)
        assert forth[name]["real_volume_ml"] == back[name]["fake_volume_ml"]


def test_a_label_in_neither_map_is_not_counted():
    found = label_metrics(*cubes(1), {"cube": 3, "heart": 5}, SPACING)["heart"]
    volumes = {"real_volume_ml": 0.0, "fake_volume_ml": 0.0}
    assert found == {"dice": None, "iou": None, "hd95": None, "asd": None, **volumes}


@pytest.mark.parametrize("lacking", ["predicted", "reference"])
def test_a_label_that_one_map_lacks_has_no_overlap_and_no_distance(lacking):
    predicted, reference = cubes(1)
    (predicted if lacking == "predicted" else reference)[:] = 0
    found = label_metrics(predicted, reference, {"cube": 3}, SPACING)["cube"]
    volume = pytest.approx(1.08)
    volumes = {"real_volume_ml": volume, "fake_volume_ml": 0.0}
    if lacking == "reference":
        volumes = {"real_volume_ml": 0.0, "fake_volume_ml": volume}
    assert found == {"dice": 0.0, "iou": 0.0, "hd95": None, "asd": None, **volumes}


def test_values_without_a_name_are_background():
    predicted, reference = (label_map.astype(np.int32) for label_map in label_pair())
    expected = label_metrics(predicted, reference, {"spleen": 2}, SPACING)
    for label_map in (predicted, reference):
        label_map[label_map == 1] = -4
        label_map[label_map == 7] = 1_000_000_000
    assert label_metrics(predicted, reference, {"spleen": 2}, SPACING) == expected


def test_maps_of_different_types_are_compared_by_value():
    predicted, reference = label_pair()
    high = {"aorta": 300}
    wide = np.where(reference == 7, 300, 0).astype(np.uint16)
    expected = label_metrics(predicted, reference, LABELS, SPACING)["aorta"]
    assert label_metrics(np.where(predicted == 7, 300, 0), wide, high, SPACING)["aorta"] == expected
    assert label_metrics(predicted, wide, high, SPACING)["aorta"]["dice"] == 0.0  # uint8 cannot hold it


def test_maps_that_cannot_be_compared_are_refused():
    predicted, reference = label_pair()
    with pytest.raises(GeometryError, match=r"\(23, 30, 28\).*\(24, 30, 28\).*one grid"):
        label_metrics(predicted[1:], reference, LABELS, SPACING)
    with pytest.raises(GeometryError, match="three axes"):
        label_metrics(predicted[0], reference[0], LABELS, SPACING)
    with pytest.raises(ImageError, match="reference label map has the type float32"):
        label_metrics(predicted, reference.astype(np.float32), LABELS, SPACING)
    with pytest.raises(DatasetError, match="label 0 of air"):
        label_metrics(predicted, reference, {"air": 0}, SPACING)
