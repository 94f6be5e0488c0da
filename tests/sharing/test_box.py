"""The archive in the package, as it is."""

import json
import zipfile
from pathlib import Path

import torch

from ct2pet.checkpoint import load_checkpoint
from ct2pet.phantom import DISTRICTS
from ct2pet.sharing import unpacked
from ct2pet.sharing.box import archive_of, box_file, box_plans, is_box

MOST_BYTES = 8 * 2**20


def test_the_archive_is_whole_small_and_has_a_model_of_every_district_in_half_precision():
    assert box_file().stat().st_size < MOST_BYTES
    with unpacked(box_file()) as folder:  # compares every checksum
        paths = sorted(folder.glob("*/*/fold_all/checkpoint_final.pth"))
        assert {path.parents[1].name.split("__")[-1] for path in paths} == {*DISTRICTS}
        for path in paths:
            weights = load_checkpoint(path)["model"]
            assert all(one.dtype == torch.float16 for one in weights.values() if one.is_floating_point())
            assert all(torch.isfinite(one).all() for one in weights.values())


def test_its_card_says_what_it_was_trained_with_and_what_it_is_not_for():
    with zipfile.ZipFile(box_file()) as archive:
        card = archive.read("MODEL_CARD.md").decode()
        manifest = json.loads(archive.read("model.json"))
    assert "phantoms" in card.lower()
    assert "Apache-2.0" in card
    assert "lesions cannot be expected" in card
    assert "Research only" in card
    assert manifest["dataset_name"] == "Dataset900_Box"


def test_its_plans_translate_a_ct_into_a_pet_in_the_phantoms_districts():
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


def test_an_archive_is_told_from_a_checkpoint_and_a_folder(tmp_path):
    (tmp_path / "checkpoint.pth").write_bytes(b"weights")
    assert archive_of(tmp_path / "checkpoint.pth") is None
    assert archive_of(tmp_path) is None
    assert archive_of(box_file()) == box_file()
