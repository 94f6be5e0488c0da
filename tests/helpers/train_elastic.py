"""A training for torchrun that goes on after a restart: python train_elastic.py STORE FOLDER

Each process leaves FOLDER/steps/PID-WORLDSIZE after its first step, and takes its time for the others.
"""

import os
import sys
import time
from pathlib import Path

from work_together import train

from ct2pet import distributed
from ct2pet.training.optimization import Optimization

SECONDS_A_STEP = 0.5


def slow_steps(folder):
    step = Optimization.step

    def slow(self, *arguments):
        losses = step(self, *arguments)
        (folder / f"{os.getpid()}-{distributed.world_size()}").touch()
        time.sleep(SECONDS_A_STEP * (distributed.world_size() - 1))
        return losses

    Optimization.step = slow


if __name__ == "__main__":
    store, target = map(Path, sys.argv[1:])
    slow_steps(target.with_name("steps"))
    with distributed.process_group("cpu"):
        train(store, target, resume=True)
