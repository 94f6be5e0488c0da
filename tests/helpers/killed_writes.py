"""Work that is killed when it has written, but not yet named, one of its files."""

import os

import pytest

import ct2pet.files


def count_writes(work):
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ct2pet.files, "_flush_to_disk", calls.append)
        work()
    return len(calls)


def killed_at(number, work):
    """Run ``work`` in a process that dies when it has written, but not yet named, its file ``number``."""
    pid = os.fork()
    if pid:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
        return
    calls = []
    ct2pet.files._flush_to_disk = lambda path: os._exit(9) if len(calls) == number else calls.append(path)
    try:
        work()
    finally:
        os._exit(1)
