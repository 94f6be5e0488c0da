"""A Dask scheduler and workers as processes of their own on the loopback address, as a user starts them."""

import contextlib
import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import distributed

ROOT = Path(__file__).parents[2]
SECONDS_TO_START = 90
LOOPBACK = "127.0.0.1"
_CLIENTS = {}  # of the schedulers, by address


def _started(words, python_path, **environment):
    path = os.pathsep.join(map(str, python_path))
    variables = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment}
    command = [sys.executable, "-m", "dask", *words]
    return subprocess.Popen(command, cwd="/", env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _end(process):
    process.kill()
    process.wait()


@contextlib.contextmanager
def scheduler(folder):
    """A scheduler; yields its process and its address."""
    file = folder / "scheduler.json"
    words = ["scheduler", "--host", LOOPBACK, "--port", "0", "--dashboard-address", f"{LOOPBACK}:0"]
    process = _started([*words, "--scheduler-file", str(file)], [ROOT])
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while not (file.exists() and file.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        with distributed.Client(scheduler_file=str(file), timeout=SECONDS_TO_START, set_as_default=False) as client:
            address = client.scheduler.address
            _CLIENTS[address] = client
            yield process, address
            del _CLIENTS[address]
    finally:
        _end(process)


@contextlib.contextmanager
def worker(address, *options, python_path=(ROOT, ROOT / "tests" / "helpers"), wait=True, **environment):
    """A worker of one thread, without a nanny; yields its process when it has joined."""
    words = [
        "worker",
        address,
        "--nthreads",
        "1",
        "--death-timeout",
        "60",
        "--no-nanny",
        "--no-dashboard",
        "--host",
        LOOPBACK,
        *options,
    ]
    process = _started(words, python_path, **environment)
    try:
        if wait:
            wait_until_joined(address, process)
        yield process
    finally:
        _end(process)


def wait_until_joined(address, *processes):
    """Wait until these workers compute for a scheduler of ``scheduler``.

    Its own client is asked: connecting fails at times while workers come and go, because distributed's Client expects
    one message and gets several.
    """
    deadline = time.monotonic() + SECONDS_TO_START
    while not {process.pid for process in processes} <= {*_CLIENTS[address].run(os.getpid).values()}:
        assert time.monotonic() < deadline, "a worker did not join"
        time.sleep(0.05)


def open_clients():
    """The clients of this process that are not closed."""
    clients = [thing for thing in gc.get_objects() if issubclass(type(thing), distributed.Client)]
    return [client for client in clients if client.status not in ("closed", "newly-created")]
