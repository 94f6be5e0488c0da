import json

import pytest
from raw_cases import case_volumes, write_raw
from road import killed_until_done

from ct2pet.api.evaluation import evaluate
from ct2pet.errors import CasesFailed
from ct2pet.imageio import write_volume


@pytest.fixture
def predictions(tmp_path, monkeypatch):
    """Two training cases, predicted a tenth too high everywhere."""
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    cases = {f"case{number}": case_volumes(number) for number in range(2)}
    write_raw(tmp_path / "raw", cases)
    for case, volumes in cases.items():
        pet = volumes["pet"]
        write_volume(tmp_path / "predictions" / f"{case}.nii.gz", pet.with_array(pet.array * 1.1))
    return tmp_path / "predictions"


def go(predictions, **options):
    return evaluate(predictions, "901", split="Tr", num_processes=1, **options)


def test_the_summary_is_returned_and_lies_where_it_was_asked_for(predictions, tmp_path):
    summary = go(predictions)
    for region in ("whole_body", "low", "high", "lesions"):
        assert summary["mean"][region]["suv_mean_bias"]["mean"] == pytest.approx(10, rel=1e-3)
    assert json.loads((predictions / "summary.json").read_text()) == summary
    (predictions / "summary.json").unlink()
    assert go(predictions, output=tmp_path / "own" / "numbers.json") == summary
    assert not (predictions / "summary.json").exists()
    assert json.loads((tmp_path / "own" / "numbers.json").read_text()) == summary


def test_killed_and_begun_again_nothing_half_is_left_under_a_name(predictions, monkeypatch):
    assert killed_until_done(lambda: go(predictions), monkeypatch) == 1
    text = (predictions / "summary.json").read_text()
    assert list(json.loads(text)["cases"]) == ["case0", "case1"]


def test_cases_without_prediction_are_named_and_the_others_are_in_the_summary(predictions):
    (predictions / "case0.nii.gz").unlink()
    with pytest.raises(CasesFailed) as caught:
        go(predictions)
    assert caught.value.some_done
    assert list(caught.value.failures) == ["case0"]
    assert list(json.loads((predictions / "summary.json").read_text())["cases"]) == ["case1"]
