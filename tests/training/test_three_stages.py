"""A method of three stages: each learns from what the one before predicts of cases that it has not seen."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import FIELDS, SUV_WINDOW, tiny_plans
from tiny_store import write_tiny_store
from torch import nn
from toy_methods.three_stages import NAMES, ThreeStages
from trainings import PulledPlugError, final_weights, make_run, same

from ct2pet.checkpoint import load_checkpoint
from ct2pet.imageio import read_volume
from ct2pet.inference.volumes import predict_volume
from ct2pet.preprocessing.normalization import as_input
from ct2pet.preprocessing.storage import read_images
from ct2pet.training import Trainer, train, validate
from ct2pet.training.drafts import DraftStore
from ct2pet.volume import Box

pytestmark = pytest.mark.usefixtures("without_pictures")
CASES = ["A0", "A1", "A2", "A3"]
SPLITS = [{"train": [c for c in CASES if c != case], "val": [case]} for case in CASES]
SHORT = {"num_epochs": 2, "iterations_per_epoch": 2, "decay_epochs": 1}
NUMBERS = {**SHORT, "inner_folds": 2, "ema_decay": 0.5, "learning_rate": 0.03}
TRAININGS = ["first", "first/inner_0", "first/inner_1", "second", "second/inner_0", "second/inner_1", "."]


@pytest.fixture(scope="module", autouse=True)
def method():
    """The plans' method ``three_stages`` is the one of the helpers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ct2pet.models.load_model", {"three_stages": ThreeStages}.__getitem__)
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_tiny_store(tmp_path_factory.mktemp("store"), 4, shape=(16, 16, 18))


def make(store, folder, **options):
    plans = replace(tiny_plans(), models={"three_stages": NUMBERS})
    return make_run(store, folder, plans, "three_stages", (CASES[:3], CASES[3:]), SPLITS, **options)


@pytest.fixture(scope="module")
def trained(store, tmp_path_factory):
    """A training of A0, A1 and A2, done in one go and validated."""
    folder = tmp_path_factory.mktemp("trained") / "fold_0"
    train(make(store, folder, final_validation=True))
    return folder


def model_of(checkpoint):
    model = ThreeStages(tiny_plans().configuration("trunk"), FIELDS, NUMBERS)
    model.load_state_dict(load_checkpoint(checkpoint)["model"])
    return model.eval()


def stage_inputs(store, folder):
    """The cases as the first, the second and the third stage see them."""
    stores, model = [store], ThreeStages(tiny_plans().configuration("trunk"), FIELDS, NUMBERS)
    for name in NAMES[:-1]:
        stores.append(DraftStore(stores[-1], folder / name / "drafts", model.stages[name]))
    return dict(zip(NAMES, stores))


def test_every_training_is_in_its_folder_and_saw_the_cases_that_it_should(trained):
    finals = {path.parent.relative_to(trained).as_posix(): path for path in trained.rglob("checkpoint_final.pth")}
    assert {*finals} == {*TRAININGS}
    numbers = {name: load_checkpoint(path)["provenance"]["num_training_cases"] for name, path in finals.items()}
    inner = {"inner_0": 1, "inner_1": 2}  # of three cases, those of the other part
    assert numbers == {name: inner.get(name.split("/")[-1], 3) for name in TRAININGS}
    said = "predictions of cases left out of 2 inner trainings"
    assert load_checkpoint(finals["."])["provenance"]["stages_learn_from"] == {"first": said, "second": said}


@pytest.mark.parametrize("stage", NAMES[:-1])
def test_the_drafts_of_each_stage_are_of_trainings_that_have_not_seen_the_case(store, trained, stage):
    """What is stored is what the inner training that left the case out predicts of the drafts of the stage before."""
    inputs = stage_inputs(store, trained)
    expected = {"A0": "inner_0", "A1": "inner_1", "A2": "inner_0", "A3": "."}
    for case, maker in expected.items():
        content = inputs[stage].open(case).read_all()
        (own,) = ThreeStages(tiny_plans().configuration("trunk"), FIELDS).stages[stage].fields.inputs
        seen = {own.name: content[own.name].astype(np.float32)}
        box = Box((0, 0, 0), content["mask"].shape)
        (drafts,) = read_images(trained / stage / "drafts" / f"{case}.b2nd", box).astype(np.float32)
        distances = {}
        for training in (".", "inner_0", "inner_1"):
            model = model_of(trained / stage / training / "checkpoint_final.pth").stages[stage]
            with torch.inference_mode():
                pet = predict_volume([model], seen, content["mask"])["PET"]
            distances[training] = np.abs(pet - drafts).max()
        nearest, second, _ = sorted(distances, key=distances.__getitem__)
        assert nearest == maker
        assert distances[nearest] < 3e-3  # the rounding of float16
        assert distances[nearest] < 0.1 * distances[second]


def test_the_final_checkpoint_contains_the_trained_earlier_stages(trained):
    """Bit by bit, although the weights are averaged (ema_decay)."""
    whole = final_weights(trained)
    for stage in NAMES[:-1]:
        own = final_weights(trained / stage)
        names = [name for name in whole if name.startswith(f"parts.{stage}.")]
        assert len(names) == 6
        assert all(torch.equal(whole[name], own[name]) for name in names)
    last = "parts.third.generator.0.weight"
    assert not torch.equal(whole[last], final_weights(trained / "second")[last])


def test_a_prediction_uses_all_three_stages(store, trained):
    """As the stages one after another by hand, in a volume that is one window."""
    model, content = model_of(trained / "checkpoint_final.pth"), store.open("A3").read_all()
    ct, mask = content["CT"].astype(np.float32)[:, :, :16], content["mask"][:, :, :16]
    images = {"CT": torch.from_numpy(ct)[None, None]}
    with torch.inference_mode():
        for stage in model.stages.values():
            pet = torch.where(torch.from_numpy(mask), stage.predict(images)["PET"], 0.0)
            images = {"PET_draft": as_input(pet, SUV_WINDOW)}
        found = predict_volume([model], {"CT": ct}, mask)["PET"]
        earlier = predict_volume([model], {"CT": ct}, mask, until="second")["PET"]
    np.testing.assert_allclose(found, pet[0, 0].numpy(), atol=1e-5)
    assert np.abs(earlier - found).max() > 1e-3


def test_the_validation_is_the_prediction_of_all_three_stages(store, trained):
    content = store.open("A3").read_all()
    with torch.inference_mode():
        inputs = {"CT": content["CT"].astype(np.float32)}
        pet = predict_volume([model_of(trained / "checkpoint_final.pth")], inputs, content["mask"])["PET"]
    written = trained / "validation" / "A3.nii.gz"
    np.testing.assert_allclose(read_volume(written).array, 10 * np.maximum(pet, 0), atol=1e-4)
    written.unlink()
    validate(make(store, trained))
    np.testing.assert_allclose(read_volume(written).array, 10 * np.maximum(pet, 0), atol=1e-4)


def test_interrupted_in_every_training_and_resumed_it_ends_with_the_same_weights(store, trained, tmp_path, monkeypatch):
    original, kills = Trainer._finish_epoch, []

    def finish_or_die(self, epoch, row):
        if epoch == 1 and self.folder not in kills:
            kills.append(self.folder)
            raise PulledPlugError
        original(self, epoch, row)

    monkeypatch.setattr(Trainer, "_finish_epoch", finish_or_die)
    folder = tmp_path / "fold_0"
    for _ in TRAININGS:
        with pytest.raises(PulledPlugError):
            train(make(store, folder, resume=True))
    train(make(store, folder, resume=True))
    assert [path.relative_to(folder).as_posix() for path in kills] == TRAININGS
    for name in TRAININGS:
        assert same(final_weights(trained / name), final_weights(folder / name)), name


def test_finished_stages_and_drafts_are_not_changed(store, trained):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.is_file()}
    train(make(store, trained, resume=True, final_validation=True))
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.is_file()} == before


def test_only_the_trained_stage_is_on_the_device(store, tmp_path, monkeypatch):
    """Nothing but its own stage is moved to the device by a trainer, and nothing that was moved there for an earlier
    stage is kept while a later one is trained."""
    methods, moved, seen = weakref.WeakSet(), weakref.WeakSet(), []
    to, epoch_of = nn.Module.to, Trainer._epoch

    def built(*arguments):
        method = ThreeStages(*arguments)
        methods.add(method)
        return method

    def noting_to(module, *arguments, **options):
        moved.add(module)
        return to(module, *arguments, **options)

    def epoch(trainer, number):
        gc.collect()
        on_device = {name for method in methods for name in NAMES if {method, method.stages[name]} & {*moved}}
        seen.append((trainer.stage.name, on_device))
        epoch_of(trainer, number)

    monkeypatch.setattr("ct2pet.models.load_model", {"three_stages": built}.__getitem__)
    monkeypatch.setattr(nn.Module, "to", noting_to)
    monkeypatch.setattr(Trainer, "_epoch", epoch)
    train(make(store, tmp_path, num_epochs=1))
    assert seen == [(name, {name}) for name in ("first",) * 3 + ("second",) * 3 + ("third",)]
