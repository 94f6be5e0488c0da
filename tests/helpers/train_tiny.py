"""A process that trains on a tiny store: python train_tiny.py STORE FOLDER"""

import sys
from dataclasses import replace
from pathlib import Path

from tiny import tiny_plans
from trainings import AVERAGED, make_trainer

from ct2pet.preprocessing import DistrictStore


def tiny_trainer(store, folder, **options):
    """A training of a few seconds, bit-equal each time."""
    return make_trainer(store, folder, replace(tiny_plans(), models=AVERAGED), **options)


if __name__ == "__main__":
    tiny_trainer(DistrictStore(Path(sys.argv[1])), Path(sys.argv[2])).run()
