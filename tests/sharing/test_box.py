"""The archive in the package, and its prediction of a phantom that is not in its training set."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ct2pet.api.prediction import predict
from ct2pet.checkpoint import load_checkpoint
from ct2pet.imageio import read_volume, write_volume
from ct2pet.phantom import DEMO, DISTRICTS, LABELS, make_patient, scan
from ct2pet.phantom.field_of_view import cropped
from ct2pet.phantom.tissues import PART_OF
from ct2pet.resampling import resample
from ct2pet.sharing import unpacked
from ct2pet.sharing.box import archive_of, box_file, box_plans, is_box
from ct2pet.volume import label_mask

MOST_BYTES = 8 * 2**20
TYPICAL_SUV = {"muscle": 0.69, "fat": 0.31, "yellow_marrow": 0.44, "skin": 1.1}  # medians of make_varied_patient


def test_the_archive_is_whole_small_and_has_a_model_of_every_district_in_half_precision():
    assert box_file().stat().st_size < MOST_BYTES
    with unpacked(box_file()) as folder:  # compares every checksum
        paths = sorted(folder.glob("*/*/fold_all/checkpoint_final.pth"))
        assert {path.parents[1].name.split("__")[-1] for path in paths} == {*DISTRICTS}
        for path in paths:
            weights = load_checkpoint(path)["model"]
            assert all(one.dtype == torch.float16 for one in weights.values() if one.is_floating_point())
            assert all(torch.isfinite(one).all() for one in weights.values())


def test_the_card_of_the_built_in_model_states_training_data_and_excluded_uses():
    with zipfile.ZipFile(box_file()) as archive:
        card = archive.read("MODEL_CARD.md").decode()
        manifest = json.loads(archive.read("model.json"))
    assert "phantoms" in card.lower()
    assert "Apache-2.0" in card
    assert "lesions cannot be expected" in card
    assert "Research only" in card
    assert manifest["dataset_name"] == "Dataset900_Box"


def test_the_built_in_model_translates_ct_to_pet_in_the_districts_of_phantoms():
    plans = box_plans()
    assert plans.districts == DISTRICTS
    assert {*plans.configurations} == {*DISTRICTS}
    assert [one.name for one in plans.all_fields.inputs] == ["CT"]
    assert [one.name for one in plans.all_fields.targets] == ["PET"]


def test_the_name_means_the_package_unless_there_is_a_file_or_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_box("box")
    assert is_box(Path("box"))
    assert archive_of("box") == box_file()
    assert not is_box(tmp_path / "box")
    Path("box").mkdir()
    assert not is_box("box")
    assert archive_of("box") is None


def test_an_archive_is_distinguished_from_a_checkpoint_and_a_folder(tmp_path):
    (tmp_path / "checkpoint.pth").write_bytes(b"weights")
    assert archive_of(tmp_path / "checkpoint.pth") is None
    assert archive_of(tmp_path) is None
    assert archive_of(box_file()) == box_file()


@pytest.fixture(scope="module")
def thighs():
    """15 cm of the thighs of a patient from head to toe, with the typical uptake of the phantoms of the training: a CT
    does not show how much that of one patient differs from it."""
    patient = next(one for one in map(make_patient, range(40)) if one.field_of_view == "whole" and not one.lesions)
    parts = {part: TYPICAL_SUV[whole] for part, whole in PART_OF.items() if whole in TYPICAL_SUV}
    patient = replace(patient, suv={**patient.suv, **TYPICAL_SUV, **parts})
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
