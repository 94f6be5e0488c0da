import json

import pytest
import torch
from full_disk import file_size_limit

from ct2pet.api.training import train
from ct2pet.checkpoint import load_checkpoint
from ct2pet.errors import CheckpointError, Ct2PetError, TrainingError, WriteError
from ct2pet.inference.trained_models import find_trained, load_trained
from ct2pet.locks import folder_lock
from ct2pet.planning.plans import Plans
from ct2pet.training import TrainingOptions
from ct2pet.training.drafts import DraftStore

FAST = {"num_epochs": 1, "iterations_per_epoch": 1, "deterministic": True, "show_progress": False, "num_workers": 0}


def go(configurations, fold="all", model="pix2pix", **options):
    others = {name: options.pop(name) for name in ("pretrain_whole_body", "only_validate") if name in options}
    made = TrainingOptions(**{**FAST, **options})
    return train("901", model, fold, configurations=configurations, device="cpu", options=made, **others)


def final(folder):
    return load_checkpoint(folder / "checkpoint_final.pth")


def of_generator(folder):
    return of_generator_in(final(folder))


def of_generator_in(content):
    return {name: tensor for name, tensor in content["model"].items() if name.startswith("generator.")}


def distance(one, other):
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def with_plans(prepared, tmp_path, monkeypatch, change):
    """The prepared dataset with changed plans."""
    copy = tmp_path / "preprocessed" / "Dataset901_Hand"
    copy.mkdir(parents=True)
    for path in (prepared / "Dataset901_Hand").iterdir():
        (copy / path.name).symlink_to(path)
    plans = json.loads((copy / "ct2petPlans.json").read_text())
    change(plans)
    (copy / "ct2petPlans.json").unlink()
    (copy / "ct2petPlans.json").write_text(json.dumps(plans))
    monkeypatch.setenv("ct2pet_preprocessed", str(tmp_path / "preprocessed"))


def generator_of(plans, configuration):
    return plans["configurations"][configuration]["networks"]["generator"]["arguments"]


@pytest.fixture
def wide_whole_body(results, prepared, tmp_path, monkeypatch):
    """Plans in which the whole body's generator differs from those of the districts."""

    def change(plans):
        generator_of(plans, "whole_body")["features_per_stage"] = [8, 24]

    with_plans(prepared, tmp_path, monkeypatch, change)
    return results


@pytest.fixture
def two_stages(results, prepared, tmp_path, monkeypatch):
    """Plans of regc2p without inner trainings and with small networks, those of the whole body wider."""

    def change(plans):
        plans["models"]["regc2p"]["inner_folds"] = 1
        for configuration in plans["configurations"].values():
            for network in (*configuration["networks"].values(), *configuration["slices"]["networks"].values()):
                own = network["arguments"]
                own |= {name: 4 for name in ("base_features",) if name in own}
                own |= {name: [4] * len(own[name]) for name in ("features_per_stage",) if name in own}
        generator_of(plans, "whole_body")["features_per_stage"][-1] = 6

    with_plans(prepared, tmp_path, monkeypatch, change)
    return results


def test_the_whole_body_is_trained_first_and_each_district_starts_with_its_networks_and_weights(wide_whole_body, capfd):
    low, high = go(None, pretrain_whole_body=True)
    whole = wide_whole_body / "pix2pix__ct2petPlans__whole_body" / "fold_all"
    assert [low.parent.name, high.parent.name] == [f"pix2pix__ct2petPlans__{name}" for name in ("low", "high")]
    before = (whole / "checkpoint_final.pth").stat().st_mtime_ns
    for folder, name in ((low, "low"), (high, "high")):
        weights, source = of_generator(folder), of_generator(whole)
        assert weights.keys() == source.keys()
        assert 0 < distance(weights, source) < 0.01  # one step of Adam farther
        content = final(folder)
        network = Plans.from_json(content["plans"]).configuration(name).network("generator")
        assert network.arguments["features_per_stage"] == [8, 24]
        assert content["provenance"]["pretrained_weights"]["configuration"] == "whole_body"
        assert content["provenance"]["pretrained_weights"]["fold"] == "all"
    assert "weights loaded: generator" in capfd.readouterr().err

    (trained,) = find_trained(wide_whole_body.parent)
    assert {district.name for district in load_trained(trained, ["low", "high"]).districts} == {"low", "high"}

    go(["low"], pretrain_whole_body=True, resume=True, num_epochs=2)  # a finished whole body is not trained again
    assert (whole / "checkpoint_final.pth").stat().st_mtime_ns == before
    assert final(low)["epoch"] == 2
    go(["low"], resume=True, num_epochs=3)  # how the training began need not be said again
    assert final(low)["epoch"] == 3
    go(["low"], only_validate=True)
    assert (low / "validation" / "summary.json").exists()


def test_a_district_continues_from_where_it_was_interrupted_and_not_from_the_whole_body(results):
    (low,) = go(["low"], pretrain_whole_body=True, num_epochs=2)
    expected = final(low)["model"]
    (low / "checkpoint_final.pth").unlink()
    go(["low"], pretrain_whole_body=True, resume=True, num_epochs=2)
    assert distance(final(low)["model"], expected) == 0


def test_weights_of_another_training_are_taken_where_they_fit(wide_whole_body, capfd):
    (low,) = go(["low"])
    (high,) = go(["high"], pretrained_weights=low.parent)
    assert 0 < distance(of_generator(high), of_generator(low)) < 0.01
    err = capfd.readouterr().err
    assert "fold_all/checkpoint_final.pth: weights loaded: generator, discriminator" in err
    assert "networks_of" not in final(high)["provenance"]
    torch.save({"model": {}, "format_version": 1}, low / "empty.pth")
    with pytest.raises(CheckpointError, match="none of its networks fits"):
        go(["low"], fold=0, pretrained_weights=low / "empty.pth")


def test_a_fold_that_is_being_trained_is_left_to_that_training(results):
    folder = results / "pix2pix__ct2petPlans__low" / "fold_all"
    with (
        folder_lock(folder, "a training"),
        pytest.raises(Ct2PetError, match=r"fold_all: process \d+ uses this folder"),
    ):
        go(["low"])
    assert not list(folder.glob("*.pth"))
    go(["low"])
    assert (folder / "checkpoint_final.pth").exists()
    assert not list(folder.glob(".ct2pet-lock*"))


def test_a_finished_training_is_replaced_only_on_request(results, capfd):
    (low,) = go(["low"], fold=0)
    (low / "notes.txt").write_text("of a user")
    before, plans = final(low), (low.parent / "plans.json").read_bytes()
    (low.parent / "plans.json").unlink()
    with pytest.raises(TrainingError, match=r"is finished; --c .*--overwrite repeats it$"):
        go(["low"], fold=0, seed=1)
    assert not (low.parent / "plans.json").exists()  # the refusal changed nothing
    assert "replaced" not in capfd.readouterr().err
    go(["low"], fold=0, seed=1, overwrite=True)
    assert f"{low}: this finished training is replaced" in capfd.readouterr().err
    assert distance(of_generator_in(before), of_generator(low)) > 0
    assert [run["seed"] for run in final(low)["provenance"]["runs"]] == [1]
    assert (low.parent / "plans.json").read_bytes() == plans
    assert (low / "notes.txt").read_text() == "of a user"


def test_missing_weights_are_noticed_before_a_training_is_replaced(results, tmp_path):
    (low,) = go(["low"])
    with pytest.raises(CheckpointError, match="nowhere: no such file"):
        go(["low"], overwrite=True, pretrained_weights=tmp_path / "nowhere")
    assert (low / "checkpoint_final.pth").exists()


def test_initial_weights_in_the_folder_of_the_training_are_not_removed(results, tmp_path):
    """Neither with a finished training nor with an unfinished one, under any name of the folder."""
    (low,) = go(["low"])
    (tmp_path / "link").symlink_to(low)
    before = {path.name: path.read_bytes() for path in low.glob("checkpoint_*.pth")}
    for weights in (low, low / "checkpoint_best.pth", tmp_path / "link" / "checkpoint_final.pth"):
        with pytest.raises(TrainingError, match="would replace them; copy the file to another folder"):
            go(["low"], overwrite=True, pretrained_weights=weights)
    (low / "checkpoint_final.pth").unlink()
    with pytest.raises(TrainingError, match=r"checkpoint_best\.pth: these initial weights are in the folder"):
        go(["low"], pretrained_weights=low / "checkpoint_best.pth")
    assert {path.name: path.read_bytes() for path in low.glob("checkpoint_*.pth")} == {
        name: content for name, content in before.items() if name != "checkpoint_final.pth"
    }


def test_a_new_training_reports_what_it_replaces(results, capfd):
    (low,) = go(["low"], resume=True)
    assert f"{low}: no checkpoint to continue from (--c); the training starts with epoch 1" in capfd.readouterr().err
    go(["low"], resume=True)
    assert "no checkpoint" not in capfd.readouterr().err
    (low,) = go(["low"], overwrite=True)
    assert "replaced" in capfd.readouterr().err
    (low / "checkpoint_final.pth").unlink()
    (low / "checkpoint_latest.pth").unlink()
    (low,) = go(["low"])
    assert "replaced" not in capfd.readouterr().err
    (low / "checkpoint_final.pth").unlink()
    go(["low"])
    assert f"{low}: this unfinished training is replaced (--c would continue it)" in capfd.readouterr().err
    (low / "checkpoint_final.pth").unlink()
    go(["low"], resume=True)
    assert "replaced" not in capfd.readouterr().err


def test_messages_of_a_training_of_two_stages_that_is_interrupted_between_them(two_stages, monkeypatch, capfd):
    def interrupted(**options):
        def gone(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(DraftStore, "make", gone)
            with pytest.raises(KeyboardInterrupt):
                go(["low"], model="regc2p", **options)
        return capfd.readouterr().err

    folder = two_stages / "regc2p__ct2petPlans__low" / "fold_all"
    go(["whole_body"], model="regc2p")
    assert "replaced" not in interrupted(pretrain_whole_body=True)
    with pytest.raises(TrainingError, match=r"fold_all: not finished, but .* slices; --c .*, --overwrite repeats it"):
        go(["low"], model="regc2p")
    assert "no checkpoint" not in interrupted(resume=True)  # and how it began need not be said again
    go(["low"], model="regc2p", resume=True)
    assert final(folder)["provenance"]["pretrained_weights"]["configuration"] == "whole_body"
    for path in (folder / "checkpoint_final.pth", folder / "checkpoint_latest.pth"):
        path.unlink()
    (folder / "slices" / "checkpoint_final.pth").unlink()
    capfd.readouterr()
    assert f"{folder}: this unfinished training is replaced (--c would continue it)" in interrupted()
    assert f"{folder}: this unfinished training is replaced" in interrupted(overwrite=True)


def test_a_folder_that_cannot_be_written_ends_a_training_before_any_work(results, monkeypatch):
    monkeypatch.setattr("ct2pet.api.training._train_all", lambda *_: pytest.fail("work began"))
    with file_size_limit(100), pytest.raises(WriteError, match="not writable"):
        go(["low"])
