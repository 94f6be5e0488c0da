import argparse
import io
import signal
import sys

import pytest

from ct2pet import __version__
from ct2pet.cli.command import command
from ct2pet.console import NO_PROGRESS, progress
from ct2pet.errors import CasesFailed, ImageError
from ct2pet.files import atomic_path


def make(error=None):
    seen = []

    def add_arguments(parser):
        parser.add_argument("-gpu_memory_target", type=float)
        parser.add_argument("--num_epochs", type=int)

    def execute(arguments: argparse.Namespace):
        if error is not None:
            raise error
        seen.append(arguments)

    return command("ct2pet_x", "What it does.", add_arguments, execute), seen


def test_done_is_0_and_the_arguments_arrive():
    main, seen = make()
    assert main(["-gpu_memory_target", "4", "--num_epochs", "3"]) == 0
    assert (seen[0].gpu_memory_target, seen[0].num_epochs) == (4.0, 3)


def test_characters_that_the_output_cannot_represent_end_no_command(monkeypatch):
    """As in a file on Windows, or with an older locale."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    main = command("ct2pet_x", "What it does.", lambda parser: None, lambda arguments: print("MAE ↓ 3 ± 1"))
    assert main([]) == 0
    sys.stdout.flush()
    assert written.getvalue().decode("cp1252").strip() == "MAE ? 3 ± 1"


@pytest.mark.parametrize("typo", [["-gpu_memory", "4"], ["--num_epoch", "3"], ["-num_epochs", "3"], ["extra"]])
def test_typos_and_abbreviations_are_rejected(typo, capsys):
    main, _ = make()
    with pytest.raises(SystemExit) as stop:
        main(typo)
    assert stop.value.code == 2
    assert typo[0] in capsys.readouterr().err


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGUSR1", 138)])
def test_a_signal_of_a_cluster_ends_the_work_in_order(name, code, tmp_path, capsys):
    """What is half-written is removed, the handlers are as before, and a second signal does not disturb."""
    number = getattr(signal, name)
    before = signal.getsignal(number)

    def execute(arguments):
        with atomic_path(tmp_path / "checkpoint.pth") as path:
            path.write_text("half of it")
            try:
                signal.raise_signal(number)
            finally:
                signal.raise_signal(number)

    assert command("ct2pet_x", "What it does.", lambda parser: None, execute)([]) == code
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == f"ct2pet_x: ended by {name}; what is finished stays\n"
    assert signal.getsignal(number) == before


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ImageError("a.nii.gz: cut off; copy it again"), 2, "ct2pet_x: a.nii.gz: cut off; copy it again"),
        (CasesFailed({"B": "no PET", "A": "too short"}, some_done=True), 1, "A: too short\nB: no PET"),
        (CasesFailed({"A": "too short"}, some_done=False), 2, "A: too short"),
        (KeyError("spacing"), 2, "unexpected KeyError: 'spacing' (--verbose shows where)"),
        (MemoryError(), 2, "ct2pet_x: not enough memory; close other programs"),
        (PermissionError(13, "Permission denied", "a.csv"), 2, "ct2pet_x: a.csv: Permission denied\n"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_an_error_is_a_line_and_an_exit_code_and_no_traceback(error, code, words, capsys):
    main, _ = make(error)
    assert main([]) == code
    message = capsys.readouterr().err
    assert words in message
    assert "Traceback" not in message


def test_verbose_shows_the_traceback(capsys):
    main, _ = make(ImageError("a.nii.gz: cut off"))
    assert main(["--verbose"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_verbose_shows_the_traceback_of_each_case_that_failed_by_surprise(capsys):
    main, _ = make(CasesFailed({"A": "ZeroDivisionError: x"}, some_done=True, tracebacks={"A": "in the worker"}))
    assert main([]) == 1
    assert "in the worker" not in capsys.readouterr().err
    assert main(["--verbose"]) == 1
    assert "A: in the worker" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--no_pbar", "--disable_progress_bar"])
def test_without_progress_nothing_is_shown_while_the_command_works(flag, capsys, monkeypatch):
    monkeypatch.delenv(NO_PROGRESS, raising=False)

    def execute(arguments):
        with progress("Working", 3) as bar:
            bar.advance(3)

    main = command("ct2pet_x", "What it does.", lambda parser: None, execute)
    assert main([flag]) == 0
    assert capsys.readouterr().err == ""
    assert main([]) == 0
    assert "Working: 3/3 cases" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typo", "hint"),
    [
        (["--num_epoch", "3"], "; did you mean --num_epochs?"),
        (["--num-epochs=3"], "; did you mean --num_epochs?"),
        (["-gpu_memory", "3"], "; did you mean -gpu_memory_target?"),
        (["--xyzzy"], ""),
        (["extra"], ""),
    ],
)
def test_an_unknown_option_leads_to_the_one_that_was_meant(typo, hint, capsys):
    main, _ = make()
    with pytest.raises(SystemExit):
        main(typo)
    expected = f"ct2pet_x: unrecognized arguments: {' '.join(typo)}{hint} (--help lists the options)\n"
    assert capsys.readouterr().err == expected


def test_every_command_prints_its_version(capsys):
    main, _ = make()
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"ct2pet {__version__}\n"
