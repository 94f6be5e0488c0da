"""Overlap, distances and uptake of predicted organs, also where the true map or the prediction lie on other grids."""

import numpy as np
import pytest
import SimpleITK as sitk
from two_targets import ORGANS as TWO_ORGANS
from two_targets import write_two_target_dataset

from ct2pet.dataset import Field, RawDataset, update_dataset_json
from ct2pet.errors import CasesFailed
from ct2pet.evaluation.evaluator import evaluate_predictions
from ct2pet.evaluation.label_evaluation import label_regions, uptake_regions
from ct2pet.evaluation.references import References
from ct2pet.evaluation.summary_file import read_summary
from ct2pet.imageio import read_volume, write_volume
from ct2pet.volume import Grid, Volume

COARSE = Grid(shape=(8, 8, 8), spacing=(4.0, 4.0, 4.0), origin=(0.0, 0.0, 0.0))
FINE = Grid(shape=(16, 16, 16), spacing=(2.0, 2.0, 2.0), origin=(-1.0, -1.0, -1.0))  # the same box
ORGANS = Field("organs", "target", "labels", labels={"liver": 1, "spleen": 2})


def organ_map(grid, start, size, label=1):
    array = np.zeros(grid.shape, dtype=np.uint8)
    array[tuple(slice(start, start + size) for _ in range(3))] = label
    return Volume(array, grid, "label")


def pet(grid, inside, outside=1.0, start=0, size=0):
    array = np.full(grid.shape, outside, dtype=np.float32)
    array[tuple(slice(start, start + size) for _ in range(3))] = inside
    return Volume(array, grid, "SUV")


def test_a_map_of_half_the_spacing_is_the_same_organ():
    found = label_regions(organ_map(FINE, 4, 8), organ_map(COARSE, 2, 4), ORGANS)
    assert found["organ:liver"]["dice"] == 1
    assert found["organ:liver"]["real_volume_ml"] == pytest.approx(4.096)
    assert found["organ:spleen"]["dice"] is None


def test_the_uptake_is_that_of_the_predicted_organ_on_the_predicted_pet():
    real = pet(COARSE, 4.0, start=2, size=4), organ_map(COARSE, 2, 4)
    fake = pet(COARSE, 4.0, start=2, size=4), organ_map(FINE, 4, 4)  # an eighth of the organ, the right SUV
    found = uptake_regions(fake, real, ORGANS)["organ:liver"]
    assert found["predicted_organ_suv_mean_bias"] == 0
    larger = pet(COARSE, 4.0, start=2, size=4), organ_map(COARSE, 0, 8)  # the whole box: 64 voxels of 4, 448 of 1
    found = uptake_regions(larger, real, ORGANS)["organ:liver"]
    assert found["fake_suv_mean_predicted_organ"] == pytest.approx((64 * 4 + 448) / 512)
    assert found["predicted_organ_suv_mean_bias"] == pytest.approx(100 * ((64 * 4 + 448) / 512 / 4 - 1))
    assert found["predicted_organ_suv_max_bias"] == 0


def test_an_organ_that_was_not_predicted_has_no_bias():
    real = pet(COARSE, 4.0, start=2, size=4), organ_map(COARSE, 2, 4)
    found = uptake_regions((real[0], organ_map(COARSE, 2, 4, label=2)), real, ORGANS)
    assert found["organ:liver"]["predicted_organ_suv_mean_bias"] is None
    assert found["organ:spleen"]["predicted_organ_suv_mean_bias"] is None


def evaluated(dataset, predictions, **options):
    return evaluate_predictions(predictions, References.from_dataset(dataset), **options)


def surface_distances(one, other):
    """From each surface voxel of one mask (images of SimpleITK) to the surface of the other, in mm."""
    contours = [sitk.LabelContour(mask, fullyConnected=False) for mask in (one, other)]
    distance = sitk.SignedMaurerDistanceMap(contours[1], squaredDistance=False, useImageSpacing=True)
    return np.abs(sitk.GetArrayFromImage(distance))[sitk.GetArrayFromImage(contours[0]) > 0]


@pytest.mark.parametrize("with_pet", [True, False])
def test_labels_have_the_overlaps_and_distances_of_simpleitk(tmp_path, with_pet):
    dataset = write_two_target_dataset(tmp_path, tmp_path / "out")
    if not with_pet:
        targets = {"organs": {"kind": "labels", "labels": TWO_ORGANS}}
        update_dataset_json(dataset.folder, targets=targets)
        dataset = RawDataset(dataset.folder)
        for case in "ab":
            (tmp_path / "out" / f"{case}_PET.nii.gz").unlink()
            (tmp_path / "out" / f"{case}_organs.nii.gz").rename(tmp_path / "out" / f"{case}.nii.gz")
    path = tmp_path / "summary.json"
    summary = evaluated(dataset, tmp_path / "out", output=path)
    assert read_summary(path) == summary
    for case, regions in summary["cases"].items():
        assert {*regions} == ({"whole_body"} if with_pet else set()) | {"organ:liver", "organ:spleen"}
        name = f"{case}_organs.nii.gz" if with_pet else f"{case}.nii.gz"
        fake, real = (
            sitk.ReadImage(str(path)) for path in (tmp_path / "out" / name, dataset.path("organs", case, "Ts"))
        )
        overlaps = sitk.LabelOverlapMeasuresImageFilter()
        overlaps.Execute(real, fake)
        for organ, label in TWO_ORGANS.items():
            found = regions[f"organ:{organ}"]
            assert ("mae" in found) == with_pet
            assert found["dice"] == pytest.approx(overlaps.GetDiceCoefficient(label), abs=1e-6)
            assert found["iou"] == pytest.approx(overlaps.GetJaccardCoefficient(label), abs=1e-6)
            there, back = (
                surface_distances(fake == label, real == label),
                surface_distances(real == label, fake == label),
            )
            assert found["hd95"] == pytest.approx(max(np.quantile(there, 0.95), np.quantile(back, 0.95)), abs=1e-4)
            assert found["asd"] == pytest.approx(np.concatenate([there, back]).mean(), abs=1e-4)
            assert 0 < found["dice"] < 1


def test_a_label_map_of_any_type_is_read_as_labels_and_other_values_are_named(tmp_path):
    dataset = write_two_target_dataset(tmp_path, tmp_path / "out")
    expected = evaluated(dataset, tmp_path / "out")["cases"]
    path = tmp_path / "out" / "b_organs.nii.gz"
    organs = read_volume(path)
    write_volume(path, organs.with_array(organs.array.astype(np.float32)))
    assert evaluated(dataset, tmp_path / "out")["cases"] == expected
    for array, message in (
        (organs.array * np.float32(0.5), "not labels"),
        (organs.array * 3, r"label\(s\) 3, 6 are not in"),
    ):
        write_volume(path, organs.with_array(array))
        with pytest.raises(CasesFailed, match=rf"b_organs\.nii\.gz: .*{message}") as caught:
            evaluated(dataset, tmp_path / "out")
        assert list(caught.value.failures) == ["b"]
