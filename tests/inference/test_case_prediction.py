import shutil

import pytest
from hand_models import Scaled, two_district_case, write_trained
from whole_pipeline import content_of

from ct2pet.api.prediction import predict
from ct2pet.errors import CasesFailed, ImageError
from ct2pet.imageio import write_volume
from ct2pet.inference import case_prediction


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """Two cases in imagesTs and districtsTs; a trained model."""
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "results"))
    monkeypatch.setattr("ct2pet.models.load_model", {"scaled": Scaled}.__getitem__)
    write_trained(tmp_path / "results", {"low": {0: 0.5}, "high": {0: 2.0}})
    for case in "ab":
        write(tmp_path, case, *two_district_case())
    return tmp_path


def write(folder, case, ct, labels):
    write_volume(folder / "imagesTs" / f"{case}_0000.nii.gz", ct)
    write_volume(folder / "districtsTs" / f"{case}.nii.gz", labels)


def run(raw, **options):
    return predict(raw / "imagesTs", raw / "out", device="cpu", **options)


def test_reading_and_writing_in_threads_changes_no_result_and_fails_only_its_case(raw, monkeypatch):
    ct, labels = two_district_case()
    for case in "cde":
        write(raw, case, ct.with_array(ct.array + ord(case) - 100), labels)
    run(raw)
    whole = content_of(raw / "out")
    shutil.rmtree(raw / "out")
    run(raw, num_readers=2, num_writers=2)
    assert content_of(raw / "out") == whole
    shutil.rmtree(raw / "out")
    (raw / "imagesTs" / "c_0000.nii.gz").write_bytes(b"no image")
    write_one = case_prediction.write_volume

    def write_or_fail(path, volume):
        if path.name == "d.nii.gz":
            raise ImageError(f"{path}: cannot be written (the disk is full)")
        write_one(path, volume)

    monkeypatch.setattr(case_prediction, "write_volume", write_or_fail)
    with pytest.raises(CasesFailed) as caught:
        run(raw, num_readers=3, num_writers=2)
    assert sorted(caught.value.failures) == ["c", "d"]
    assert "disk is full" in caught.value.failures["d"]
    assert sorted(path.name for path in (raw / "out").glob("*.nii.gz")) == ["a.nii.gz", "b.nii.gz", "e.nii.gz"]


def test_pictures_are_next_to_the_predictions_and_old_ones_are_removed(raw):
    run(raw, pictures=True)
    assert sorted(path.name for path in (raw / "out").glob("*.png")) == ["a.png", "b.png"]
    run(raw)
    assert list((raw / "out").glob("*.png")) == []
    run(raw, pictures=True, continue_prediction=True)
    assert sorted(path.name for path in (raw / "out").glob("*.png")) == ["a.png", "b.png"]
