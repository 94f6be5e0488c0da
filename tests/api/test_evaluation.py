import json

import numpy as np
import pytest
from raw_cases import case_volumes, write_raw
from whole_pipeline import killed_until_done, run

from ct2pet.api.evaluation import evaluate, evaluate_folders
from ct2pet.districts.pet_outline import pet_outline
from ct2pet.errors import CasesFailed, DatasetError
from ct2pet.imageio import read_volume, write_volume
from ct2pet.volume import Grid, Volume


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
    return evaluate("901", predictions, split="Tr", num_processes=1, **options)


def test_the_summary_is_returned_and_written_to_the_requested_file(predictions, tmp_path):
    summary = go(predictions)
    for region in ("whole_body", "low", "high", "lesions"):
        assert summary["mean"][region]["suv_mean_bias"]["mean"] == pytest.approx(10, rel=1e-3)
    assert json.loads((predictions / "summary.json").read_text()) == summary
    (predictions / "summary.json").unlink()
    assert go(predictions, output=tmp_path / "own" / "numbers.json") == summary
    assert not (predictions / "summary.json").exists()
    assert json.loads((tmp_path / "own" / "numbers.json").read_text()) == summary


def test_a_dataset_without_test_cases_is_named_with_the_option_for_its_training_cases(predictions):
    with pytest.raises(DatasetError, match=r"/Dataset901_\w+: no test cases \(imagesTs\); -split Tr evaluates"):
        evaluate("901", predictions)


def test_own_lesions_organs_and_error_maps_arrive(predictions, tmp_path):
    volumes = case_volumes(0)
    label = volumes["district_map"].with_array((volumes["district_map"].array == 1).astype("uint8") * 7)
    for folder in ("lesions", "organs"):
        for case in ("case0", "case1"):
            write_volume(tmp_path / folder / f"{case}.nii.gz", label)
    plain = go(predictions)
    assert "organ:7" not in plain["mean"]
    folders = {"lesions": tmp_path / "lesions", "organs": tmp_path / "organs", "error_maps": tmp_path / "errors"}
    summary = go(predictions, **folders)
    assert summary["mean"]["organ:7"] != plain["mean"]["lesions"]
    for metric, number in summary["mean"]["organ:7"].items():
        assert summary["mean"]["lesions"][metric]["mean"] == pytest.approx(number["mean"]), metric
    error, real = read_volume(tmp_path / "errors" / "case1.nii.gz"), case_volumes(1)["pet"]
    assert error.grid.matches(real.grid)
    inside = error.array != 0
    np.testing.assert_allclose(error.array[inside], real.array[inside] * 0.1, atol=1e-5)


def test_killed_and_started_again_no_partial_file_has_a_final_name(predictions, monkeypatch):
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


@pytest.fixture
def folders(tmp_path):
    """Real PETs of a body of SUV 2 in air, and predictions of 3, in two bare folders."""
    grid = Grid((20, 20, 20), (4.0, 4.0, 4.0))
    body = np.zeros(grid.shape, np.float32)
    body[4:16, 4:16, 4:16] = 2
    for case in ("a", "b"):
        write_volume(tmp_path / "real" / f"{case}.nii.gz", Volume(body, grid, "SUV"))
        write_volume(tmp_path / "fake" / f"{case}.nii.gz", Volume(body * 1.5, grid, "SUV"))
    return tmp_path


def test_two_bare_folders_are_compared_inside_the_body_of_the_real_pets(folders):
    summary = evaluate_folders(folders / "real", folders / "fake", num_processes=1)
    assert list(summary["cases"]) == ["a", "b"]
    assert list(summary["mean"]) == ["whole_body"]
    assert summary["mean"]["whole_body"]["suv_mean_bias"]["mean"] == pytest.approx(50)
    outline = pet_outline(read_volume(folders / "real" / "a.nii.gz")).array > 0
    real = read_volume(folders / "real" / "a.nii.gz").array
    assert summary["cases"]["a"]["whole_body"]["mae"] == pytest.approx(np.abs(0.5 * real[outline]).mean(), rel=1e-5)
    assert json.loads((folders / "fake" / "summary.json").read_text()) == summary
    assert summary["provenance"]["evaluated_training_cases"] is None


def test_districts_without_a_model_are_excluded_for_two_folders_and_reported(folders, capsys):
    """Nothing was predicted in the upper half of one body: its 0 SUV is no error."""
    path = folders / "fake" / "a.nii.gz"
    fake = read_volume(path, "SUV")
    upper = np.zeros(fake.grid.shape, np.uint8)
    upper[10:] = 3
    write_volume(path, fake.with_array(np.where(upper > 0, 0, fake.array).astype(np.float32)))
    write_volume(folders / "fake" / "not_predicted" / "a.nii.gz", fake.with_array(upper, "label"))
    summary = evaluate_folders(folders / "real", folders / "fake", num_processes=1)
    assert summary["cases"]["a"]["whole_body"]["suv_mean_bias"] == pytest.approx(50)
    assert summary["provenance"]["not_predicted"] == {"a": ["district 3"]}
    assert run(f"evaluate {folders}/real {folders}/fake -np 1") == 0
    assert "no model is trained, and left out: district 3 in 1 case(s) (a)." in capsys.readouterr().out


def test_the_command_takes_two_folders_or_a_dataset_with_predictions(folders, capsys):
    assert run(f"evaluate {folders}/real {folders}/fake -np 1") == 0
    assert "whole_body (n = 2)" in capsys.readouterr().out
    for line in ("", f"{folders}/real", f"-d 001 {folders}/real {folders}/fake", f"-i {folders}/fake", "-d 001"):
        assert run(f"evaluate {line}") == 2
        assert "give a dataset and its predictions (-d, -i), or two folders" in capsys.readouterr().err
    assert run(f"evaluate {folders} {folders}/fake") == 2
    assert "no images" in capsys.readouterr().err


def test_what_became_of_an_earlier_summary_is_printed(folders, capsys):
    (folders / "fake" / "b.nii.gz").unlink()
    said = []
    for number, code in enumerate((1, 1, 2)):
        if number == 2:
            (folders / "fake" / "a.nii.gz").write_bytes(b"damaged")
        assert run(f"evaluate {folders}/real {folders}/fake -np 1") == code
        said.append([line for line in capsys.readouterr().err.splitlines() if "summary" in line])
    path = folders / "fake" / "summary.json"
    assert said == [[], [f"{path}: this summary was replaced"], [f"{path}: this summary is of an earlier evaluation"]]
