import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hand_models import Scaled, expected_suv, hand_plans, two_district_case, write_trained
from whole_pipeline import content_of, killed_until_done, partial_files

from ct2pet.api.prediction import predict
from ct2pet.errors import CasesFailed, Ct2PetError
from ct2pet.imageio import read_volume, write_volume
from ct2pet.locks import folder_lock
from ct2pet.provenance import case_digests, command_line
from ct2pet.volume import Grid, Volume

FLIPPED_AND_PERMUTED = (0.0, 0.0, -1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def test_prediction_imports_only_what_one_case_needs():
    """Of a small case imports take as long as the network; these are for DICOM, pictures, training and stores."""
    unwanted = {"pydicom", "matplotlib", "tensorboard", "blosc2", "scipy.stats", "distributed"}
    code = f"import sys, ct2pet.api.prediction; print({unwanted} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """Two cases in imagesTs and districtsTs, one stored in another orientation; a trained model."""
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "results"))
    monkeypatch.setattr("ct2pet.models.load_model", {"scaled": Scaled}.__getitem__)
    write_trained(tmp_path / "results", {"low": {0: 0.5, 1: 1.5}, "high": {0: 2.0, 1: 2.0}})
    ct, labels = two_district_case()
    write(tmp_path, "a", ct, labels)
    other = Grid((1, 1, 1), (1, 1, 1), (0, 0, 0), FLIPPED_AND_PERMUTED)
    write(tmp_path, "b", ct.reorient_like(other), labels.reorient_like(other))
    return tmp_path


def write(folder, case, ct, labels):
    write_volume(folder / "imagesTs" / f"{case}_0000.nii.gz", ct)
    write_volume(folder / "districtsTs" / f"{case}.nii.gz", labels)


def expected():
    ct, labels = two_district_case()
    low, high = expected_suv(ct.array), expected_suv(ct.array, 2.0)
    return np.select([labels.array == 1, labels.array == 2], [low, high], 0)


def run(raw, **options):
    return predict(raw / "imagesTs", raw / "out", device="cpu", **options)


def test_all_cases_are_predicted_on_their_own_grids(raw):
    paths = run(raw)
    assert [path.name for path in paths] == ["a.nii.gz", "b.nii.gz"]
    for case, path in zip("ab", paths):
        pet, ct = read_volume(path), read_volume(raw / "imagesTs" / f"{case}_0000.nii.gz")
        assert pet.grid.matches(ct.grid)
        assert pet.array.dtype == np.float32
        np.testing.assert_allclose(pet.to_canonical().array, expected(), atol=1e-3)


def test_the_provenance_is_written_without_paths(raw):
    run(raw, step_size=0.5)
    text = (raw / "out" / "prediction.json").read_text()
    content = json.loads(text)
    assert content["model"] == "scaled"
    assert content["step_size"] == 0.5
    assert sorted(content["checkpoints_sha256"]["low"]) == ["fold_0", "fold_1"]
    assert len(set(content["checkpoints_sha256"]["low"].values())) == 2
    assert str(raw) not in text


def origin(case):
    training_cases = case_digests("Dataset001_Tiny", [case, "both"])
    return {"training_cases": training_cases, "num_training_cases": 2, "runs": [{"seed": 1}, {"seed": 2}]}


def test_the_origin_of_the_networks_is_recorded_with_the_predictions(raw):
    write_trained(raw / "results", {"low": {0: 0.5}}, origin=origin("one"))
    run(raw, folds=["0"])
    assert json.loads((raw / "out" / "prediction.json").read_text())["training_cases"] is None  # high does not say
    write_trained(raw / "results", {"high": {0: 2.0}}, origin=origin("other"))
    run(raw, folds=["0"])
    content = json.loads((raw / "out" / "prediction.json").read_text())
    assert content["training_cases"] == case_digests("Dataset001_Tiny", ["one", "other", "both"])
    facts = content["trained"]["low"]["fold_0"]
    assert (facts["num_training_cases"], facts["run"]) == (2, {"seed": 2})


def test_training_cases_are_unknown_where_those_of_the_initial_weights_are(raw):
    unknown = {"pretrained_weights": {"dataset_name": "Dataset001_Tiny", "training_cases_known": False}}
    write_trained(raw / "results", {"low": {0: 0.5}}, origin={**origin("one"), **unknown})
    write_trained(raw / "results", {"high": {0: 2.0}}, origin=origin("other"))
    run(raw, folds=["0"])
    assert json.loads((raw / "out" / "prediction.json").read_text())["training_cases"] is None


def test_the_model_of_the_lesions_is_recorded_and_adds_its_higher_suv(raw):
    write_trained(raw / "results", {"high": {0: 3.0}}, plans=replace(hand_plans(), plans_name="lesions"))
    lesions = "scaled__lesions__high"
    run(raw, plans_name="ct2petPlans", lesion_model=lesions)
    content = json.loads((raw / "out" / "prediction.json").read_text())
    assert content["model"] == f"scaled__ct2petPlans + {lesions}"
    assert [one.get("only_lesions", False) for one in content["ensemble"]] == [False, True]
    ct, labels = two_district_case()
    more = np.where(labels.array == 2, expected_suv(ct.array), 0)  # of 3 over 2
    found = read_volume(raw / "out" / "a.nii.gz").array
    np.testing.assert_allclose(found, expected() + more * np.clip((more - 1) / 2, 0, 1), atol=1e-3)
    assert more.max() > 3


def test_nothing_stays_where_every_case_fails(raw):
    """Neither of a new folder nor of predictions that are to be replaced; a part leaves the record of all parts."""
    (one, other) = (raw / "imagesTs" / f"{case}_0000.nii.gz" for case in "ab")
    for path in (one, other):
        path.write_bytes(b"damaged")
    with pytest.raises(CasesFailed) as caught:
        run(raw)
    assert not caught.value.some_done
    assert content_of(raw / "out") == {}
    with pytest.raises(CasesFailed):
        run(raw, num_parts=2)
    assert list(content_of(raw / "out")) == ["prediction.json"]


def test_the_record_keeps_every_run_of_a_prediction(raw):
    paths = run(raw)
    with command_line("ct2pet_predict", ["--continue_prediction", "nothing is left to do"]):
        run(raw, continue_prediction=True)
    paths[1].unlink()
    with command_line("ct2pet_predict", ["--continue_prediction"]):
        run(raw, continue_prediction=True)
    commands = [some["command"] for some in json.loads((raw / "out" / "prediction.json").read_text())["runs"]]
    assert commands == [None, "ct2pet_predict --continue_prediction"]
    run(raw)
    assert len(json.loads((raw / "out" / "prediction.json").read_text())["runs"]) == 1


def test_finished_cases_are_kept_and_missing_ones_made(raw):
    first, second = run(raw)
    before = first.stat().st_mtime_ns
    second.unlink()
    (raw / "out" / ".partial-abcdefgh-b.nii.gz").touch()
    (raw / "out" / ".partial-abcdefgh-other.nii.gz").touch()
    run(raw, continue_prediction=True)
    assert first.stat().st_mtime_ns == before
    assert second.exists()
    assert [path.name for path in (raw / "out").glob(".*")] == [".partial-abcdefgh-other.nii.gz"]


def test_predictions_of_another_model_are_never_continued(raw):
    run(raw)
    with pytest.raises(Ct2PetError, match=r"prediction\.json: predicted with another model or other settings"):
        run(raw, continue_prediction=True, blend_mm=9.0)
    write_trained(raw / "results", {"low": {0: 0.7}})
    with pytest.raises(Ct2PetError, match="predicted with another model"):
        run(raw, continue_prediction=True)
    run(raw)
    run(raw, continue_prediction=True)


def test_a_case_that_fails_is_named_and_the_others_are_done(raw, capsys):
    ct, labels = two_district_case()
    (raw / "imagesTs" / "a_0000.nii.gz").write_bytes(b"no image")
    write(raw, "c", ct.with_array(ct.array + 5000), labels)
    write(raw, "d", ct, labels)
    (raw / "districtsTs" / "d.nii.gz").unlink()
    with pytest.raises(CasesFailed) as caught:
        run(raw)
    assert caught.value.some_done
    assert sorted(caught.value.failures) == ["a", "c", "d"]
    assert "not a CT in HU" in caught.value.failures["c"]
    assert "no district map d" in caught.value.failures["d"]
    assert "cannot be segmented" in capsys.readouterr().err
    assert sorted(path.name for path in (raw / "out").glob("*.nii.gz")) == ["b.nii.gz"]


def test_predicted_cases_have_pictures_also_where_another_case_failed(raw):
    (raw / "imagesTs" / "a_0000.nii.gz").write_bytes(b"no image")
    with pytest.raises(CasesFailed, match="could not be predicted"):
        run(raw, pictures=True)
    assert [path.name for path in (raw / "out").glob("*.png")] == ["b.png"]


def test_the_error_reports_that_no_case_can_be_done(raw):
    for case in "ab":
        (raw / "imagesTs" / f"{case}_0000.nii.gz").write_bytes(b"no image")
    with pytest.raises(CasesFailed) as caught:
        run(raw)
    assert not caught.value.some_done


def test_parts_together_are_the_whole(raw):
    assert [path.name for path in run(raw, num_parts=2, part_id=1)] == ["b.nii.gz"]
    assert [path.name for path in run(raw, num_parts=2, part_id=0)] == ["a.nii.gz"]
    assert len(list((raw / "out").glob("*.nii.gz"))) == 2


def test_like_takes_the_grid_of_a_file_or_of_the_file_of_the_case(raw):
    grid = Grid((9, 8, 7), (7.0, 6.0, 5.0), two_district_case()[0].grid.origin)
    write_volume(raw / "like" / "a.nii.gz", Volume(np.zeros(grid.shape, np.uint8), grid))
    ct = raw / "imagesTs" / "a_0000.nii.gz"
    for number, place in enumerate((raw / "like", raw / "like" / "a.nii.gz")):
        (path,) = predict(ct, raw / f"pet{number}.nii.gz", like=place, device="cpu")
        assert read_volume(path).grid.matches(grid)
        assert (raw / f"pet{number}.json").exists()
    with pytest.raises(CasesFailed, match="no image b with the grid"):
        run(raw, like=raw / "like")


def test_the_grid_of_the_ct_or_of_the_plans(raw):
    ct, labels = two_district_case(spacing=(2.0, 3.0, 3.0))
    write(raw, "fine", ct, labels)
    source = raw / "imagesTs" / "fine_0000.nii.gz"
    (path,) = predict(source, raw / "ct", grid="ct", device="cpu")
    assert read_volume(path).grid.matches(ct.grid)
    (path,) = predict(source, raw / "pet", device="cpu")
    assert read_volume(path).grid.spacing == pytest.approx((4.0, 4.0, 4.0))
    with pytest.raises(Ct2PetError, match="pet, ct"):
        predict(source, raw / "pet", grid="mr")


def test_without_district_maps_and_a_segmenter_that_can_make_them_nothing_starts(raw):
    (raw / "imagesTs").rename(raw / "scans")
    with pytest.raises(Ct2PetError):
        predict(raw / "scans", raw / "out", segmenter="files", device="cpu")
    assert not (raw / "out").exists()
    assert len(predict(raw / "scans", raw / "out", districts=raw / "districtsTs", device="cpu")) == 2


def test_files_that_are_no_predictions_are_never_replaced(raw):
    ct, _ = two_district_case()
    write_volume(raw / "out" / "b.nii.gz", ct)
    with pytest.raises(Ct2PetError, match=r"b\.nii\.gz: would be replaced, but is not a prediction"):
        run(raw)
    assert [path.name for path in (raw / "out").iterdir()] == ["b.nii.gz"]


def test_killed_at_any_file_and_continued_it_ends_with_what_an_uninterrupted_run_gives(raw, monkeypatch):
    run(raw)
    whole = content_of(raw / "out")
    shutil.rmtree(raw / "out")
    assert killed_until_done(lambda: run(raw, continue_prediction=True), monkeypatch) == 4  # the lock's record, too
    assert content_of(raw / "out") == whole
    assert [name for name in partial_files(raw / "out") if not name.endswith("prediction.json")] == []


def test_a_second_prediction_into_one_folder_is_refused_unless_both_have_a_share(raw):
    with folder_lock(raw / "out", "a prediction"):
        with pytest.raises(Ct2PetError, match=r"out: process \d+ uses this folder .*a prediction"):
            predict(raw / "imagesTs", raw / "out", device="cpu")
        predict(raw / "imagesTs", raw / "out", device="cpu", num_parts=2, part_id=0)
    assert [path.name for path in (raw / "out").glob("*.nii.gz")] == ["a.nii.gz"]
