"""A script for torchrun: the second process fails while the first waits for it."""

from ct2pet import distributed


def stumble():
    raise ValueError("the second process stumbles")


with distributed.process_group("cpu"):
    if distributed.rank() == 1:
        stumble()
    distributed.barrier()
