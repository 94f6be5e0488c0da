import io
import sys
from datetime import datetime

import pytest
from terminal import run_in_terminal, screen

from ct2pet import console
from ct2pet.console import Progress, clock, duration, progress, with_unit

WIDTHS = (40, 80, 200)
LIVE = """
import sys, time
from ct2pet.console import progress, say
with progress("pix2pix trunk", 40, "step") as bar:
    bar.notes = ["epoch 2/4", "best MAE 0.312 SUV (epoch 1)", "validation MAE 0.35 SUV"]
    for step in range(40):
        time.sleep(0.02)
        bar.advance()
        if step % 10 == 9:
            say(f"epoch {step // 10 + 1}/4: kept")
print("the end")
"""
TABLE = """
from ct2pet.console import table
rows = [["trunk", "3 x 2 x 2", "48 x 48 x 48", "ResidualUNet of 5 stages"]]
rows += [["head", "3 x 1 x 1", "32 x 32 x 32", "UNet"]]
table("Plan", ["Region", "Spacing [mm]", "Patch [voxels]", "Network"], rows)
"""


def test_the_line_of_finished_work_has_no_time_left_despite_rounding():
    state = Progress("Predicting", 1.0, "%")
    for _ in range(10):
        state.advance(0.1)  # the sum is 0.9999999999999999
    assert state.done < state.total
    assert state.line().startswith("Predicting: 100%, ")
    assert "left" not in state.line()


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("width", WIDTHS)
def test_a_terminal_keeps_the_printed_lines_and_nothing_of_the_live_line(width):
    output = run_in_terminal(LIVE, width)
    assert screen(output, width) == [*(f"epoch {number}/4: kept" for number in range(1, 5)), "the end"]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_live_line_fits_any_terminal_and_shows_more_in_a_wider_one(width):
    output = run_in_terminal(LIVE, width)
    frames = [part for part in output.split("\r") if "pix2pix trunk" in part]
    texts = [console_text(frame) for frame in frames]
    assert texts
    assert all("\n" not in text.strip("\n") and len(text.strip("\n")) < width for text in texts)
    assert any(" left" in text for text in texts)
    assert any("/40 steps" in text for text in texts)
    assert any("best MAE 0.312 SUV" in text for text in texts) == (width >= 80)
    assert any("validation MAE" in text for text in texts) == (width == 200)


def console_text(frame):
    """A frame without its control sequences and the lines printed above it."""
    import re

    text = re.sub(r"\x1b\[\??[0-9;]*[A-Za-z]", "", frame)
    return next(line for line in text.split("\n") if "pix2pix trunk" in line)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_table_has_every_value_within_the_width_of_the_terminal(width):
    lines = screen(run_in_terminal(TABLE, width), 10**6)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for value in ("Plan", "trunk", "3 x 2 x 2", "48 x 48 x 48", "ResidualUNet of 5 stages", "head", "UNet"):
        assert value in text


def test_a_file_gets_a_line_now_and_then_and_one_at_the_end(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress("Preprocessing", 8) as bar:
        for now[0] in range(10, 90, 10):
            bar.advance()
    assert stream.getvalue().splitlines() == [
        "Preprocessing: 3/8 cases, 30 s, about 50 s left",
        "Preprocessing: 6/8 cases, 60 s, about 20 s left",
        "Preprocessing: 8/8 cases, 80 s",
    ]


@pytest.mark.parametrize("arguments", [{"total": 0}, {"total": 3, "shown": False}])
def test_nothing_is_shown_without_work_or_where_hidden(arguments, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress("Reading", **arguments) as bar:
        bar.advance()
    assert sys.stderr.getvalue() == ""


def test_the_time_left_is_estimated_from_the_cases_of_this_run(monkeypatch):
    """40 of 100 were done before; 20 more in 10 s leave 40 for 20 s."""
    monkeypatch.setattr(console.time, "monotonic", lambda: 10.0)
    state = Progress("x", 100, "step", done=40, already=40, started=0.0)
    assert state.seconds_left is None
    state.advance(20)
    assert state.seconds_left == pytest.approx(20)


def test_the_time_left_falls_between_two_cases_and_rises_when_a_case_takes_longer(monkeypatch):
    """4 cases; the first takes 10 s, so that 30 s are left. After 20 s it is as if the second had just ended: 20 s."""
    now = [10.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    state = Progress("x", 4, started=0.0)
    state.advance()
    left = []
    for now[0] in (10.0, 14.0, 20.0, 30.0):
        left.append(state.seconds_left)
    assert left == pytest.approx([30, 26, 20, 30])
    state.advance(3)
    assert state.seconds_left == 0


def test_more_than_the_total_is_never_done():
    state = Progress("x", 1, "%")
    state.advance(0.7)
    assert state.count == "70%"
    state.advance(0.7)
    assert (state.done, state.count) == (1, "100%")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.123, "0.1 s"),
        (9.94, "9.9 s"),
        (35.4, "35 s"),
        (600, "10 min"),
        (5400, "1 h 30 min"),
        (86400 * 3 + 7200, "3 d 2 h"),
    ],
)
def test_durations_have_their_unit(seconds, text):
    assert duration(seconds) == text


def test_the_end_has_a_date_where_it_is_another_day():
    now = datetime(2030, 5, 1, 22, 0)
    assert clock(3600, now) == "23:00"
    assert clock(3 * 3600, now) == "2030-05-02 01:00"


def test_logged_numbers_have_the_unit_that_their_name_ends_in():
    assert with_unit("mae_suv", 0.31234) == "MAE 0.312 SUV"
    assert with_unit("dice", 0.8) == "Dice 0.8"
    assert with_unit("energy_distance", 2.0) == "energy distance 2"


def test_long_lines_are_broken_between_words_and_short_ones_are_kept():
    text = "one two three four five\n\n  an indented line"
    assert console.wrapped(text, 18) == "one two three four\nfive\n\n  an indented line"
    assert console.wrapped(text, None) == text
