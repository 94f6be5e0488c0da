from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import FIELDS, tiny_plans
from tiny_store import write_tiny_store
from trainings import PulledPlugError, final_weights, make_run, same

from ct2pet.checkpoint import load_checkpoint
from ct2pet.errors import TrainingError
from ct2pet.imageio import read_volume
from ct2pet.inference.volumes import predict_volume
from ct2pet.models import load_model
from ct2pet.preprocessing.storage import read_images
from ct2pet.provenance import cases_among
from ct2pet.training import Stage, Trainer, train, validate
from ct2pet.training.drafts import DraftStore
from ct2pet.volume import Box

pytestmark = pytest.mark.usefixtures("without_pictures")
CASES = ["A0", "A1", "A2", "A3"]
SPLITS = [{"train": [c for c in CASES if c != case], "val": [case]} for case in CASES]
NUMBERS = {"num_epochs": 2, "iterations_per_epoch": 2, "inner_folds": 2, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_tiny_store(tmp_path_factory.mktemp("store"), 4, shape=(16, 16, 18))


def make(store, folder, training=CASES[:3], validation=CASES[3:], model="regc2p", numbers=None, **options):
    own = NUMBERS if model == "regc2p" else {"num_epochs": 2, "iterations_per_epoch": 2}
    plans = replace(tiny_plans(), models={model: {**own, **(numbers or {})}})
    return make_run(store, folder, plans, model, ([*training], [*validation]), SPLITS, **options)


@pytest.fixture(scope="module")
def trained(store, tmp_path_factory):
    """A training of A0, A1 and A2, done in one go and validated."""
    folder = tmp_path_factory.mktemp("trained") / "fold_0"
    train(make(store, folder, final_validation=True))
    return folder


def model_of(checkpoint):
    content = load_checkpoint(checkpoint)
    numbers = content["plans"]["models"]["regc2p"]
    model = load_model("regc2p")(tiny_plans().configuration("trunk"), FIELDS, numbers)
    model.load_state_dict(content["model"])
    return model.eval()


def drafts_of(store, folder):
    """The cases with what the first stage predicted of them."""
    return DraftStore(store, folder / "slices" / "drafts", make(store, folder).build().stages["slices"])


def predicted(model, store, case, **options):
    content = store.open(case).read_all()
    with torch.inference_mode():
        return predict_volume([model], {"CT": content["CT"].astype(np.float32)}, content["mask"], **options)["PET"]


def test_a_draft_is_made_by_a_training_that_has_not_seen_the_case(store, trained):
    nearest = {}
    for case in CASES:
        box = Box((0, 0, 0), store.open(case).shape)
        (draft,) = read_images(trained / "slices" / "drafts" / f"{case}.b2nd", box).astype(np.float32)
        distances = {}
        for path in trained.glob("slices/**/checkpoint_final.pth"):
            pet = predicted(model_of(path), store, case, until="slices")
            distances[path.parent.name] = np.abs(pet - draft).max()
        nearest[case], second = sorted(distances, key=distances.__getitem__)[:2]
        assert distances[nearest[case]] < 0.1 * distances[second]
    assert nearest == {"A0": "inner_0", "A1": "inner_1", "A2": "inner_0", "A3": "slices"}
    for number, held_out in ((0, ["A0", "A2"]), (1, ["A1"])):
        record = load_checkpoint(trained / "slices" / f"inner_{number}" / "checkpoint_final.pth")["provenance"]
        assert record["num_training_cases"] == 3 - len(held_out)


def test_the_final_checkpoint_contains_the_trained_first_stage(trained):
    whole = load_checkpoint(trained / "checkpoint_final.pth")
    first = load_checkpoint(trained / "slices" / "checkpoint_final.pth")["model"]
    for name, value in whole["model"].items():
        if name.startswith("parts.slices"):
            assert torch.equal(value, first[name]), name
    last = "parts.refinement.generator.decoder.seg_layers.0.weight"
    assert not torch.equal(whole["model"][last], first[last])
    said = {"slices": "predictions of cases left out of 2 inner trainings"}
    assert whole["provenance"]["stages_learn_from"] == said


def test_validation_uses_both_stages(store, trained):
    expected = 10 * np.maximum(predicted(model_of(trained / "checkpoint_final.pth"), store, "A3"), 0)
    written = trained / "validation" / "A3.nii.gz"
    np.testing.assert_allclose(read_volume(written).array, expected, atol=1e-4)
    written.unlink()
    validate(make(store, trained))
    np.testing.assert_allclose(read_volume(written).array, expected, atol=1e-4)


def test_the_second_stage_is_trained_with_drafts_and_not_with_the_ct(store, trained, tmp_path):
    run, drafts = make(store, trained), drafts_of(store, trained)
    trainer = Trainer(run, run.build(), Stage("refinement", drafts))
    batch = trainer.loop.loader.batch(0)
    assert {*batch.tensors} == {"PET_draft", "PET", "mask"}
    known = np.unique(np.concatenate([drafts.open(case).read_all()["PET_draft"].ravel() for case in CASES[:3]]))
    patch = batch.tensors["PET_draft"].numpy()
    assert np.isin(patch[batch.tensors["mask"].numpy()], known.astype(np.float32)).all()
    inside = batch.tensors["mask"]
    assert not torch.allclose((batch.tensors["PET_draft"][inside] + 1) / 2, batch.tensors["PET"][inside], atol=0.05)


def test_all_cases_are_trained_and_predicted_for_the_fold_all(store, tmp_path):
    train(make(store, tmp_path, CASES, CASES, num_epochs=1))
    for number in range(2):
        record = load_checkpoint(tmp_path / "slices" / f"inner_{number}" / "checkpoint_final.pth")["provenance"]
        assert record["num_training_cases"] == 2
    assert {path.stem for path in (tmp_path / "slices" / "drafts").glob("*.b2nd")} == {*CASES}


def test_without_inner_folds_a_message_states_that_predictions_are_of_training_cases(store, tmp_path, caplog):
    train(make(store, tmp_path, numbers={"inner_folds": 1}, num_epochs=1))
    assert "predictions of cases that the stage was trained with" in caplog.text
    origin = load_checkpoint(tmp_path / "checkpoint_final.pth")["provenance"]["stages_learn_from"]
    assert origin == {"slices": "predictions of cases that the stage was trained with"}
    assert not list((tmp_path / "slices").glob("inner_*"))


def test_without_the_second_stage_there_is_one_training_in_the_folder_itself(store, tmp_path):
    train(make(store, tmp_path, numbers={"refinement": False}, num_epochs=1))
    assert (tmp_path / "checkpoint_final.pth").exists()
    assert not (tmp_path / "slices").exists()


def test_a_method_of_one_stage_is_trained_by_one_trainer(store, tmp_path):
    train(make(store, tmp_path / "staged", model="pix2pix"))
    run = make(store, tmp_path / "plain", model="pix2pix")
    Trainer(run, run.build()).run()
    assert same(final_weights(tmp_path / "staged"), final_weights(tmp_path / "plain"))


def test_cases_without_the_district_are_not_used(tmp_path):
    store = write_tiny_store(tmp_path / "store", 3, shape=(16, 16, 18))
    record = store.record("A0")
    store.write("A3", None, "key", record.decisions)
    train(make(store, tmp_path / "fold", CASES, ["A3"], num_epochs=1))
    assert {path.stem for path in (tmp_path / "fold" / "slices" / "drafts").glob("*.b2nd")} == {"A0", "A1", "A2"}
    provenance = load_checkpoint(tmp_path / "fold" / "checkpoint_final.pth")["provenance"]
    assert provenance["num_training_cases"] == 3


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
            train(make(store, folder, resume=True))
    train(make(store, folder, resume=True))
    assert [path.relative_to(folder).as_posix() for path in kills] == [
        "slices",
        "slices/inner_0",
        "slices/inner_1",
        ".",
    ]
    assert same(final_weights(trained), final_weights(folder))


def test_finished_stages_and_drafts_are_not_changed(store, trained):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.is_file()}
    train(make(store, trained, resume=True, final_validation=True))
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.is_file()} == before


def interrupted_after_the_first_stage(run, monkeypatch):
    def gone(*_):
        raise PulledPlugError

    with monkeypatch.context() as patch:
        patch.setattr(DraftStore, "make", gone)
        with pytest.raises(PulledPlugError):
            train(run)


def test_a_training_with_initial_weights_is_not_continued_without_them(store, trained, tmp_path, monkeypatch):
    """The later stages need them, too."""
    options = {"numbers": {"inner_folds": 1}, "num_epochs": 1}
    run = make(store, tmp_path, CASES[:2], CASES[3:], pretrained_weights=trained, **options)
    interrupted_after_the_first_stage(run, monkeypatch)
    with pytest.raises(TrainingError, match=r"began with initial weights, .* name them again \(-pretrained_weights\)"):
        train(make(store, tmp_path, CASES[:2], CASES[3:], resume=True, **options))
    train(replace(run, options=replace(run.options, resume=True)))
    provenance = load_checkpoint(tmp_path / "checkpoint_final.pth")["provenance"]
    assert provenance["pretrained_weights"]["model"] == "regc2p"
    assert cases_among(provenance["training_cases"], provenance["dataset_name"], CASES) == CASES[:3]
    train(make(store, tmp_path, CASES[:2], CASES[3:], resume=True, **options))  # all stages have begun


def test_cases_of_an_earlier_stage_are_training_cases_of_the_whole(store, trained, tmp_path, monkeypatch):
    """Also where the later stages start with the weights of another training."""
    options = {"numbers": {"inner_folds": 1}, "num_epochs": 1}
    train(make(store, tmp_path / "other", CASES[1:2], CASES[3:], **options))
    run = make(store, tmp_path / "run", CASES[1:2], CASES[3:], pretrained_weights=trained, **options)
    interrupted_after_the_first_stage(run, monkeypatch)
    train(replace(run, options=replace(run.options, resume=True, pretrained_weights=tmp_path / "other")))
    provenance = load_checkpoint(tmp_path / "run" / "checkpoint_final.pth")["provenance"]
    assert cases_among(provenance["training_cases"], provenance["dataset_name"], CASES) == CASES[:3]


def test_stages_of_other_training_cases_are_not_reused(store, trained):
    """Neither the first stage nor an inner training, whose predictions would be of cases that it has seen."""
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*.*") if path.is_file()}
    with pytest.raises(TrainingError, match=r"slices: this part .* had other training cases; restore .*--overwrite"):
        train(make(store, trained, CASES[1:], CASES[:1], resume=True))
    together = [{"train": ["A2", "A3"], "val": ["A0", "A1"]}, {"train": ["A0", "A1"], "val": ["A2"]}]
    with pytest.raises(TrainingError, match="inner_0: this part of the training had other training cases"):
        train(replace(make(store, trained, resume=True), splits=together))
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*.*") if path.is_file()} == before
