from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import tiny_plans
from tiny_store import write_tiny_store

from ct2pet.checkpoint import load_checkpoint
from ct2pet.imageio import read_volume
from ct2pet.inference.stages import translate_volume
from ct2pet.models import load_model
from ct2pet.preprocessing.normalization import pet_as_input
from ct2pet.training import StagedTraining, TrainingOptions
from ct2pet.training import staged as staged_module
from ct2pet.training.trainer import Trainer
from ct2pet.volume import Box

OPTIONS = TrainingOptions(deterministic=True, show_bar=False, num_workers=0, final_validation=False)
CASES = ["A0", "A1", "A2", "A3"]
SPLITS = [{"train": [c for c in CASES if c != case], "val": [case]} for case in CASES]
NUMBERS = {"num_epochs": 2, "iterations_per_epoch": 2, "inner_folds": 2, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_tiny_store(tmp_path_factory.mktemp("store"), 4, shape=(16, 16, 18))


def make(store, folder, training=CASES[:3], validation=CASES[3:], model="regc2p", numbers=None, **options):
    own = NUMBERS if model == "regc2p" else {"num_epochs": 2, "iterations_per_epoch": 2}
    plans = replace(tiny_plans(), models={model: {**own, **(numbers or {})}})
    cases = ([*training], [*validation])
    return StagedTraining(model, "trunk", plans, store, cases, SPLITS, folder, replace(OPTIONS, **options))


@pytest.fixture(scope="module")
def trained(store, tmp_path_factory):
    """A training of A0, A1 and A2, done in one go and validated."""
    folder = tmp_path_factory.mktemp("trained") / "fold_0"
    make(store, folder, final_validation=True).run()
    return folder


def model_of(checkpoint):
    content = load_checkpoint(checkpoint)
    model = load_model("regc2p")(tiny_plans().configuration("trunk"), content["plans"]["models"]["regc2p"])
    model.load_state_dict(content["model"])
    return model.eval()


def stored(store, case):
    opened = store.open(case)
    content = opened.read(Box((0, 0, 0), opened.shape))
    return content["ct"].astype(np.float32), content["mask"]


@torch.inference_mode()
def test_a_draft_is_made_by_a_training_that_has_not_seen_the_case(store, trained):
    nearest = {}
    for case in CASES:
        draft = np.load(trained / "drafts" / f"{case}.npy").astype(np.float32)
        distances = {}
        for path in trained.glob("slices/**/checkpoint_final.pth"):
            pet = translate_volume(model_of(path), *stored(store, case), until="slices")
            distances[path.parent.name] = np.abs(pet - draft).max()
        nearest[case], second = sorted(distances, key=distances.__getitem__)[:2]
        assert distances[nearest[case]] < 0.1 * distances[second]
    assert nearest == {"A0": "inner_0", "A1": "inner_1", "A2": "inner_0", "A3": "slices"}
    for number, held_out in ((0, ["A0", "A2"]), (1, ["A1"])):
        record = load_checkpoint(trained / "slices" / f"inner_{number}" / "checkpoint_final.pth")["provenance"]
        assert record["num_training_cases"] == 3 - len(held_out)


def test_the_final_checkpoint_holds_the_first_stage_as_it_was_trained(trained):
    whole = load_checkpoint(trained / "checkpoint_final.pth")
    first = load_checkpoint(trained / "slices" / "checkpoint_final.pth")["model"]
    for name, value in whole["model"].items():
        if name.startswith("parts.slices"):
            assert torch.equal(value, first[name]), name
    last = "parts.refinement.generator.decoder.seg_layers.0.weight"
    assert not torch.equal(whole["model"][last], first[last])
    assert whole["provenance"]["second_stage_learns_from"] == "predictions of cases left out of 2 inner trainings"


@torch.inference_mode()
def test_validation_goes_through_both_stages(store, trained):
    ct, mask = stored(store, "A3")
    expected = 10 * np.maximum(translate_volume(model_of(trained / "checkpoint_final.pth"), ct, mask), 0)
    np.testing.assert_allclose(read_volume(trained / "validation" / "A3.nii.gz").array, expected, atol=1e-4)


def test_the_second_stage_learns_from_drafts(store, trained, tmp_path):
    second = make(store, trained)
    drafts = staged_module.DraftStore(store, trained / "drafts")
    trainer = second._trainer(tmp_path, staged_module.Stage("refinement", drafts))
    batch = trainer.loader.batch(0)
    lowest = min(pet_as_input(np.load(trained / "drafts" / f"{case}.npy").astype(np.float32)).min() for case in CASES)
    assert batch.tensors["ct"].min() >= min(lowest, -1.0)
    inside = batch.tensors["mask"]
    assert not torch.allclose((batch.tensors["ct"][inside] + 1) / 4, batch.tensors["pet"][inside], atol=0.05)


def test_all_cases_are_trained_and_drafted_for_the_fold_all(store, tmp_path):
    make(store, tmp_path, CASES, CASES, num_epochs=1).run()
    for number in range(2):
        record = load_checkpoint(tmp_path / "slices" / f"inner_{number}" / "checkpoint_final.pth")["provenance"]
        assert record["num_training_cases"] == 2
    assert {path.stem for path in (tmp_path / "drafts").glob("*.npy")} == {*CASES}


def test_without_inner_folds_it_says_that_predictions_are_of_training_cases(store, tmp_path, caplog):
    make(store, tmp_path, numbers={"inner_folds": 1}, num_epochs=1).run()
    assert "predictions of cases that the first was trained with" in caplog.text
    origin = load_checkpoint(tmp_path / "checkpoint_final.pth")["provenance"]["second_stage_learns_from"]
    assert origin == "predictions of cases that the first stage was trained with"
    assert not list((tmp_path / "slices").glob("inner_*"))


def test_without_the_second_stage_there_is_one_training_in_the_folder_itself(store, tmp_path):
    make(store, tmp_path, numbers={"refinement": False}, num_epochs=1).run()
    assert (tmp_path / "checkpoint_final.pth").exists()
    assert not (tmp_path / "slices").exists()
    assert not (tmp_path / "drafts").exists()


def test_a_method_of_one_stage_is_trained_as_ever(store, tmp_path):
    staged = make(store, tmp_path / "staged", model="pix2pix")
    staged.run()
    plans, cases = staged.plans, staged.cases
    Trainer("pix2pix", "trunk", plans, store, cases, tmp_path / "plain", OPTIONS).run()
    one, other = (load_checkpoint(tmp_path / name / "checkpoint_final.pth")["model"] for name in ("staged", "plain"))
    assert all(torch.equal(one[name], other[name]) for name in one)


class PulledPlugError(BaseException):
    """The process is gone."""


def test_killed_in_any_stage_and_resumed_it_ends_with_the_same_weights(store, trained, tmp_path, monkeypatch):
    """In the second epochs of the first stage, of its two inner trainings, and of the second stage."""
    original, kills = Trainer._finish_epoch, []

    def finish_or_die(self, epoch, row):
        if epoch == 1 and self.folder not in kills:
            kills.append(self.folder)
            raise PulledPlugError
        original(self, epoch, row)

    monkeypatch.setattr(Trainer, "_finish_epoch", finish_or_die)
    folder = tmp_path / "fold_0"
    for _ in range(4):
        with pytest.raises(PulledPlugError):
            make(store, folder, resume=True).run()
    make(store, folder, resume=True).run()
    assert [path.relative_to(folder).as_posix() for path in kills] == [
        "slices",
        "slices/inner_0",
        "slices/inner_1",
        ".",
    ]
    one, other = (load_checkpoint(path / "checkpoint_final.pth")["model"] for path in (trained, folder))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_finished_stages_and_drafts_are_left_alone(store, trained):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.is_file()}
    make(store, trained, resume=True, final_validation=True).run()
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.is_file()} == before
