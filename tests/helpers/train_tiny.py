"""A process that trains on a tiny store: python train_tiny.py STORE FOLDER"""

import sys
from pathlib import Path

from tiny import tiny_plans

from ct2pet.preprocessing import DistrictStore
from ct2pet.training import Trainer, TrainingOptions, TrainingRun

SHORT = {"num_epochs": 4, "iterations_per_epoch": 3, "decay_epochs": 2, "ema_decay": 0.9}


def tiny_trainer(store, folder, **options):
    """A training of a few seconds, bit-equal each time."""
    plans = tiny_plans()
    plans.models["pix2pix"].update(SHORT)
    quiet = {"deterministic": True, "show_bar": False, "num_workers": 0, "final_validation": False}
    made = TrainingOptions(**{**quiet, **options})
    run = TrainingRun("pix2pix", "trunk", plans, store, ["A0", "A1"], ["A2"], folder, made)
    return Trainer(run, run.build())


if __name__ == "__main__":
    tiny_trainer(DistrictStore(Path(sys.argv[1])), Path(sys.argv[2])).run()
