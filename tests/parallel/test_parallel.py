import multiprocessing
import os

import case_functions
import pytest

from ct2pet.parallel import map_cases, map_cases_on


def numbered(count):
    return {f"case{number}": (number,) for number in range(count)}


@pytest.mark.parametrize("num_processes", [1, 2])
def test_values_and_failures_are_those_of_the_cases_for_any_number_of_processes(num_processes):
    results = map_cases(case_functions.refuse_odd, numbered(5), num_processes=num_processes)
    assert results.values == {"case0": 0, "case2": 2, "case4": 4}
    assert results.failures == {"case1": "file.nii.gz: is odd", "case3": "ZeroDivisionError: three"}
    assert list(results.tracebacks) == ["case3"]  # a user's error needs none
    assert "refuse_odd" in results.tracebacks["case3"]


def test_one_process_is_the_callers_own_and_two_are_not():
    (here,) = set(map_cases(case_functions.process_number, numbered(3)).values.values())
    others = set(map_cases(case_functions.process_number, numbered(4), num_processes=2).values.values())
    assert here == os.getpid()
    assert os.getpid() not in others


def test_no_more_processes_run_than_there_are_cases():
    (number,) = map_cases(case_functions.process_number, numbered(1), num_processes=8).values.values()
    assert number == os.getpid()


@pytest.mark.parametrize(
    ("function", "reason"),
    [(case_functions.die_at_two, "exit code 7"), (case_functions.killed_at_two, "out of memory")],
)
def test_a_case_of_a_killed_process_fails_and_all_others_are_done(function, reason):
    results = map_cases(function, numbered(6), num_processes=2)
    assert results.values == {f"case{number}": number for number in (0, 1, 3, 4, 5)}
    assert list(results.failures) == ["case2"]
    assert reason in results.failures["case2"]
    assert not multiprocessing.active_children()


def test_values_larger_than_a_pipe_arrive_whole():
    values = map_cases(case_functions.large, numbered(4), num_processes=2).values
    assert values == {f"case{number}": bytes([number]) * 1_000_000 for number in range(4)}


def test_a_value_that_cannot_be_sent_is_that_cases_failure():
    results = map_cases(case_functions.cannot_be_sent, numbered(3), num_processes=2)
    assert results.values == {"case0": 0, "case2": 2}
    assert "pickle" in results.failures["case1"]


def test_every_place_takes_the_next_case_in_a_process_of_its_own():
    results = map_cases_on(case_functions.on_place, numbered(5), ["here", "there"])
    assert results.failures == {"case1": "file.nii.gz: is odd"}
    places, processes = zip(*results.values.values())
    assert {*places} == {"here", "there"}
    assert len({*processes, os.getpid()}) == 5
    assert not multiprocessing.active_children()


def test_a_killed_process_is_replaced():
    results = map_cases_on(case_functions.die_on_place, numbered(4), ["here"])
    assert results.values == {"case0": 0, "case1": 1, "case3": 3}
    assert "exit code 7" in results.failures["case2"]
