import argparse
import signal

import pytest

from ct2pet.cli.command import command
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
        (MemoryError(), 2, "ct2pet_x: not enough memory: end other programs"),
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
