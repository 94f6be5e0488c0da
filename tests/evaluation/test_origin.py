import json

from ct2pet.evaluation.origin import origin_of, predicted_again
from ct2pet.provenance import case_digests

CASES = ["a", "b", "c"]


def write(folder, content):
    (folder / "prediction.json").write_text(content if isinstance(content, str) else json.dumps(content))


def test_cases_that_were_trained_with_are_found(tmp_path):
    write(tmp_path, {"model": "pix2pix", "training_cases": case_digests("Dataset001_A", ["c", "b", "x"])})
    found = origin_of(tmp_path, "Dataset001_A", CASES)
    assert found["evaluated_training_cases"] == ["b", "c"]
    assert found["prediction"] == {"model": "pix2pix"}
    assert found["dataset_name"] == "Dataset001_A"
    assert found["run"]["versions"]["numpy"]
    assert origin_of(tmp_path, "Dataset002_B", CASES)["evaluated_training_cases"] == []


def test_an_unknown_origin_is_none(tmp_path):
    unknown = origin_of(tmp_path, "Dataset001_A", CASES)
    assert (unknown["prediction"], unknown["evaluated_training_cases"]) == (None, None)
    write(tmp_path, {"model": "pix2pix", "training_cases": None})
    assert origin_of(tmp_path, "Dataset001_A", CASES)["evaluated_training_cases"] is None
    write(tmp_path, {"training_cases": case_digests("Dataset001_A", CASES)})
    folders = origin_of(tmp_path, "", CASES)
    assert (folders["dataset_name"], folders["evaluated_training_cases"]) == (None, None)
    for damaged in ("{", "[1]"):
        write(tmp_path, damaged)
        assert origin_of(tmp_path, "Dataset001_A", CASES)["prediction"] is None


def test_other_predictions_than_the_evaluated_ones_are_noticed(tmp_path):
    content = {"model": "pix2pix", "runs": [{"date": "2030-01-02"}], "training_cases": "ab cd"}
    write(tmp_path, content)
    provenance = origin_of(tmp_path, "Dataset001_A", CASES)
    assert not predicted_again(tmp_path, provenance)
    assert not predicted_again(tmp_path, {"run": {}})  # of an earlier version
    assert predicted_again(tmp_path, {"prediction": None})
    write(tmp_path, {**content, "training_cases": "ef"})
    assert not predicted_again(tmp_path, provenance)
    write(tmp_path, {**content, "runs": [{"date": "2030-01-03"}]})
    assert predicted_again(tmp_path, provenance)
    (tmp_path / "prediction.json").unlink()
    assert not predicted_again(tmp_path, provenance)
