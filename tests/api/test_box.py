"""The built-in model, on a phantom that it was not trained with."""

import json

import numpy as np
import pytest

from ct2pet.api.prediction import predict
from ct2pet.imageio import read_volume, write_volume
from ct2pet.phantom import DEMO, DISTRICTS, LABELS, make_patient, scan
from ct2pet.phantom.field_of_view import cropped
from ct2pet.resampling import resample
from ct2pet.volume import label_mask


@pytest.fixture(scope="module")
def thighs():
    """15 cm of the thighs of a patient from head to toe."""
    patient = next(one for one in map(make_patient, range(40)) if one.field_of_view == "whole" and not one.lesions)
    low, high = np.array([-230.0, -160.0, 560.0]), np.array([230.0, 190.0, 710.0])
    return cropped(scan(patient, DEMO), low, high)


def test_with_nothing_trained_a_ct_becomes_a_pet_nearer_to_the_true_one_than_any_constant(
    thighs, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "nothing"))
    write_volume(tmp_path / "cts" / "thigh.nii.gz", thighs.ct)
    write_volume(tmp_path / "maps" / "thigh.nii.gz", thighs.districts)
    (path,) = predict(tmp_path / "cts", tmp_path / "out", districts=tmp_path / "maps", device="cpu", mirror=False)
    assert "box, built into ct2pet" in capsys.readouterr().err
    content = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert content["dataset_name"] == "Dataset900_Box"

    real = thighs.pet
    fake = resample(read_volume(path, "SUV"), real.grid).array
    organs = resample(thighs.organs, real.grid, labels=True).array
    legs = resample(thighs.districts, real.grid, labels=True).array == DISTRICTS["legs"]
    best_constant = np.abs(real.array - np.median(real.array[legs]))[legs].mean()
    assert np.abs(real.array - fake)[legs].mean() < 0.8 * best_constant
    muscle, fat = (fake[label_mask(organs, [LABELS[name]])].mean() for name in ("muscle", "fat"))
    assert muscle > 1.3 * fat
