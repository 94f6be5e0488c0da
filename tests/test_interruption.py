import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent import futures
from multiprocessing import popen_spawn_posix
from pathlib import Path

import case_functions
import interrupted_command
import pytest

from ct2pet.interruption import EndedBySignal, held_back, run_until_signal
from ct2pet.parallel import map_cases, processes

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]
LONG = 30.0  # seconds: the work would go on, had the signal been lost


def work_on():
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline:
        time.sleep(0.01)


def signal_in_finalizer(number):
    class Finalized:
        def __del__(self):
            signal.raise_signal(number)

    Finalized()


def signal_in_callback(number):
    class Referent:
        pass

    referent = Referent()
    reference = weakref.ref(referent, lambda _: signal.raise_signal(number))
    del referent
    assert reference() is None


def signal_that_is_caught(number):
    with contextlib.suppress(BaseException):
        signal.raise_signal(number)


def interrupted(work, number):
    """The seconds until ``work`` ended by the signal, as it must."""
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else EndedBySignal) as caught:
        run_until_signal(work)
    assert getattr(caught.value, "number", signal.SIGINT) == number
    return time.monotonic() - start


DROPPED = [signal_in_finalizer, signal_in_callback, signal_that_is_caught]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("lost_in", DROPPED)
def test_an_exception_that_was_dropped_is_raised_again(lost_in, number, capsys):
    before = signal.getsignal(number)

    def work():
        lost_in(number)
        work_on()

    assert interrupted(work, number) < LONG / 3
    assert signal.getsignal(number) == before
    assert capsys.readouterr().err == ""  # no traceback of an ignored exception


@pytest.mark.parametrize("times", [2, 5])
def test_a_signal_whose_exception_was_suppressed_is_raised_again(times):
    dropped = []

    def work():
        while True:
            try:
                if not dropped:
                    signal.raise_signal(signal.SIGTERM)
                work_on()
            except EndedBySignal:
                dropped.append(1)
                if len(dropped) > times:
                    raise

    assert interrupted(work, signal.SIGTERM) < LONG / 3
    assert len(dropped) == times + 1


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_cleaning_up_is_not_interrupted_by_the_exception_that_is_raised_again(number):
    cleaned = []

    def nested():
        try:
            signal.raise_signal(number)
        finally:
            time.sleep(0.5)
            try:
                raise ValueError
            except ValueError:
                time.sleep(0.5)  # the exception is now in the context of another one
            cleaned.append("inner")

    def generator():
        try:
            yield
        finally:
            time.sleep(0.5)
            cleaned.append("generator")

    def work():
        opened = generator()
        next(opened)
        try:
            nested()
        finally:
            opened.close()
            cleaned.append("outer")

    interrupted(work, number)
    assert cleaned == ["inner", "generator", "outer"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1], ids=lambda number: number.name)
def test_a_second_signal_of_a_cluster_does_not_disturb_the_cleaning_up(number):
    cleaned = []

    def work():
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(number)
            cleaned.append(1)

    interrupted(work, number)
    assert cleaned


@pytest.mark.parametrize("first", SIGNALS, ids=lambda number: number.name)
def test_ctrl_c_ends_the_cleaning_up(first):
    def work():
        try:
            signal.raise_signal(first)
        finally:
            signal.raise_signal(signal.SIGINT)
            work_on()

    assert interrupted(work, signal.SIGINT) < LONG / 3


def test_a_signal_with_a_replaced_exception_is_still_reported():
    def work():
        try:
            signal.raise_signal(signal.SIGTERM)
        except BaseException as error:
            raise RuntimeError("of a library") from error

    interrupted(work, signal.SIGTERM)


def test_a_signal_dropped_at_the_end_is_still_reported():
    interrupted(lambda: signal_in_finalizer(signal.SIGTERM), signal.SIGTERM)


def state():
    return sys.unraisablehook, [*map(signal.getsignal, SIGNALS)], threading.active_count()


def test_without_a_signal_nothing_changes():
    before = state()
    run_until_signal(lambda: None)
    with pytest.raises(ZeroDivisionError):
        run_until_signal(lambda: 1 / 0)
    assert state() == before


def test_other_exceptions_in_finalizers_are_shown_as_usual(monkeypatch):
    shown = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: shown.append(unraisable.exc_type))

    class Broken:
        def __del__(self):
            raise ValueError

    run_until_signal(Broken)
    assert shown == [ValueError]


@pytest.mark.parametrize("ignored", [signal.SIG_IGN, lambda number, frame: None])
def test_ctrl_c_is_left_to_those_who_ignore_or_handle_it(ignored):
    before = signal.signal(signal.SIGINT, ignored)
    try:
        run_until_signal(lambda: signal.raise_signal(signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_and_processes_of_torchrun_change_no_handler(monkeypatch):
    seen = []

    def look():
        seen.extend(map(signal.getsignal, SIGNALS))

    thread = threading.Thread(target=run_until_signal, args=(look,))
    thread.start()
    thread.join()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    run_until_signal(look)
    assert seen == [*map(signal.getsignal, SIGNALS)] * 2


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_the_processes_of_cases_end_with_the_command(number, monkeypatch):
    children = []

    def wait(running, *options):
        children[:] = multiprocessing.active_children()
        signal_in_finalizer(number)
        return futures.wait(running, *options)

    monkeypatch.setattr(processes, "wait", wait)

    def work():
        map_cases(case_functions.sleep_long, {str(n): (n,) for n in range(4)}, num_processes=2)

    assert interrupted(work, number) < 60  # the cases sleep for 120 s each
    assert len(children) == 2
    assert not any(child.is_alive() for child in children)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_that_is_held_back_is_raised_after_the_block(number):
    reached = []

    def work():
        with held_back(), held_back():
            signal.raise_signal(number)
            time.sleep(0.3)
            reached.append("end")
        work_on()

    assert interrupted(work, number) < LONG / 3
    assert reached == ["end"]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_process_of_a_case_is_started_as_a_whole_or_not_at_all(number, monkeypatch, capfd):
    """A process that gets only half of what it needs to begin would show a traceback."""
    original = popen_spawn_posix.spawn.get_command_line

    def get_command_line(**options):  # between the making of the pipes and the start of the process
        signal.raise_signal(number)
        return original(**options)

    monkeypatch.setattr(popen_spawn_posix.spawn, "get_command_line", get_command_line)
    interrupted(lambda: map_cases(case_functions.double, {"a": (1,), "b": (2,)}, num_processes=2), number)
    assert not multiprocessing.active_children()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("work", sorted(interrupted_command.WORK))
def test_no_signal_at_a_random_moment_is_lost(work):
    """Nearly all of the work is done where Python drops exceptions."""
    moments = random.Random(work)
    command = [sys.executable, str(Path(interrupted_command.__file__)), work]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    for trial in range(10):
        number = SIGNALS[trial % len(SIGNALS)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stdout.readline() == "working\n"
            time.sleep(moments.uniform(0, 0.3))
            process.send_signal(number)
            _, told = process.communicate(timeout=interrupted_command.LONGEST / 2)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == (130 if number == signal.SIGINT else 128 + number)
        assert len(told.splitlines()) == 1
        assert told.endswith("what is finished stays\n")
