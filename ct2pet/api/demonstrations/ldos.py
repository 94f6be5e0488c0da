"""Low-dose PET to full-dose PET and organs: one network for the whole body."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ct2pet.api.demonstrations.base import Demonstration, of_phantoms
from ct2pet.parallel import default_processes
from ct2pet.phantom import Cohort
from ct2pet.phantom.lowdose import write_low_dose_dataset
from ct2pet.phantom.scanner import DEMO_LOW_COUNTS
from ct2pet.planning.plans import Plans

_MODEL = "ldos"
_NUM_TRAIN, _NUM_TEST, _SEED = 12, 3, 2503
_DOSE_FRACTION = 0.05
_SCANNER = DEMO_LOW_COUNTS
_EPOCHS, _ITERATIONS = 10, 120


def write(raw: Path) -> None:
    """Phantom patients with a PET of 5% dose, a PET of full dose, and the labels of 18 organs."""
    cohort = Cohort(_NUM_TRAIN, _NUM_TEST, _SEED, _SCANNER)
    write_low_dose_dataset(raw, cohort, dose_fraction=_DOSE_FRACTION, num_processes=default_processes())


def shortened(plans: Plans) -> Plans:
    """Adapt the plans to a training of minutes: many steps with one patch train better than few steps with several."""
    lighter = {
        name: replace(of_phantoms(configuration), batch_size=1) for name, configuration in plans.configurations.items()
    }
    numbers = {"num_epochs": _EPOCHS, "iterations_per_epoch": _ITERATIONS}
    models = {**plans.models, _MODEL: {**plans.hyperparameters(_MODEL), **numbers}}
    return replace(plans, configurations=lighter, models=models)


DEMONSTRATION = Demonstration("Dataset998_LowDosePhantom", write, shortened)
