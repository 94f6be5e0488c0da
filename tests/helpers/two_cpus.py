"""ct2pet_train with -num_gpus on a machine without GPUs: two "GPUs" that are the CPU."""

import sys

from ct2pet.api import training
from ct2pet.cli.train import main

if __name__ == "__main__":
    training.choose_devices = lambda device, num_gpus: ["cpu"] * num_gpus
    sys.exit(main(None))
