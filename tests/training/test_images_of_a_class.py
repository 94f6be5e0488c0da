"""The training of a method without input images: it can be interrupted, and it predicts no cases."""

import pytest
import torch
from class_images import FIELDS, class_configuration, class_plans, write_class_store
from trainings import CHECKPOINTS, make_trainer, run_until, same

from ct2pet.checkpoint import load_checkpoint
from ct2pet.errors import TrainingError
from ct2pet.models import load_model
from ct2pet.training.online_validation import OnlineValidation

pytestmark = pytest.mark.usefixtures("without_pictures")
NUMBERS = {"num_epochs": 4, "iterations_per_epoch": 3, "decay_epochs": 2, "ema_decay": 0.9, "n_critic": 2}
CASES = (["C0", "C1", "C2", "C3"], [])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_class_store(tmp_path_factory.mktemp("store"))


def trainer(store, folder, numbers=NUMBERS, **options):
    return make_trainer(store, folder, class_plans(**numbers), "medscangan", cases=CASES, **options)


RESUMED = [
    {},
    {"loss": "wgan_gp", "class_head": "auxiliary", "augment_critic": False},
    {"variant": "dcgan", "loss": "wgan_gp", "spectral_norm": True},  # with dropout
]


@pytest.mark.parametrize("numbers", RESUMED)
def test_a_resumed_training_is_bit_equal_to_one_that_nothing_interrupted(store, tmp_path, monkeypatch, numbers):
    numbers = {**NUMBERS, **numbers}
    trainer(store, tmp_path / "whole", numbers).run()
    run_until(trainer(store, tmp_path / "parts", numbers), 2, monkeypatch)
    torch.rand(7)  # what a new process would have drawn otherwise
    trainer(store, tmp_path / "parts", numbers, resume=True).run()
    for name in CHECKPOINTS:
        whole, parts = (load_checkpoint(tmp_path / folder / name) for folder in ("whole", "parts"))
        for key in ("model", "average", "optimizers", "random", "best"):
            assert same(whole.get(key), parts.get(key)), (name, key)


def test_a_class_without_a_training_case_is_an_error_before_the_first_step(store, tmp_path):
    with pytest.raises(TrainingError, match="no training case has the diagnosis 'malignant'; add cases"):
        make_trainer(store, tmp_path, class_plans(**NUMBERS), "medscangan", cases=(["C0", "C2"], ["C1"]))
    assert not any(tmp_path.iterdir())


def test_no_case_is_predicted_at_the_end_and_asking_for_it_is_an_error(store, tmp_path):
    one = trainer(store, tmp_path, final_validation=True)
    one.run()
    assert not (tmp_path / "validation").exists()
    with pytest.raises(TrainingError, match="predicts no cases and cannot be validated; see ct2pet_synthesize"):
        one.validate()


def test_the_part_of_an_update_that_few_steps_make_is_the_mean_over_those_steps(store, tmp_path, monkeypatch):
    """With n_critic 2 and three steps an epoch the generator is trained in steps 0 and 2."""
    one, seen = trainer(store, tmp_path), []
    step = one.optimization.step
    monkeypatch.setattr(one.optimization, "step", lambda *given: seen.append(step(*given)) or seen[-1])
    found = one.loop.run(range(3))
    assert [sorted(losses) for losses in seen] == [
        ["c_adversarial", "c_penalty", "g_adversarial", "g_diversity"],
        ["c_adversarial", "c_penalty"],
        ["c_adversarial", "c_penalty", "g_adversarial", "g_diversity"],
    ]
    for name, count in (("c_adversarial", 3), ("g_adversarial", 2)):
        assert found[name] == pytest.approx(sum(float(losses.get(name, 0)) for losses in seen) / count)


def test_validation_patches_are_sampled_as_in_training(store):
    """Samples can only be like the patches that the generator is trained with: around lesions, all classes alike."""
    model = load_model("medscangan")(class_configuration(), FIELDS)
    validation = OnlineValidation(store, store.cases, model)
    assert validation.loader.sampling == class_configuration().sampling
    for batch in validation.batches:
        assert (batch["CT"][:, 0, 0, 7:9, 7:9] > 0).all()  # the lesion is in the middle
    assert set(validation.metrics(model, torch.device("cpu"))) == {"energy_distance"}
