import numpy as np
import pytest

from ct2pet.errors import CasesFailed, DatasetError
from ct2pet.evaluation import evaluator
from ct2pet.evaluation.references import References
from ct2pet.evaluation.summary import read_summary
from ct2pet.imageio import write_volume
from ct2pet.volume import Grid, Volume

GRID = Grid((12, 10, 8), (4.0, 4.0, 4.0))
DISTRICTS = {"head": 1, "trunk": 2, "tail": 3}


def case_volumes(level=2.0):
    """A body of 8 x 6 x 4 voxels of ``level`` SUV, its upper half the head, and a lesion of 6 SUV in the trunk."""
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:6, 2:8, 2:6] = 2
    labels[6:10, 2:8, 2:6] = 1
    lesions = np.zeros(GRID.shape, np.uint8)
    lesions[3, 4, 3:5] = 1
    real = np.where(labels > 0, level, 0).astype(np.float32)
    real[lesions > 0] = 6.0
    return tuple(Volume(array, GRID) for array in (real, labels, lesions))


def write_case(folder, case, fake, volumes):
    for kind, volume in zip(("fake", "real", "maps", "lesions"), (fake, *volumes)):
        write_volume(folder / kind / f"{case}.nii.gz", volume)


def references_in(folder):
    return References.from_folders(folder / "real", folder / "maps", DISTRICTS, folder / "lesions")


def test_one_case_by_hand():
    real, labels, lesions = case_volumes()
    fake = real.with_array(np.where(labels.array == 1, 3.0, 1.0).astype(np.float32))
    found = evaluator.evaluate_case(fake, real, labels, DISTRICTS, lesions)
    assert list(found) == ["whole_body", "head", "trunk", "tail", "lesions"]
    assert found["head"]["mae"] == 1.0
    assert found["head"]["suv_mean_bias"] == 50.0
    assert found["trunk"]["mae"] == pytest.approx((94 * 1.0 + 2 * 5.0) / 96, rel=1e-12)
    assert found["whole_body"]["mae"] == pytest.approx((190 * 1.0 + 2 * 5.0) / 192, rel=1e-12)
    assert found["whole_body"]["mae_volume"] == pytest.approx((190 + 10 + (960 - 192) * 1.0) / 960, rel=1e-12)
    assert found["lesions"]["suv_mean_bias"] == pytest.approx(-100 * 5 / 6)
    assert found["lesions"]["suv_max_bias"] == pytest.approx(-100 * 5 / 6)
    assert set(found["tail"].values()) == {None}
    assert "lesions" not in evaluator.evaluate_case(fake, real, labels, DISTRICTS)
    assert list(evaluator.evaluate_case(fake, real, labels, DISTRICTS, regions=["head"])) == ["head"]


def test_baselines_see_the_same_regions():
    real, labels, lesions = case_volumes()
    found = evaluator.evaluate_case_and_baselines(real, real, labels, DISTRICTS, lesions, body_median_suv=1.5)
    assert list(found) == ["prediction", "zeros", "body_median", "blurred", "shifted"]
    assert found["prediction"]["whole_body"]["mae"] == 0.0
    assert found["prediction"]["whole_body"]["psnr"] is None
    assert found["zeros"]["head"]["mae"] == 2.0
    assert found["body_median"]["head"]["mae"] == 0.5
    assert found["body_median"]["lesions"]["suv_mean_bias"] == -75.0
    assert 0 < found["blurred"]["whole_body"]["mae"] < found["zeros"]["whole_body"]["mae"]
    assert 0 < found["shifted"]["whole_body"]["mae"] < found["zeros"]["whole_body"]["mae"]


def test_a_folder_is_summarised_and_written(tmp_path):
    for case, error in (("a", 0.5), ("b", 1.0)):
        volumes = case_volumes()
        write_case(tmp_path, case, Volume(volumes[0].array + np.float32(error), GRID), volumes)
    path = tmp_path / "summary.json"
    summary = evaluator.evaluate_predictions(tmp_path / "fake", references_in(tmp_path), path)
    assert read_summary(path) == summary
    assert summary["cases"]["a"]["whole_body"]["mae"] == pytest.approx(0.5)
    assert summary["mean"]["head"]["mae"] == {"mean": pytest.approx(0.75), "se": pytest.approx(0.25), "n": 2}
    assert summary["mean"]["tail"]["mae"] == {"mean": None, "se": None, "n": 0}
    assert summary["baselines"]["zeros"]["head"]["mae"] == 2.0
    assert summary["baselines"]["body_median"]["head"]["mae"] == 0.0
    median = summary["provenance"]["settings"]["body_median"]
    assert median == {"suv": 2.0, "num_cases": 2, "from": "evaluated cases"}


def test_training_cases_give_the_constant(tmp_path):
    volumes = case_volumes()
    write_case(tmp_path / "test", "a", volumes[0], volumes)
    write_case(tmp_path / "train", "x", volumes[0], case_volumes(level=3.0))
    references = references_in(tmp_path / "test")
    references = References(references.cases, DISTRICTS, references_in(tmp_path / "train").cases)
    summary = evaluator.evaluate_predictions(tmp_path / "test" / "fake", references)
    assert summary["baselines"]["body_median"]["head"]["mae"] == 1.0
    assert summary["provenance"]["settings"]["body_median"] == {"suv": 3.0, "num_cases": 1, "from": "training cases"}


def test_training_cases_that_give_no_constant_do_not_weaken_the_baseline(tmp_path):
    volumes = case_volumes()
    write_case(tmp_path / "test", "a", volumes[0], volumes)
    write_case(tmp_path / "train", "x", volumes[0], volumes)
    training = references_in(tmp_path / "train").cases
    training["x"].pet.write_bytes(b"no image")
    references = References(references_in(tmp_path / "test").cases, DISTRICTS, training)
    with pytest.raises(CasesFailed, match="median of the body"):
        evaluator.evaluate_predictions(tmp_path / "test" / "fake", references)


def test_failures_are_named_and_the_others_are_written(tmp_path):
    volumes = case_volumes()
    for case in ("good", "lost", "cut", "bare"):
        write_case(tmp_path, case, volumes[0], volumes)
    (tmp_path / "fake" / "lost.nii.gz").unlink()
    (tmp_path / "maps" / "bare.nii.gz").unlink()
    cut = tmp_path / "fake" / "cut.nii.gz"
    cut.write_bytes(cut.read_bytes()[:100])
    path = tmp_path / "summary.json"
    with pytest.raises(CasesFailed) as caught:
        evaluator.evaluate_predictions(tmp_path / "fake", references_in(tmp_path), path)
    assert set(caught.value.failures) == {"lost", "cut", "bare"}
    assert caught.value.some_done
    assert "no prediction" in caught.value.failures["lost"]
    assert "make it with ct2pet_segment_districts -d" in caught.value.failures["bare"]
    summary = read_summary(path)
    assert list(summary["cases"]) == ["good"]
    assert summary["provenance"]["failed_cases"] == ["bare", "cut", "lost"]


def test_a_surprise_keeps_its_traceback(tmp_path, monkeypatch):
    volumes = case_volumes()
    write_case(tmp_path, "a", volumes[0], volumes)
    monkeypatch.setattr(evaluator, "region_metrics", lambda *_: 1 / 0)
    with pytest.raises(CasesFailed) as caught:
        evaluator.evaluate_predictions(tmp_path / "fake", references_in(tmp_path))
    assert "evaluate_case_and_baselines" in caught.value.tracebacks["a"]


def test_nothing_at_all_writes_nothing(tmp_path):
    volumes = case_volumes()
    write_case(tmp_path, "a", volumes[0], volumes)
    (tmp_path / "empty").mkdir()
    path = tmp_path / "summary.json"
    with pytest.raises(CasesFailed, match="a: no prediction") as caught:
        evaluator.evaluate_predictions(tmp_path / "empty", references_in(tmp_path), path)
    assert not caught.value.some_done
    assert not path.exists()
    with pytest.raises(DatasetError, match="no real PET"):
        evaluator.evaluate_predictions(tmp_path / "fake", References({}, DISTRICTS), path)
