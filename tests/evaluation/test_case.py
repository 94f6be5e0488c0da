import numpy as np
import pytest

from ct2pet.evaluation import case
from ct2pet.evaluation.detection import THRESHOLDS_SUV
from ct2pet.evaluation.names import QUANTITIES
from ct2pet.evaluation.regions import make_scene
from ct2pet.evaluation.similarity import ssim_map
from ct2pet.volume import Grid, Volume

GRID = Grid((12, 10, 8), (10.0, 10.0, 10.0))
DISTRICTS = {"head": 1, "trunk": 2, "tail": 3}


def case_volumes():
    """A body of 8 x 6 x 4 voxels of 2 SUV, its upper half the head, and lesions of 6 and 5 SUV in the trunk."""
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:6, 2:8, 2:6] = 2
    labels[6:10, 2:8, 2:6] = 1
    lesions = np.zeros(GRID.shape, np.uint8)
    lesions[3, 4, 3:5] = 1
    lesions[5, 7, 5] = 1
    real = np.where(labels > 0, 2, 0).astype(np.float32)
    real[3, 4, 3:5] = 6.0
    real[5, 7, 5] = 5.0
    return tuple(Volume(array, GRID) for array in (real, labels, lesions))


def predicted(real, labels):
    return real.with_array(np.where(labels.array == 1, 3.0, 1.0).astype(np.float32))


def test_errors_by_hand():
    real, labels, lesions = case_volumes()
    found = case.evaluate_case(predicted(real, labels), real, labels, DISTRICTS, lesions)
    assert list(found) == ["whole_body", "head", "trunk", "tail", "lesions"]
    assert found["head"]["mae"] == found["head"]["rmse"] == 1.0
    assert found["head"]["suv_mean_bias"] == 50.0
    assert found["trunk"]["mae"] == pytest.approx((93 * 1.0 + 2 * 5.0 + 4.0) / 96, rel=1e-12)
    assert found["whole_body"]["mae"] == pytest.approx((189 * 1.0 + 2 * 5.0 + 4.0) / 192, rel=1e-12)
    assert found["whole_body"]["mae_volume"] == pytest.approx((189 + 14 + (960 - 192) * 1.0) / 960, rel=1e-12)
    assert {name for name in found["whole_body"] if name.endswith("_volume")} == {
        *("mae_volume", "rmse_volume", "psnr_volume", "ssim_volume")
    }
    assert set(found["tail"].values()) == {None}
    assert "lesions" not in case.evaluate_case(real, real, labels, DISTRICTS)


def test_uptake_of_lesions_by_hand():
    real, labels, lesions = case_volumes()
    fake = predicted(real, labels)
    fake.array[3, 4, 3] = 4.5
    result = case.evaluate_case_and_baselines(fake, real, labels, DISTRICTS, lesions, body_median_suv=2.0)
    total = result.regions["prediction"]["lesions"]
    assert total["real_suv_mean"] == pytest.approx(17 / 3)
    assert total["fake_suv_mean"] == pytest.approx(6.5 / 3)
    assert total["suv_max_bias"] == pytest.approx(-25.0)
    assert (total["real_mtv4"], total["fake_mtv4"], total["mtv4_bias"]) == (3.0, 1.0, pytest.approx(-200 / 3))
    assert (total["real_tlg41"], total["fake_tlg41"]) == (17.0, 4.5 + 1.0)
    large, small = result.lesions["prediction"]
    assert (large["label"], large["district"], large["volume_ml"]) == (1, "trunk", 2.0)
    assert (large["real_mtv41"], large["fake_mtv41"]) == (2.0, 1.0)
    assert large["mae"] == pytest.approx((1.5 + 5.0) / 2)
    assert (small["real_suv_max"], small["fake_suv_max"], small["fake_mtv4"]) == (5.0, 1.0, 0.0)
    height = (3000 / (4 * np.pi)) ** (1 / 3) - 5  # of the sphere's cap in each neighbour of a 10 mm voxel
    cap = np.pi * height**2 * (3 * (height + 5) - height) / 3 / 1000
    assert large["real_suv_peak"] == pytest.approx((1 - 6 * cap) * 6 + cap * 6 + 5 * cap * 2, rel=1e-4)
    assert large["fake_suv_peak"] == pytest.approx((1 - 6 * cap) * 4.5 + 6 * cap, rel=1e-4)


def test_baselines_see_the_same_regions():
    real, labels, lesions = case_volumes()
    found = case.evaluate_case_and_baselines(real, real, labels, DISTRICTS, lesions, body_median_suv=1.5)
    assert list(found.regions) == list(found.lesions) == ["prediction", "zeros", "body_median", "blurred", "shifted"]
    assert set(found.hot_spots) == {"real", *found.regions}
    assert found.regions["prediction"]["whole_body"]["mae"] == 0.0
    assert found.regions["prediction"]["whole_body"]["psnr"] is None
    assert found.regions["prediction"]["whole_body"]["ms_ssim"] == pytest.approx(1.0)
    assert found.regions["zeros"]["head"]["mae"] == 2.0
    assert found.regions["zeros"]["lesions"]["mtv41_bias"] == -100.0
    assert found.regions["body_median"]["head"]["mae"] == 0.5
    assert found.regions["body_median"]["lesions"]["suv_mean_bias"] == pytest.approx(100 * (4.5 - 17) / 17)
    assert set(found.hot_spots["real"].false_positives[2:]) == {0}  # from 4 SUV on only the lesions are hot
    assert 0 < found.regions["blurred"]["whole_body"]["mae"] < found.regions["zeros"]["whole_body"]["mae"]
    assert 0 < found.regions["shifted"]["whole_body"]["mae"] < found.regions["zeros"]["whole_body"]["mae"]


def test_a_shifted_prediction_is_known_as_such():
    real, labels, lesions = case_volumes()
    fake = real.with_array(np.roll(real.array, (1, 0, -1), (0, 1, 2)))
    found = case.evaluate_case(fake, real, labels, DISTRICTS, lesions)
    for region in ("whole_body", "head", "trunk", "lesions"):
        assert found[region]["mae"] > 0
        assert found[region]["mae_best_shift"] == 0


def test_every_region_is_measured_with_all_of_its_voxels_and_no_others():
    rng = np.random.default_rng(0)
    _, labels, lesions = case_volumes()
    real, fake = (Volume(rng.gamma(2, 1, GRID.shape).astype(np.float32), GRID) for _ in range(2))
    organs = labels.with_array(rng.integers(0, 3, GRID.shape).astype(np.uint8))
    found = case.evaluate_case(fake, real, labels, DISTRICTS, lesions, organs, {"liver": 2})
    masks = {"whole_body": labels.array > 0, "trunk": labels.array == 2, "lesions": lesions.array > 0}
    masks |= {"organ:liver": organs.array == 2, "organ:1": organs.array == 1}
    edges = [np.pad(volume.array, 1, mode="edge") for volume in (fake, real)]
    shifts = [(z, y, x) for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    moved = [np.abs(np.roll(edges[0], shift, (0, 1, 2)) - edges[1])[1:-1, 1:-1, 1:-1] for shift in shifts]
    similarity = ssim_map(fake.array, real.array)
    for region, mask in masks.items():
        metrics = found[region]
        assert metrics["mae"] == pytest.approx(np.abs(fake.array - real.array)[mask].mean()), region
        assert metrics["ssim"] == pytest.approx(similarity[mask].mean(), rel=1e-5), region
        assert metrics["mae_best_shift"] == pytest.approx(min(error[mask].mean() for error in moved)), region
        assert metrics["fake_suv_max"] == fake.array[mask].max(), region


def test_without_a_mask_there_is_no_detection_and_an_empty_mask_has_no_lesions():
    real, labels, lesions = case_volumes()
    found = case.evaluate_case_and_baselines(real, real, labels, DISTRICTS, body_median_suv=1.5)
    assert (found.lesions, found.hot_spots) == (None, {})
    empty = lesions.with_array(np.zeros_like(lesions.array))
    fake = real.with_array(real.array * 2)
    found = case.evaluate_case_and_baselines(fake, real, labels, DISTRICTS, empty, body_median_suv=1.5)
    assert found.lesions["prediction"] == []
    assert set(found.regions["prediction"]["lesions"].values()) == {None}
    spots = dict(zip(THRESHOLDS_SUV, found.hot_spots["prediction"].false_hot_spots))
    assert (spots[3.0], spots[6.0], spots[8.0]) == (0, 1, 2)  # the real PET reaches 6 in one place
    assert {f"{role}_{name}" for name in QUANTITIES for role in ("real", "fake")} < set(
        found.regions["prediction"]["lesions"]
    )


def test_organs_and_large_bodies_have_the_metrics_of_regions():
    grid = Grid((100, 100, 100), (4.0, 4.0, 4.0))
    labels = np.zeros(grid.shape, np.uint8)
    labels[10:90, 10:90, 10:90] = 1
    rng = np.random.default_rng(0)
    real = Volume((labels * rng.random(grid.shape)).astype(np.float32), grid)
    organs = Volume(np.where(labels > 0, 4, 0).astype(np.uint8), grid)
    fake = real.with_array((real.array * 1.5).astype(np.float32))
    found = case.evaluate_case(fake, real, organs.with_array(labels), {"body": 1}, None, organs, {"all": 4})
    assert 0 < found["whole_body"]["ms_ssim"] < 1
    assert found["body"]["ms_ssim"] == found["whole_body"]["ms_ssim"]
    assert "ms_ssim" not in found["organ:all"]
    for metric, value in found["organ:all"].items():
        assert value == pytest.approx(found["body"][metric], rel=1e-6), metric


def test_groups_of_lesions_are_measured_apart():
    real, labels, lesions = case_volumes()
    lesions.array[5, 7, 5] = 2
    fake = predicted(real, labels)
    fake.array[3, 4, 3] = 4.5
    scene = make_scene(real, labels, DISTRICTS, lesions, lesion_groups={"shown": 1, "hidden": 2, "none": 3})
    found = case.evaluate_scene(fake.array, scene, body_median_suv=2.0)
    assert [one["group"] for one in found.lesions["prediction"]] == ["shown", "hidden"]
    regions = found.regions["prediction"]
    assert regions["lesions_shown"]["suv_mean_bias"] == pytest.approx(100 * (5.5 - 12) / 12)
    assert regions["lesions_hidden"]["suv_mean_bias"] == pytest.approx(-80.0)
    assert [regions[f"lesions_{name}"]["real_mtv4"] for name in ("shown", "hidden", "none")] == [2.0, 1.0, None]
    assert regions["lesions_none"]["mae"] is None
    alone = case.evaluate_case_and_baselines(fake, real, labels, DISTRICTS, lesions, body_median_suv=2.0)
    assert alone.regions["prediction"]["lesions"] == regions["lesions"], "groups change nothing else"
    without = [{key: value for key, value in one.items() if key != "group"} for one in found.lesions["prediction"]]
    assert alone.lesions["prediction"] == without
