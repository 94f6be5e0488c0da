"""Prediction from two inputs to two targets."""

import json
import shutil

import numpy as np
import pytest
from two_targets import (
    ScaledAndThresholded,
    expected_organs,
    expected_pet,
    two_input_case,
    two_target_plans,
    write_two_target_model,
)
from whole_pipeline import content_of, partial_files

from ct2pet.api.prediction import predict
from ct2pet.cli.predict import main
from ct2pet.districts.body import body_mask
from ct2pet.errors import CasesFailed, Ct2PetError
from ct2pet.imageio import read_volume, write_volume

FLIPPED_AND_PERMUTED = (0.0, 0.0, -1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two cases of CT and low-dose PET, one stored in another orientation; a model that gives a PET and organs."""
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "results"))
    monkeypatch.setattr("ct2pet.models.load_model", {"both": ScaledAndThresholded}.__getitem__)
    write_two_target_model(tmp_path / "results", two_target_plans(), factors=(0.5, 1.5))
    for case, direction in (("a", None), ("b", FLIPPED_AND_PERMUTED)):
        for number, volume in enumerate(two_input_case(direction)[:2]):
            write_volume(tmp_path / "imagesTs" / f"{case}_{number:04d}.nii.gz", volume)
    return tmp_path


def run(raw, **options):
    return predict(raw / "imagesTs", raw / "out", device="cpu", **options)


@pytest.mark.parametrize("body", ["CT", None])
def test_two_inputs_become_a_pet_and_organs_inside_the_body_or_everywhere(two, body):
    write_two_target_model(two / "results", two_target_plans(body_mask=body))
    paths = run(two, folds=["0"])
    assert [path.name for path in paths] == ["a_PET.nii.gz", "a_organs.nii.gz", "b_PET.nii.gz", "b_organs.nii.gz"]
    for case, direction in (("a", None), ("b", FLIPPED_AND_PERMUTED)):
        ct, low_dose, _ = two_input_case(direction)
        inside = body_mask(ct) if body else np.ones(ct.grid.shape, bool)
        pet, organs = (read_volume(two / "out" / f"{case}_{name}.nii.gz") for name in ("PET", "organs"))
        assert pet.grid.matches(ct.grid)
        assert organs.grid.matches(ct.grid)
        assert organs.array.dtype == np.uint8
        np.testing.assert_allclose(pet.array, np.where(inside, expected_pet(low_dose.array), 0), atol=1e-3)
        np.testing.assert_array_equal(organs.array, np.where(inside, expected_organs(ct.array), 0))
    content = json.loads((two / "out" / "prediction.json").read_text())
    assert content["units"] == {"PET": "SUVbw g/ml", "organs": "label"}
    assert content["segmenters"] == []


@pytest.mark.parametrize(
    ("missing", "options", "line"),
    [
        ("b_0001", "-o {out}", "imagesTs: b has no low_dose (b_0001)"),
        (None, "-o {out}.nii.gz", "out.nii.gz: -o must be a folder, because there are several inputs or targets"),
        (None, "-o {out} --districts {out}", "--districts, --segmenter: the plans have no districts"),
        (None, "-o {out} --dicom", "--dicom needs each CT as a folder with a DICOM series"),
    ],
)
def test_an_option_or_file_that_does_not_fit_two_inputs_is_one_error_line_before_any_work(
    two, capsys, missing, options, line
):
    if missing:
        (two / "imagesTs" / f"{missing}.nii.gz").unlink()
    arguments = f"-i {two}/imagesTs {options.format(out=two / 'out')} -device cpu"
    assert main(arguments.split()) == 2
    (said,) = [text for text in capsys.readouterr().err.splitlines() if text]
    assert line in said
    assert sorted(path.name for path in two.iterdir()) == ["imagesTs", "results"]


@pytest.mark.parametrize("missing", ["PET", "organs"])
def test_a_case_that_lacks_one_of_its_predictions_is_not_finished(two, missing):
    run(two)
    whole = content_of(two / "out")
    others = [two / "out" / f"a_{name}.nii.gz" for name in ("PET", "organs")]
    before = [path.stat().st_mtime_ns for path in others]
    lost = two / "out" / f"b_{missing}.nii.gz"
    lost.unlink()
    (two / "out" / f".partial-abcdefgh-{lost.name}").touch()
    run(two, continue_prediction=True)
    assert {name: content for name, content in content_of(two / "out").items() if name != "prediction.json"} == {
        name: content for name, content in whole.items() if name != "prediction.json"
    }
    assert [path.stat().st_mtime_ns for path in others] == before
    assert partial_files(two / "out") == []


def test_an_output_that_is_no_prediction_is_never_replaced(two):
    write_volume(two / "out" / "b_organs.nii.gz", two_input_case()[0])
    with pytest.raises(Ct2PetError, match=r"b_organs\.nii\.gz: would be replaced, but is not a prediction"):
        run(two)
    assert [path.name for path in (two / "out").iterdir()] == ["b_organs.nii.gz"]


def test_an_input_of_another_kind_fails_only_its_case(two):
    shutil.copyfile(two / "imagesTs" / "a_0000.nii.gz", two / "imagesTs" / "a_0001.nii.gz")
    with pytest.raises(CasesFailed) as caught:
        run(two)
    assert list(caught.value.failures) == ["a"]
    assert "a_0001.nii.gz: its values, -1000 to " in caught.value.failures["a"]
    assert sorted(path.name for path in (two / "out").glob("*.nii.gz")) == ["b_PET.nii.gz", "b_organs.nii.gz"]
