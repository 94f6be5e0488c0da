import os
import subprocess
import sys

import pytest

from ct2pet import __main__, __version__
from ct2pet.cli import train

ROOT = __file__.rsplit("/tests/", 1)[0]


def test_a_command_gets_its_arguments_and_gives_its_exit_code(monkeypatch):
    calls = []
    monkeypatch.setattr(train, "main", lambda words: calls.append(words) or 7)
    for name in ("train", "ct2pet_train"):
        assert __main__.main([name, "001", "pix2pix", "all"]) == 7
    assert calls == [["001", "pix2pix", "all"]] * 2


def test_all_commands_are_listed_with_a_sentence_each(capsys):
    assert __main__.main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in __main__.commands():
        (line,) = [line for line in text.splitlines() if line.split()[:1] == [name]]
        assert len(line.split()) > 4, name
    assert __main__.main([]) == 2


@pytest.mark.parametrize(
    ("typed", "hint"), [("trian", "; did you mean train?"), ("evalute", "; did you mean evaluate?"), ("xyzzy", "")]
)
def test_an_unknown_command_is_a_line_with_the_name_that_was_meant(typed, hint, capsys):
    assert __main__.main([typed, "001"]) == 2
    assert capsys.readouterr().err == f"ct2pet: unknown command {typed}{hint} (ct2pet --help lists them)\n"


def test_the_version_is_that_of_the_package():
    command = [sys.executable, "-m", "ct2pet"]
    for words in (["--version"], ["train", "--version"]):
        run = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True, check=True)
        assert run.stdout == f"ct2pet {__version__}\n"


def test_the_help_of_all_commands_fits_a_terminal_of_100_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")
    __main__.main(["--help"])
    for name in __main__.commands():
        with pytest.raises(SystemExit):
            __main__.main([name, "--help"])
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 100] == []


def test_the_list_of_commands_can_be_read_in_part():
    """As by ``ct2pet --help | head -1``: no traceback, although nothing reads the pipe any more."""
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run([sys.executable, "-m", "ct2pet", "--help"], cwd=ROOT, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (run.returncode, run.stderr) == (0, b"")
