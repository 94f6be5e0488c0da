import threading
import time

import pytest

from ct2pet.inference.read_ahead import ReadAhead, WriteBehind

CASES = ["a", "b", "c", "d"]


class Reader:
    """Records which cases were begun, and fails on "c"."""

    def __init__(self):
        self.begun = []

    def __call__(self, case):
        self.begun.append(case)
        if case == "c":
            raise ValueError("no image")
        return case.upper()


def wait_until(condition):
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")


@pytest.mark.parametrize("number", [0, 1, 3, 9])
def test_every_case_is_read_once_and_its_error_is_its_own(number):
    reader = Reader()
    ahead = ReadAhead(CASES, reader, number)
    found = []
    for case in CASES:
        if case == "c":
            with pytest.raises(ValueError, match="no image"):
                ahead.take(case)
        else:
            found.append(ahead.take(case))
    ahead.close()
    assert found == ["A", "B", "D"]
    assert sorted(reader.begun) == CASES


def test_only_the_given_number_is_read_ahead():
    reader = Reader()
    ahead = ReadAhead(CASES, reader, 2)
    assert ahead.take("a") == "A"
    wait_until(lambda: len(reader.begun) == 3)
    time.sleep(0.05)
    assert sorted(reader.begun) == ["a", "b", "c"]
    ahead.close()


def test_a_write_happens_behind_and_no_more_than_so_many_at_once():
    release, begun = threading.Event(), []
    behind = WriteBehind(1)

    def write(case):
        begun.append(case)
        release.wait(10)

    behind.give("a", lambda: write("a"))  # returns although the write has not ended
    wait_until(lambda: begun == ["a"])
    waiting = threading.Thread(target=behind.give, args=("b", lambda: write("b")))
    waiting.start()
    time.sleep(0.05)
    assert waiting.is_alive()
    release.set()
    waiting.join(10)
    behind.close()
    assert begun == ["a", "b"]


@pytest.mark.parametrize("number", [0, 1, 3])
def test_an_error_of_a_write_is_that_of_its_case(number):
    behind, written = WriteBehind(number), []

    def fail():
        raise OSError("the disk is full")

    behind.give("a", lambda: written.append("a"))
    if number == 0:
        with pytest.raises(OSError, match="full"):
            behind.give("b", fail)
        return
    behind.give("b", fail)
    behind.give("c", lambda: written.append("c"))
    behind.close()
    assert sorted(written) == ["a", "c"]
    with pytest.raises(OSError, match="full"):
        behind.pending["b"]()
    behind.pending["c"]()
