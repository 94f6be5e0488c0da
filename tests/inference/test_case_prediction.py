import shutil

import numpy as np
import pytest
from hand_models import Scaled, two_district_case, write_trained
from whole_pipeline import content_of

from ct2pet.api.prediction import predict
from ct2pet.errors import CasesFailed, ImageError
from ct2pet.imageio import read_volume, write_volume
from ct2pet.inference import case_prediction
from ct2pet.volume import Box, Grid, Volume


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


def test_a_ct_thinner_than_half_the_spacing_of_the_plans_is_predicted(raw):
    ct, labels = two_district_case(spacing=(1.0, 4.0, 4.0), shape=(20, 16, 14))
    slab = Box((4, 0, 0), (6, 16, 14))  # 2 mm of the district low; the spacing of the plans is 4 mm
    write(raw, "thin", ct.crop(slab), labels.crop(slab))
    source = raw / "imagesTs" / "thin_0000.nii.gz"
    for kind, count in (("pet", 1), ("ct", 2)):
        (path,) = predict(source, raw / kind, grid=kind, device="cpu")
        pet = read_volume(path).array
        assert pet.shape == (count, 16, 14)
        np.testing.assert_array_equal(pet > 0, labels.array[4 : 4 + count] > 0)


@pytest.mark.parametrize(("like", "hint"), [(None, "check the district map"), ("far.nii.gz", "check the image --like")])
def test_a_grid_without_districts_is_refused_with_what_to_check(raw, like, hint):
    ct, labels = two_district_case(spacing=(1.0, 1.0, 1.0))
    far = Volume(np.zeros((3, 3, 3), np.uint8), Grid((3, 3, 3), (4.0, 4.0, 4.0), (900.0, 0.0, 0.0)))
    write_volume(raw / "far.nii.gz", far)
    speck = np.zeros_like(labels.array)
    speck[8, 8, 8] = 1  # not at the centre of a voxel of 4 mm
    write(raw, "a", ct, labels.with_array(speck))
    source = raw / "imagesTs" / "a_0000.nii.gz"
    with pytest.raises(CasesFailed, match=f"the grid of the prediction contains no voxel of the districts; {hint}"):
        predict(source, raw / "out", like=None if like is None else raw / like, device="cpu")


def test_pictures_are_next_to_the_predictions_and_old_ones_are_removed(raw):
    run(raw, pictures=True)
    assert sorted(path.name for path in (raw / "out").glob("*.png")) == ["a.png", "b.png"]
    run(raw)
    assert list((raw / "out").glob("*.png")) == []
    run(raw, pictures=True, continue_prediction=True)
    assert sorted(path.name for path in (raw / "out").glob("*.png")) == ["a.png", "b.png"]
