"""Districts without a model: said, drawn in a map, left out of the evaluation."""

import json

import numpy as np
import pytest
from hand_models import hand_plans, two_district_case, write_trained

from ct2pet import models
from ct2pet.api.evaluation import evaluate
from ct2pet.api.prediction import predict
from ct2pet.dataset import write_dataset_json
from ct2pet.errors import CasesFailed, CheckpointError, ImageError
from ct2pet.imageio import read_volume, write_volume
from ct2pet.inference import case_prediction
from ct2pet.inference.coverage import map_file, nothing_incomplete_of
from ct2pet.inference.ensemble import Ensemble
from ct2pet.inference.input_files import Case

PLANS = hand_plans()


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A dataset of one test case with two districts, of which only "low" is trained."""
    from hand_models import Scaled

    monkeypatch.setattr(models, "load_model", lambda name: Scaled)
    for kind in ("raw", "results"):
        monkeypatch.setenv(f"ct2pet_{kind}", str(tmp_path / kind))
    raw = tmp_path / "raw" / "Dataset900_Tiny"
    ct, labels = two_district_case()
    write_volume(raw / "imagesTs" / "A_0000.nii", ct)
    write_volume(raw / "districtsTs" / "A.nii", labels)
    write_volume(raw / "targetsTs" / "A.nii", ct.with_array(np.full(ct.array.shape, 2.0, np.float32), "SUV"))
    write_dataset_json(raw, name="Tiny", districts=PLANS.districts, num_training=0, file_ending=".nii")
    return tmp_path


def train(work, *districts):
    plans = write_trained(work / "results", {name: {"all": 1.0} for name in districts}, plans=PLANS)
    for path in (work / "results" / plans.dataset_name).glob("*/plans.json"):
        content = json.loads(path.read_text())
        content["configurations"] = {n: c for n, c in content["configurations"].items() if n in districts}
        path.write_text(json.dumps(content))  # as of data in which no case has the others


def run(work, target="out", **options):
    images = work / "raw" / "Dataset900_Tiny" / "imagesTs"
    return predict(images, work / target, configurations=["low"], device="cpu", blend_mm=0.0, **options)


def test_a_district_without_a_model_is_named_and_drawn(work, capsys):
    train(work, "low")
    run(work)
    assert "warning: A: no trained model of high, not predicted" in capsys.readouterr().err
    _, labels = two_district_case()
    left_out = read_volume(work / "out" / "not_predicted" / "A.nii")
    assert np.array_equal(left_out.array, np.where(labels.array == 2, 2, 0))
    assert (read_volume(work / "out" / "A.nii").array[labels.array == 2] == 0).all()
    assert json.loads((work / "out" / "prediction.json").read_text())["districts_without_model"] == ["high"]


def test_a_case_with_only_districts_without_a_model_fails_and_writes_no_map(work, capsys):
    train(work, "low")
    path = work / "raw" / "Dataset900_Tiny" / "districtsTs" / "A.nii"
    labels = read_volume(path)
    write_volume(path, labels.with_array(np.where(labels.array > 0, 2, 0).astype(np.uint8), "label"))
    with pytest.raises(CasesFailed) as caught:
        run(work)
    assert "it contains only high, without a trained model; train one, or " in caught.value.failures["A"]
    assert "--fill_with_whole_body" in caught.value.failures["A"]
    assert not (work / "out" / "not_predicted").exists()


def test_only_predicted_districts_are_evaluated_and_this_is_reported(work):
    train(work, "low")
    run(work)
    summary = evaluate("900", work / "out", num_processes=1)
    _, labels = two_district_case()
    error = np.abs(read_volume(work / "out" / "A.nii").array - 2)[labels.array == 1].mean()
    assert summary["cases"]["A"]["whole_body"]["mae"] == pytest.approx(error, rel=1e-5)
    assert "high" not in summary["cases"]["A"]
    assert summary["provenance"]["not_predicted"] == {"A": ["high"]}


def test_all_districts_can_be_required(work):
    train(work, "low")
    with pytest.raises(
        CasesFailed, match="A: no trained model of high; train it or run without --require_all_districts"
    ):
        run(work, require_all_districts=True)
    assert not (work / "out" / "A.nii").exists()


def test_the_whole_body_fills_in_where_it_is_trained_and_requested(work, capsys):
    train(work, "low")
    with pytest.raises(CheckpointError, match="no trained model of whole_body, which is needed for high"):
        run(work, fill_with_whole_body=True)
    train(work, "low", "whole_body")
    run(work, fill_with_whole_body=True)
    _, labels = two_district_case()
    assert (read_volume(work / "out" / "A.nii").array[labels.array == 2] > 0).all()
    assert not (work / "out" / "not_predicted").exists()
    assert "not predicted" not in capsys.readouterr().err


def test_a_map_of_an_earlier_run_does_not_stay(work):
    train(work, "low", "high", "whole_body")
    run(work)
    assert (work / "out" / "not_predicted" / "A.nii").exists()
    predict(work / "raw" / "Dataset900_Tiny" / "imagesTs", work / "out", configurations=["low", "high"], device="cpu")
    assert not (work / "out" / "not_predicted").exists()


@pytest.mark.parametrize("place", [(Ensemble, "predict"), (case_prediction, "write_volume")], ids=["network", "disk"])
def test_a_case_that_fails_after_its_map_was_written_leaves_no_map(work, monkeypatch, place):
    def fail(*arguments):
        assert (work / "out" / "not_predicted" / "A.nii").exists()
        raise ImageError("no result")

    train(work, "low")
    monkeypatch.setattr(*place, fail)
    with pytest.raises(CasesFailed, match="no result"):
        run(work)
    assert [path for path in (work / "out").rglob("*") if not path.name.startswith(".")] == []


def test_a_case_that_cannot_be_read_leaves_no_map_of_an_earlier_run(work):
    train(work, "low")
    run(work)
    (work / "raw" / "Dataset900_Tiny" / "imagesTs" / "A_0000.nii").write_bytes(b"damaged")
    with pytest.raises(CasesFailed):
        run(work)
    assert not (work / "out" / "not_predicted").exists()


@pytest.mark.parametrize(("complete", "kept"), [(False, []), (True, ["A_PET.nii", "A_organs.nii", "A_PET.nii"])])
def test_targets_stay_only_together_where_a_case_fails_and_other_maps_stay(tmp_path, complete, kept):
    case, other = (Case(one, {}, {n: tmp_path / f"{one}_{n}.nii" for n in ("PET", "organs")}) for one in "AB")
    for path in (map_file(case), map_file(other), case.outputs["PET"]):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    if complete:
        case.outputs["organs"].touch()
    with pytest.raises(KeyboardInterrupt), nothing_incomplete_of(case):
        raise KeyboardInterrupt
    assert [path.name for path in (*case.outputs.values(), map_file(case)) if path.exists()] == kept
    assert map_file(other).exists()
