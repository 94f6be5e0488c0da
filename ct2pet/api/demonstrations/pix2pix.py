"""CT to PET: one network for each district."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ct2pet.api.demonstrations.base import Demonstration, of_phantoms
from ct2pet.parallel import default_processes
from ct2pet.phantom import DEMO, write_dataset
from ct2pet.planning.plans import Plans

_MODEL = "pix2pix"
_NUM_TRAIN, _NUM_TEST, _SEED = 16, 4, 2503
_EPOCHS, _ITERATIONS = 10, 40


def write(raw: Path) -> None:
    """Phantom patients with CT and PET."""
    write_dataset(
        raw,
        num_train=_NUM_TRAIN,
        num_test=_NUM_TEST,
        seed=_SEED,
        scanner=DEMO,
        num_processes=default_processes(),
    )


def shortened(plans: Plans) -> Plans:
    """Adapt the plans to a training of minutes: regularisation for long trainings slows short ones down."""
    lighter = {name: of_phantoms(configuration) for name, configuration in plans.configurations.items()}
    numbers = {
        "num_epochs": _EPOCHS,
        "iterations_per_epoch": _ITERATIONS,
        "decay_epochs": _EPOCHS // 2,
    }
    models = {**plans.models, _MODEL: {**plans.hyperparameters(_MODEL), **numbers}}
    return replace(plans, configurations=lighter, models=models)


DEMONSTRATION = Demonstration("Dataset999_Phantom", write, shortened)
