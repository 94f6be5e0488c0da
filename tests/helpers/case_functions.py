"""Functions that map_cases runs in other processes: they must be importable there."""

import os
import signal
import struct
import sys
import threading
import time
from multiprocessing import connection

import numpy as np

from ct2pet.errors import DatasetError

LARGE = 1_000_000  # bytes: more than fits into a pipe's buffer


def double(number):
    return 2 * number


def refuse_odd(number):
    """A user's error for 1, an unexpected one for 3."""
    if number == 1:
        raise DatasetError("file.nii.gz: is odd")
    if number == 3:
        raise ZeroDivisionError("three")
    return number


def die_at_two(number):
    if number == 2:
        os._exit(7)
    return number


def killed_at_two(number):
    if number == 2:
        os.kill(os.getpid(), 9)  # as the kernel does when memory runs out
    return number


def large(number):
    return bytes([number]) * LARGE


def killed_while_sending_two(number):
    if number == 2:
        connection.Connection._send_bytes = _send_half
    return bytes(LARGE)


def _send_half(pipe, content):
    """As Connection._send_bytes, to the half of the ``content``."""
    os.write(pipe.fileno(), struct.pack("!i", len(content)) + bytes(content[: len(content) // 2]))
    os.kill(os.getpid(), 9)


def end_quietly_at_two(number):
    if number == 2:
        os._exit(0)
    return number


def exit_at_two(number):
    if number == 2:
        sys.exit("two")
    return number


def run_numbered(folder):
    """Two cases at a time that each leave the number of their process in a folder and go on."""
    from ct2pet.parallel import map_cases

    map_cases(leave_number, {str(number): (folder,) for number in range(4)}, num_processes=2)


def leave_number(folder):
    (folder / str(os.getpid())).touch()
    time.sleep(120)


def cannot_be_sent(number):
    return threading.Lock() if number == 1 else number


def process_number(number):
    return os.getpid()


def sleep_long(number):
    time.sleep(120)


def on_place(place, number):
    """The second case fails."""
    if number == 1:
        raise DatasetError("file.nii.gz: is odd")
    return place, os.getpid()


def die_on_place(place, number):
    return die_at_two(number)


def held_back_signals(_):
    """How this process treats SIGINT, and the signals that the system holds back from it."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    return signal.getsignal(signal.SIGINT).value, tuple(sorted(signal.Signals(number).name for number in blocked))


def slow_process_number(number):
    time.sleep(0.3)
    return os.getpid()


def wait_for_file(path):
    """The number of this process, when somebody has made the file."""
    begun = path.with_name(f"{path.name}-begun")
    begun.touch()
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return os.getpid()


def sum_of_array(seed):
    """A value whose bits depend on the order of all of its operations."""
    values = np.random.default_rng(seed).standard_normal(10_000).astype(np.float32)
    return np.cumsum(values)
