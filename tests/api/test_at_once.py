import io
import os
import sys

import pytest
from district_work import fail_in_trunk, say

from ct2pet.api.at_once import Prefixed, lines_of, train_at_once
from ct2pet.errors import CasesFailed
from ct2pet.provenance import command_line

DISTRICTS = {name: (name,) for name in ("head", "trunk", "legs")}


def test_every_district_is_done_on_one_of_the_devices_under_the_callers_command(capfd):
    with command_line("ct2pet_train", ["001"]):
        done = train_at_once(say, DISTRICTS, ["cpu", "cpu:0"])
    assert {*done} == {*DISTRICTS}
    assert {device for device, _, _ in done.values()} == {"cpu", "cpu:0"}
    assert {command for _, command, _ in done.values()} == {"ct2pet_train 001"}
    assert os.getpid() not in {process for _, _, process in done.values()}
    out, err = capfd.readouterr()
    assert sorted(out.splitlines()) == [f"[{name}] out of {name}" for name in sorted(DISTRICTS)]
    assert sorted(err.splitlines()) == [f"[{name}] error of {name}" for name in sorted(DISTRICTS)]


def test_a_district_that_fails_is_named_and_stops_no_other(capfd):
    with pytest.raises(CasesFailed, match=r"1 district\(s\) failed:\ntrunk: no such case") as failed:
        train_at_once(fail_in_trunk, {"trunk": ("trunk",), "legs": ("legs",)}, ["cpu"])
    assert failed.value.some_done
    assert capfd.readouterr().err.splitlines() == ["[trunk] failed: no such case", "[legs] done"]


def test_lines_arrive_whole_whatever_way_they_are_written():
    stream = io.StringIO()
    prefixed = Prefixed(stream, "[head] ")
    for text in ("one", " line\nand an", "other\n\nbar 1/2\rbar 2/2\r", "\nrest"):
        prefixed.write(text)
    assert stream.getvalue() == "[head] one line\n[head] and another\n[head] bar 1/2\n[head] bar 2/2\n"
    prefixed.flush()
    assert stream.getvalue().endswith("[head] rest\n")


def test_the_streams_are_as_before_after_the_block(capsys):
    before = sys.stdout, sys.stderr
    with lines_of("head"):
        print("inside")
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr().out == "[head] inside\n"
