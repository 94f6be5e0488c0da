import multiprocessing
import os
import signal
import threading
import time

import case_functions
import pytest

from ct2pet.parallel import map_cases, processes


def test_an_interruption_passes_on_and_leaves_no_process(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(processes, "wait", interrupted)
    cases = {f"case{number}": (number,) for number in range(4)}
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        map_cases(case_functions.sleep_long, cases, num_processes=2)
    assert not multiprocessing.active_children()
    assert time.monotonic() - start < 60  # the cases sleep for 120 s each


def test_a_process_that_is_killed_while_it_sends_its_value_fails_its_own_case_only():
    cases = {f"case{number}": (number,) for number in range(4)}
    results = map_cases(case_functions.killed_while_sending_two, cases, num_processes=2)
    assert {case: len(value) for case, value in results.values.items()} == dict.fromkeys(
        ("case0", "case1", "case3"), case_functions.LARGE
    )
    assert "out of memory" in results.failures["case2"]
    assert not multiprocessing.active_children()


def test_a_case_that_ends_its_interpreter_is_a_failure_with_its_reason():
    results = map_cases(case_functions.exit_at_two, {"a": (1,), "b": (2,), "c": (3,)}, num_processes=2)
    assert results.values == {"a": 1, "c": 3}
    assert "SystemExit" in results.failures["b"]


def test_a_process_that_ends_as_if_it_were_done_fails_its_own_case_only():
    results = map_cases(case_functions.end_quietly_at_two, {"a": (1,), "b": (2,), "c": (3,)}, num_processes=2)
    assert results.values == {"a": 1, "c": 3}
    assert "exit code 0" in results.failures["b"]


def test_a_worker_leaves_ctrl_c_to_the_caller_and_can_be_ended_by_the_other_signals():
    values = map_cases(case_functions.held_back_signals, {"a": (1,), "b": (2,)}, num_processes=2).values
    assert set(values.values()) == {(signal.SIG_IGN.value, ("SIGINT",))}


def test_no_thread_and_no_process_is_left_when_the_cases_are_done():
    before = threading.active_count()
    map_cases(case_functions.double, {"a": (1,), "b": (2,)}, num_processes=2)
    assert threading.active_count() == before
    assert not multiprocessing.active_children()


def test_processes_end_when_their_parent_is_killed(tmp_path):
    """As the kernel kills a command that is out of memory."""
    context = multiprocessing.get_context("spawn")
    parent = context.Process(target=case_functions.run_numbered, args=(tmp_path,))
    parent.start()
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    children = [int(path.name) for path in tmp_path.iterdir()]
    parent.kill()
    parent.join()
    while any(map(is_alive, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(children) == 2
    assert not any(map(is_alive, children))


def is_alive(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{number}/stat") as file:
        return file.read().split(") ")[1][0] != "Z"
