import json
from dataclasses import replace

import pytest
import torch
from tiny import CT_WINDOW, FIELDS, tiny_configuration, tiny_plans
from tiny_store import write_tiny_store
from trainings import AVERAGED, final_weights, make_trainer, run_until, same

from ct2pet.checkpoint import load_checkpoint, save_checkpoint
from ct2pet.errors import CheckpointError, TrainingError
from ct2pet.models import load_model
from ct2pet.planning.configuration import NetworkPlan
from ct2pet.training.pretraining import find_checkpoint, take_weights

pytestmark = pytest.mark.usefixtures("without_pictures")


def make(name="pix2pix", seed=0, **changes):
    torch.manual_seed(seed)
    model = load_model(name)(tiny_configuration(**changes), FIELDS)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return model


def with_generator(**arguments):
    """The networks of the plan, of which the generator has other arguments."""
    networks = tiny_configuration().networks
    plan = networks["generator"]
    return {**networks, "generator": NetworkPlan(plan.network_class, {**plan.arguments, **arguments})}


def wider():
    return with_generator(features_per_stage=[8, 24])


def write(path, source, **provenance):
    content = {"model": source.state_dict(), "plans": tiny_plans().to_json(), "epoch": 7}
    save_checkpoint(path, {**content, "provenance": provenance})
    return path


def equal(one, other):
    return all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in one.state_dict().items())


def test_all_weights_of_the_same_method_are_taken(tmp_path):
    source, model = make(), make(seed=1)
    path = write(tmp_path / "c.pth", source, model="pix2pix", fold="all", training_cases="abc")
    origin, said = take_weights(model, path)
    assert equal(model, source)
    assert said == f"{path}: weights loaded: generator, discriminator"
    assert (origin["model"], origin["fold"], origin["epoch"], origin["training_cases"]) == ("pix2pix", "all", 7, "abc")
    assert origin["networks"] == ["generator", "discriminator"]


def test_pretrained_networks_of_another_method_are_loaded_if_they_fit(tmp_path):
    source, model, before = make("regression"), make(seed=1), make(seed=1)
    _, said = take_weights(model, write(tmp_path / "c.pth", source))
    assert equal(model.generator, source.generator)
    assert equal(model.discriminator, before.discriminator)
    assert said.endswith("weights loaded: generator; not loaded: discriminator (not in the checkpoint)")


def test_a_network_of_another_shape_keeps_all_its_weights(tmp_path):
    source, model, before = make(networks=wider()), make(seed=1), make(seed=1)
    origin, said = take_weights(model, write(tmp_path / "c.pth", source))
    assert equal(model.generator, before.generator)
    assert equal(model.discriminator, source.discriminator)
    assert origin["networks"] == ["discriminator"]
    assert (
        "not loaded: generator (generator.encoder.stages.1.0.convs.0.conv.weight is 24x8x3x3x3 in the checkpoint"
        in said
    )


def windowed(*windows):
    return {**tiny_configuration().normalization, "CT": replace(CT_WINDOW, windows=[*windows])}


@pytest.mark.parametrize("name", ["pix2pix", "regc2p"])
def test_a_network_with_a_window_starts_with_the_predictions_of_one_without(tmp_path, name):
    source, model = make(name), make(name, seed=1, normalization=windowed([-150.0, 250.0], [-50.0, 50.0]))
    _, said = take_weights(model, write(tmp_path / "c.pth", source))
    assert "not loaded" not in said
    first = [next(iter(one.stages.values())) for one in (source, model)]
    with torch.no_grad():
        image = torch.rand(1, 1, *[16] * first[0].requirements.dimensions, generator=torch.Generator().manual_seed(0))
        plain, wide = (one.translate(image) for one in first)
        torch.testing.assert_close(wide, plain)
        assert plain.std() > 0


def test_a_network_without_the_window_of_the_checkpoint_does_not_fit(tmp_path):
    source, model = make("regression", normalization=windowed([-150.0, 250.0])), make("regression")
    with pytest.raises(CheckpointError, match=r"conv\.weight is 8x2x3x3x3 in the checkpoint, 8x1x3x3x3 here"):
        take_weights(model, write(tmp_path / "c.pth", source))


def test_pretrained_networks_of_a_staged_method_are_loaded_per_stage(tmp_path):
    source, model, before = make("regc2p"), make("regc2p", seed=1), make("regc2p", seed=1)
    weights = {name: value for name, value in source.state_dict().items() if not name.startswith("parts.refinement.")}
    path = tmp_path / "c.pth"
    save_checkpoint(path, {"model": weights, "epoch": 7})
    origin, said = take_weights(model, path)
    assert equal(model.stages["slices"], source.stages["slices"])
    assert equal(model.stages["refinement"], before.stages["refinement"])
    assert {"parts.slices.generator", "parts.slices.discriminator"} <= {*origin["networks"]}
    assert not [name for name in origin["networks"] if "refinement" in name]
    assert "parts.refinement.generator (not in the checkpoint)" in said


def test_a_checkpoint_without_a_fitting_network_is_refused_and_changes_nothing(tmp_path):
    path = write(tmp_path / "c.pth", make("regression", networks=wider()))
    model = make(seed=1)
    with pytest.raises(CheckpointError, match=r"c\.pth: none of its networks fits: generator .*discriminator \(not in"):
        take_weights(model, path)
    assert equal(model, make(seed=1))


def test_deeper_and_shallower_networks_do_not_fit(tmp_path):
    deeper = {
        **{"n_stages": 3, "features_per_stage": [8, 16, 16], "kernel_sizes": [[3] * 3] * 3},
        **{"strides": [[1] * 3, [2] * 3, [2] * 3], "n_conv_per_stage": [1] * 3, "n_conv_per_stage_decoder": [1] * 2},
    }
    shallow, deep = make("regression"), make("regression", networks=with_generator(**deeper))
    for source, model in ((shallow, deep), (deep, shallow)):
        with pytest.raises(CheckpointError, match="none of its networks fits"):
            take_weights(model, write(tmp_path / "c.pth", source))


def test_a_file_a_training_and_a_model_folder_lead_to_a_checkpoint(tmp_path):
    fold = tmp_path / "pix2pix__plans__trunk" / "fold_0"
    path = write(fold / "checkpoint_final.pth", make())
    assert [find_checkpoint(one) for one in (path, fold, fold.parent)] == [path] * 3
    write(fold.parent / "fold_1" / "checkpoint_final.pth", make())
    with pytest.raises(CheckpointError, match="several folds; give the folder of one of them: fold_0, fold_1"):
        find_checkpoint(fold.parent)
    of_all = write(fold.parent / "fold_all" / "checkpoint_final.pth", make())
    assert find_checkpoint(fold.parent) == of_all
    with pytest.raises(CheckpointError, match=r"no checkpoint_final\.pth"):
        find_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="no such file"):
        take_weights(make(), find_checkpoint(tmp_path / "nothing.pth"))


def test_a_training_starts_with_the_weights_of_another_one_and_records_it(tmp_path, monkeypatch, capsys):
    store = write_tiny_store(tmp_path / "store")
    make_trainer(store, tmp_path / "first", num_epochs=1).run()
    options = {"num_epochs": 2, "pretrained_weights": tmp_path / "first"}
    numbers = {**AVERAGED["pix2pix"], "learning_rate": 1e-3, "fine_tuning_factor": 0.25}
    plans = replace(tiny_plans(), models={"pix2pix": numbers})
    run_until(make_trainer(store, tmp_path / "second", plans, **options), 0, monkeypatch)  # after one step
    trainer = make_trainer(store, tmp_path / "second", plans, **options)
    monkeypatch.setattr(trainer, "_epochs", lambda first: 0)
    trainer.run()
    assert same(trainer.method.state_dict(), final_weights(tmp_path / "first"))
    assert same(trainer.average.weights(), final_weights(tmp_path / "first"))
    said = capsys.readouterr().err
    assert "weights loaded: generator, discriminator; learning rates: 0.25 of those of the plans" in said

    run_until(make_trainer(store, tmp_path / "second", plans, **options), 1, monkeypatch)
    capsys.readouterr()
    make_trainer(store, tmp_path / "second", plans, resume=True, num_epochs=2).run()
    assert "weights loaded" not in capsys.readouterr().err
    make_trainer(store, tmp_path / "whole", plans, **options).run()
    assert same(final_weights(tmp_path / "second"), final_weights(tmp_path / "whole"))
    for name in ("second", "whole"):
        rates = [line.split(",")[2] for line in (tmp_path / name / "training_log.csv").read_text().splitlines()]
        assert rates == ["learning_rate", "0.00025", "0.00025"]  # the rates fall within the last epoch
    provenance = load_checkpoint(tmp_path / "second" / "checkpoint_final.pth")["provenance"]
    source = provenance["pretrained_weights"]
    assert (source["configuration"], source["epoch"]) == ("trunk", 1)
    assert source["networks"] == ["generator", "discriminator"]
    assert json.loads((tmp_path / "second" / "provenance.json").read_text()) == provenance


def test_a_training_does_not_remove_its_own_initial_weights(tmp_path):
    store = write_tiny_store(tmp_path / "store")
    make_trainer(store, tmp_path / "run", num_epochs=1, iterations_per_epoch=1).run()
    own = tmp_path / "run" / "checkpoint_best.pth"
    for name in ("latest", "final"):
        (tmp_path / "run" / f"checkpoint_{name}.pth").unlink()
    for resume in (False, True):
        with pytest.raises(TrainingError, match=r"checkpoint_best\.pth: .* copy the file to another folder"):
            make_trainer(store, tmp_path / "run", pretrained_weights=own, resume=resume).run()
    assert own.exists()
