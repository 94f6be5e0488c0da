import json
from dataclasses import replace

import pytest
from tiny import tiny_plans
from tiny_store import write_tiny_store
from trainings import (
    AVERAGED,
    SHORT,
    PulledPlugError,
    final_weights,
    make_run,
    make_trainer,
    rotating_plans,
    run_until,
    same,
)
from version_1 import checkpoint_of_version_1, plans_of_version_1

from ct2pet.checkpoint import load_checkpoint, save_checkpoint
from ct2pet.dataset import Field
from ct2pet.errors import CheckpointError, TrainingError
from ct2pet.evaluation import read_summary
from ct2pet.planning.plans import Plans
from ct2pet.provenance import cases_among
from ct2pet.training import checkpoints as checkpoints_module
from ct2pet.training.checkpoints import Checkpoints

pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_tiny_store(tmp_path_factory.mktemp("store"))


def test_a_finished_training_is_not_overwritten(store, tmp_path):
    make_trainer(store, tmp_path, num_epochs=1).run()
    before = final_weights(tmp_path)
    with pytest.raises(TrainingError, match=r"is finished; --c"):
        make_trainer(store, tmp_path, num_epochs=1).run()
    make_trainer(store, tmp_path, num_epochs=1, resume=True).run()
    assert same(before, final_weights(tmp_path))


def test_a_training_is_removed_with_all_its_stages_and_validations(tmp_path):
    for name in (
        "registration/checkpoint_final.pth",
        "validation/summary.json",
        "validation_best/summary.json",
        "my/a",
    ):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    checkpoints_module.remove_training(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()] == ["my/a"]


def test_a_training_that_continues_records_its_earlier_runs(store, tmp_path):
    for number in (1, 2, 2):
        make_trainer(store, tmp_path, num_epochs=number, iterations_per_epoch=1, seed=number, resume=number > 1).run()
    provenance = load_checkpoint(tmp_path / "checkpoint_final.pth")["provenance"]
    assert [(run["num_epochs"], run["seed"]) for run in provenance["runs"]] == [(1, 1), (2, 2)]
    assert json.loads((tmp_path / "provenance.json").read_text()) == provenance
    assert cases_among(provenance["training_cases"], provenance["dataset_name"], ["A0", "A1", "A2"]) == ["A0", "A1"]


@pytest.mark.parametrize("weights", [None, "first"])
def test_a_training_that_continues_with_other_cases_says_so_and_records_all(store, tmp_path, capsys, weights):
    options = {"iterations_per_epoch": 1, "pretrained_weights": weights and tmp_path / weights}
    if weights:
        make_trainer(store, tmp_path / weights, num_epochs=1, cases=(["A1", "A2"], [])).run()
    run = tmp_path / "run"
    make_trainer(store, run, num_epochs=1, cases=(["A0", "A1"], ["A2"]), **options).run()
    make_trainer(store, run, num_epochs=2, cases=(["A0", "A1"], ["A2"]), resume=True, **options).run()
    assert "other training cases" not in capsys.readouterr().err
    make_trainer(store, run, num_epochs=3, cases=(["A1", "A2"], ["A0"]), resume=True, **options).run()
    assert "continues with other training cases than before" in capsys.readouterr().err
    provenance = load_checkpoint(run / "checkpoint_final.pth")["provenance"]
    seen = cases_among(provenance["training_cases"], provenance["dataset_name"], ["A0", "A1", "A2"])
    assert seen == ["A0", "A1", "A2"]


def test_more_epochs_replace_the_final_checkpoint_and_its_validation_wherever_they_are_interrupted(
    store, tmp_path, monkeypatch
):
    options = {"iterations_per_epoch": 1, "final_validation": True}
    make_trainer(store, tmp_path, num_epochs=1, **options).run()
    summary = tmp_path / "validation" / "summary.json"
    summary.write_text("of one epoch")

    def killed(path, content):
        if path.name == "checkpoint_final.pth":
            raise PulledPlugError
        save_checkpoint(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints_module, "save_checkpoint", killed)
        with pytest.raises(PulledPlugError):
            make_trainer(store, tmp_path, num_epochs=2, resume=True, **options).run()
    make_trainer(store, tmp_path, num_epochs=2, resume=True, **options).run()
    assert load_checkpoint(tmp_path / "checkpoint_final.pth")["epoch"] == 2
    assert set(read_summary(summary)["cases"]) == {"A2"}


def test_an_older_checkpoint_does_not_win_over_a_newer_final_one(store, tmp_path):
    """The final one of a training that continued without checkpoints."""
    options = {"iterations_per_epoch": 1, "resume": True}
    make_trainer(store, tmp_path, num_epochs=1, **options).run()
    make_trainer(store, tmp_path, num_epochs=1, checkpointing=False, **options).run()
    assert (tmp_path / "checkpoint_latest.pth").exists()  # of the same epoch
    make_trainer(store, tmp_path, num_epochs=3, checkpointing=False, **options).run()
    longest = final_weights(tmp_path)
    make_trainer(store, tmp_path, num_epochs=2, **options).run()
    assert load_checkpoint(tmp_path / "checkpoint_final.pth")["epoch"] == 3
    assert same(longest, final_weights(tmp_path))


@pytest.mark.parametrize("labels", [{"benign": 0, "malignant": 1}, {"benign": 1, "malignant": 0, "unknown": 2}])
def test_a_checkpoint_of_other_classes_is_not_continued(tmp_path, labels):
    run = make_run(None, tmp_path, with_classes({"benign": 1, "malignant": 0}))
    Checkpoints(run).save("checkpoint_latest.pth", 1, {"best": 1.0})
    assert Checkpoints(run).load("checkpoint_latest.pth")["best"] == 1.0
    with pytest.raises(CheckpointError, match="other plans"):
        Checkpoints(make_run(None, tmp_path, with_classes(labels))).load("checkpoint_latest.pth")


def test_the_unit_and_the_folder_of_a_field_may_change(tmp_path):
    plans = tiny_plans()
    Checkpoints(make_run(None, tmp_path, plans)).save("checkpoint_latest.pth", 1, {"best": 1.0})
    renamed = replace(plans, fields=[replace(one, unit="other", folder="elsewhere") for one in plans.fields])
    assert Checkpoints(make_run(None, tmp_path, renamed)).load("checkpoint_latest.pth")["best"] == 1.0


def with_classes(labels):
    plans = tiny_plans()
    return replace(plans, fields=[*plans.fields, Field("nodule", "condition", "category", labels=labels)])


def test_a_checkpoint_of_other_plans_is_not_continued(store, tmp_path, monkeypatch):
    run_until(make_trainer(store, tmp_path), 1, monkeypatch)
    with pytest.raises(CheckpointError, match="other plans"):
        make_trainer(store, tmp_path, tiny_plans(batch_size=1), resume=True).run()


def test_a_training_is_continued_with_another_length_but_not_another_learning_rate(store, tmp_path, monkeypatch):
    plans = tiny_plans()
    run_until(make_trainer(store, tmp_path, plans), 1, monkeypatch)
    numbers = plans.models["pix2pix"]
    slower = replace(plans, models={"pix2pix": {**numbers, "learning_rate": 1e-4}})
    with pytest.raises(CheckpointError, match="other plans"):
        make_trainer(store, tmp_path, slower, resume=True).run()
    longer = replace(plans, models={"pix2pix": {**numbers, "num_epochs": 5}})
    make_trainer(store, tmp_path, longer, resume=True).run()
    assert load_checkpoint(tmp_path / "checkpoint_final.pth")["epoch"] == 5


def rewrite_as_version_1(path, edit=lambda content: None):
    content = checkpoint_of_version_1(load_checkpoint(path))
    edit(content)
    save_checkpoint(path, content)


def test_a_training_that_version_1_began_is_continued_bit_for_bit(store, tmp_path, monkeypatch):
    """Its plans, today's and those in the checkpoint, are of version 1; the best error so far has the old name."""
    plans = rotating_plans(AVERAGED)
    old_plans = Plans.from_json(plans_of_version_1(plans.to_json()))
    make_trainer(store, tmp_path / "whole", plans).run()
    run_until(make_trainer(store, tmp_path / "parts", plans), 2, monkeypatch)
    latest = tmp_path / "parts" / "checkpoint_latest.pth"
    best = load_checkpoint(latest)["best"]
    rewrite_as_version_1(latest)
    content = load_checkpoint(latest)
    assert "best" not in content
    assert (content["best_mae"], content["plans"]["schema_version"]) == (best, 1)
    assert "generator" in content["plans"]["configurations"]["trunk"]

    make_trainer(store, tmp_path / "parts", old_plans, resume=True).run()
    for name in ("checkpoint_latest.pth", "checkpoint_best.pth", "checkpoint_final.pth"):
        whole, parts = (load_checkpoint(tmp_path / run / name) for run in ("whole", "parts"))
        for part in ("model", "optimizers", "average", "best", "epoch"):
            assert same(whole.get(part), parts.get(part)), f"{name}: {part}"


def test_a_checkpoint_of_version_1_with_another_window_is_not_continued(store, tmp_path, monkeypatch):
    plans = rotating_plans(AVERAGED)
    run_until(make_trainer(store, tmp_path, plans), 1, monkeypatch)

    def edit(content):
        content["plans"]["configurations"]["trunk"]["ct_normalization"]["lower_hu"] = -400.0

    rewrite_as_version_1(tmp_path / "checkpoint_latest.pth", edit)
    with pytest.raises(CheckpointError, match="other plans"):
        make_trainer(store, tmp_path, plans, resume=True).run()


def test_the_best_error_of_version_1_is_still_the_one_to_beat(store, tmp_path, monkeypatch):
    plans = replace(tiny_plans(), models={"pix2pix": SHORT})
    run_until(make_trainer(store, tmp_path, plans), 2, monkeypatch)
    latest = tmp_path / "checkpoint_latest.pth"
    rewrite_as_version_1(latest, lambda content: content.update(best_mae=1e-9))
    (tmp_path / "checkpoint_best.pth").unlink()
    make_trainer(store, tmp_path, plans, resume=True).run()
    assert not (tmp_path / "checkpoint_best.pth").exists()  # no epoch since was better
    assert load_checkpoint(tmp_path / "checkpoint_final.pth")["best"] == 1e-9
