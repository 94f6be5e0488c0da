"""What train_at_once lets other processes do: importable there."""

import os
import sys

from ct2pet.errors import DatasetError
from ct2pet.provenance import this_command


def say(device, name):
    print("out of", name)
    print("error of", name, file=sys.stderr)
    return device, this_command(), os.getpid()


def fail_in_trunk(device, name):
    if name == "trunk":
        raise DatasetError("no such case")
    print("done", file=sys.stderr)
