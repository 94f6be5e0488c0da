"""Nothing of a district without a model is compared with a prediction that does not exist."""

from dataclasses import replace

import numpy as np
import pytest
from two_targets import ORGANS, two_input_case, write_two_target_dataset

from ct2pet.dataset import RawDataset, update_dataset_json
from ct2pet.evaluation.evaluator import evaluate_predictions
from ct2pet.evaluation.left_out import LeftOut
from ct2pet.evaluation.references import Reference, References
from ct2pet.imageio import read_volume, write_volume
from ct2pet.volume import Grid, Volume

GRID = Grid((12, 10, 8), (4.0, 4.0, 4.0))
FINE = Grid((24, 20, 16), (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0))  # the same box
DISTRICTS = {"head": 1, "trunk": 2}


def box(value, z, y=(2, 8), x=(2, 6), dtype=np.uint8):
    array = np.zeros(GRID.shape, dtype)
    array[slice(*z), slice(*y), slice(*x)] = value
    return array


def write_case(folder, lesions, organs):
    """A trunk (planes 2 to 5) that is predicted without an error, and a head (6 to 9) without a model."""
    labels = box(2, (2, 6)) + box(1, (6, 10))
    real = np.where(labels > 0, 2, 0).astype(np.float32)
    real[lesions > 0] = 6.0
    fake = np.where(labels == 1, 0, real).astype(np.float32)
    arrays = {"fake": fake, "real": real, "maps": labels, "lesions": lesions, "organs": organs}
    for kind, array in arrays.items():
        write_volume(folder / kind / "a.nii.gz", Volume(array, GRID))
    write_volume(folder / "fake" / "not_predicted" / "a.nii.gz", Volume(box(1, (6, 10)), GRID, "label"))


def evaluated(folder, **changes):
    paths = [folder / kind / "a.nii.gz" for kind in ("real", "maps", "lesions", "organs")]
    references = References({"a": Reference(*paths)}, DISTRICTS, organs={"brain": 1, "liver": 2})
    return evaluate_predictions(folder / "fake", replace(references, **changes))


def test_lesions_and_organs_of_a_district_without_a_model_are_left_out(tmp_path):
    lesions = box(1, (3, 4), (4, 5), (3, 5)) + box(1, (8, 9), (4, 5), (3, 5))
    write_case(tmp_path, lesions, box(1, (7, 9)) + box(2, (3, 5)))
    summary = evaluated(tmp_path)
    assert summary["provenance"]["not_predicted"] == {"a": ["head"]}
    assert [lesion["district"] for lesion in summary["lesions"]["a"]] == ["trunk"]
    regions = summary["cases"]["a"]
    for region in ("trunk", "lesions", "organ:liver"):
        assert (regions[region]["mae"], regions[region]["suv_mean_bias"]) == (0, 0), region
    assert {regions["organ:brain"][metric] for metric in ("mae", "suv_mean_bias", "real_suv_mean")} == {None}
    assert summary["detection"]["lesions"] == 1
    curves = summary["detection"]["curves"]
    assert curves["prediction"]["sensitivity"] == curves["real"]["sensitivity"]
    assert summary["agreement"]["prediction"]["each_lesion"]["suv_max"]["n"] == 1


def test_of_a_lesion_in_two_districts_the_predicted_voxels_are_evaluated(tmp_path):
    write_case(tmp_path, box(1, (5, 8), (4, 5), (3, 5)), box(2, (3, 5)))
    summary = evaluated(tmp_path)
    (lesion,) = summary["lesions"]["a"]
    assert lesion["volume_ml"] == pytest.approx(2 * GRID.voxel_ml)
    assert lesion["suv_mean_bias"] == 0
    assert summary["cases"]["a"]["lesions"]["real_suv_mean"] == 6.0


def test_only_lesions_without_a_prediction_make_a_mask_without_lesions(tmp_path):
    write_case(tmp_path, box(1, (8, 9), (4, 5), (3, 5)), box(2, (3, 5)))
    summary = evaluated(tmp_path)
    assert summary["lesions"]["a"] == []
    assert summary["cases"]["a"]["lesions"]["mae"] is None
    assert (summary["detection"]["scans"], summary["detection"]["lesions"]) == (1, 0)


def test_without_districts_they_are_left_out_of_the_body_the_lesions_and_the_organs(tmp_path):
    lesions = box(1, (3, 4), (4, 5), (3, 5)) + box(1, (8, 9), (4, 5), (3, 5))
    write_case(tmp_path, lesions, box(1, (7, 9)) + box(2, (3, 5)))
    paths = [tmp_path / kind / "a.nii.gz" for kind in ("real", "lesions", "organs")]
    reference = Reference(paths[0], None, *paths[1:], body=paths[0])
    summary = evaluated(tmp_path, cases={"a": reference}, districts={})
    assert summary["provenance"]["not_predicted"] == {"a": ["district 1"]}
    assert summary["detection"]["lesions"] == 1
    assert summary["cases"]["a"]["whole_body"]["mae"] == summary["cases"]["a"]["lesions"]["mae"] == 0


@pytest.mark.parametrize("with_pet", [True, False])
def test_predicted_labels_of_a_district_without_a_model_are_left_out(tmp_path, with_pet):
    organs = {"kind": "labels", "labels": ORGANS}
    targets = {"organs": organs, "PET": {}} if with_pet else {"organs": organs}
    out = tmp_path / "out"
    dataset = write_two_target_dataset(
        tmp_path, out, cases=("a",), districts={"low": 1, "high": 2}, targets={"organs": organs, "PET": {}}
    )
    update_dataset_json(dataset.folder, targets=targets)
    dataset = RawDataset(dataset.folder)
    districts = np.ones(two_input_case()[0].grid.shape, np.uint8)
    districts[14:] = 2  # the spleen, and none of the liver
    real = read_volume(dataset.folder / "targetsTs" / "a.nii.gz")
    write_volume(dataset.path("districts", "a", "Ts"), real.with_array(districts, "label"))
    predicted = read_volume(out / "a_organs.nii.gz")
    name = "a_organs.nii.gz" if with_pet else "a.nii.gz"
    write_volume(out / name, predicted.with_array(np.where(districts == 1, predicted.array, 0)))
    write_volume(out / "not_predicted" / name, real.with_array(np.where(districts == 2, 2, 0).astype(np.uint8)))
    summary = evaluate_predictions(out, References.from_dataset(dataset))
    assert summary["provenance"]["not_predicted"] == {"a": ["high"]}
    spleen, liver = (summary["cases"]["a"][f"organ:{name}"] for name in ("spleen", "liver"))
    assert (spleen["dice"], spleen["real_volume_ml"]) == (None, 0)
    assert 0 < liver["dice"] < 1
    if with_pet:
        assert spleen["predicted_organ_suv_mean_bias"] is None
        assert liver["predicted_organ_suv_mean_bias"] is not None


def test_a_map_on_another_grid_leaves_out_the_same_place():
    part = LeftOut((Volume(box(1, (6, 10)), GRID, "label"),))
    whole = Volume(np.full(FINE.shape, 3, np.uint16), FINE, "label")
    found = part.removed_from(whole)
    assert found.array.dtype == np.uint16
    inside = np.zeros(FINE.shape, bool)
    inside[12:20, 4:16, 4:12] = True
    np.testing.assert_array_equal(found.array, np.where(inside, 0, 3))
    assert LeftOut().removed_from(whole) is whole
