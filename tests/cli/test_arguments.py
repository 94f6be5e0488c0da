"""Options of all commands: what cannot be is refused before any work, in one line that names the option."""

import argparse
import importlib
import json
import shlex
from pathlib import Path

import pytest

import ct2pet.cli
from ct2pet.cli.arguments import integer, number, seed

SHARED = ("arguments", "cluster", "command", "model_arguments")
COMMANDS = sorted(path.stem for path in Path(ct2pet.cli.__file__).parent.glob("[!_]*.py") if path.stem not in SHARED)
NEEDED = {
    "accumulate_crossval_results": "001",
    "augmentation_study": "-d 001 -o study",
    "compare": "results",
    "convert_dicom": "-i in -d 1 -n NAME",
    "demo": "",
    "evaluate": "-d 001 -i predictions",
    "explain": "-i in -o out --regions organs",
    "export_model": "-d 001 -o model.zip",
    "extract_fingerprint": "-d 001",
    "find_best_configuration": "001",
    "install_model": "model.zip",
    "move_plans_between_datasets": "-s 001 -t 002",
    "plan_and_preprocess": "-d 001",
    "plan_experiment": "-d 001",
    "predict": "-i in -o out",
    "preprocess": "-d 001",
    "reader_study": "--key key.json make",
    "register": "-d 001",
    "report": "-d 001 -i predictions",
    "segment_districts": "-d 001",
    "segment_organs": "-d 001 -i cts --segmenter moose",
    "split": "-d 001",
    "synthesize": "-d 001 -m toy -o out -n 1",
    "train": "001 pix2pix all",
}
HOSTILE = [
    "x",
    "",
    " ",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1e23",
    "-5",
    "0x10",
    "1_0",
    "٣",
    "9" * 5000,
    "1,5",
    "--",
    "True",
]


def options():
    """The options with a value of their own type, of every command."""
    for name in COMMANDS:
        parser = argparse.ArgumentParser()
        importlib.import_module(f"ct2pet.cli.{name}").add_arguments(parser)
        for action in parser._actions:
            if action.type not in (None, Path) or action.choices:
                yield pytest.param(name, action, id=f"{name} {action.option_strings or action.dest}")


def refused(name, line, capsys):
    """The one line with which a command refuses its arguments."""
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(f"ct2pet.cli.{name}").main(line)
    assert stop.value.code == 2
    (told,) = capsys.readouterr().err.splitlines()
    return told


@pytest.mark.parametrize(("name", "action"), list(options()))
@pytest.mark.parametrize("value", ["x", "nan", "inf", "1e23", "9" * 5000, ""], ids=lambda value: value[:5])
def test_every_option_refuses_what_it_cannot_be(name, action, value, capsys):
    words = shlex.split(NEEDED[name])
    if action.option_strings:
        line, shown = [*words, f"{action.option_strings[0]}={value}"], action.option_strings[0]
    else:
        line, shown = [*words[:-1], value], action.metavar  # the fold
    told = refused(name, line, capsys)
    assert told.startswith(f"ct2pet_{name}: argument {shown}: ")
    assert "invalid" not in told or action.choices
    assert action.choices or "_" not in told.removeprefix(f"ct2pet_{name}: argument {shown}")


OUT_OF_RANGE = [
    "plan_experiment -gpu_memory_target 0: expected a number from 0.01 to 10000 GiB, not '0'",
    "plan_and_preprocess -gpu_memory_target 1e9: expected a number from 0.01 to 10000 GiB, not '1e9'",
    "predict --blend_mm 1e9: expected a number from 0 to 500 mm, not '1e9'",
    "predict --blend_mm -1: expected a number from 0 to 500 mm, not '-1'",
    "predict -step_size 1e-9: expected a number from 0.1 to 1, not '1e-9'",
    "predict -step_size 1.5: expected a number from 0.1 to 1, not '1.5'",
    "predict -num_parts 0: expected a whole number from 1 to 1000000, not '0'",
    "predict -part_id -1: expected a whole number from 0 to 999999, not '-1'",
    "split --seed -5: expected a whole number from 0 to 4294967295, not '-5'",
    "train --seed 4294967296: expected a whole number from 0 to 4294967295, not '4294967296'",
    "train --seed 1e3: expected a whole number from 0 to 4294967295, not '1e3'",
    "train --num_epochs 0: expected a whole number from 1 to 1000000, not '0'",
    "train -num_workers 257: expected a whole number from 0 to 256, not '257'",
    "train -num_gpus 0: expected a whole number from 1 to 1024, not '0'",
    "evaluate -np 0: expected a whole number from 1 to 1024, not '0'",
    "register -np 100000: expected a whole number from 1 to 1024, not '100000'",
    "convert_dicom -d 0: expected a whole number from 1 to 1000000, not '0'",
    "report --max_cases 0: expected a whole number from 1 to 1000000, not '0'",
]


@pytest.mark.parametrize("wrong", OUT_OF_RANGE)
def test_values_out_of_range_are_refused_with_the_range(wrong, capsys):
    line, expected = wrong.split(": ", 1)
    name, option, value = line.split()
    told = refused(name, [*shlex.split(NEEDED[name]), option, value], capsys)
    assert told == f"ct2pet_{name}: argument {option}: {expected} (--help lists the options)"


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_refused_in_one_line(name, capsys):
    told = refused(name, [*shlex.split(NEEDED[name]), "--nothing"], capsys)
    assert told == f"ct2pet_{name}: unrecognized arguments: --nothing (--help lists the options)"


def parsed(kind, text):
    try:
        return kind(text)
    except argparse.ArgumentTypeError:
        return None


def test_argument_types_accept_only_their_range():
    small, share = integer(-2, 3), number(0.1, 1)
    assert [parsed(small, str(value)) for value in range(-4, 6)] == [None, None, -2, -1, 0, 1, 2, 3, None, None]
    assert [parsed(share, text) for text in ("0.1", "1", "1e-1", ".5", "0.0999", "1.0001")] == [0.1, 1, 0.1, 0.5] + [
        None
    ] * 2
    assert parsed(seed, "4294967295") == 2**32 - 1
    assert parsed(seed, "007") == 7
    for text in HOSTILE:
        assert parsed(integer(0, 10), text) is None
        assert parsed(share, text) is None


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Files of other programs, and what must not be overwritten, beside results of ct2pet."""
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    for name in ("raw/Dataset001_X/imagesTs/a_0000.nii.gz", "maps/a.nii.gz", "out/predictions/a.nii.gz", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
    (tmp_path / "raw" / "Dataset001_X" / "dataset.json").write_text("{}")
    (tmp_path / "out" / "summary.json").write_text(json.dumps({"cases": {}, "mean": {}}))
    (tmp_path / "out" / "report.html").write_text("<!DOCTYPE html><title>Synthetic PET from CT: X</title>")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "comparison.csv").write_text("name;age")
    return tmp_path


CTS, PETS = "raw/Dataset001_X/imagesTs", "out/predictions"
OUTPUTS = [
    (f"predict -i {CTS} -o {CTS}", f"-o {CTS}: is in the folder of the inputs"),
    (f"predict -i {CTS} -o {CTS}/pets", f"-o {CTS}/pets: is in the folder of the inputs"),
    (f"predict -i {CTS}/a_0000.nii.gz -o {CTS}", f"-o {CTS}: is in the folder of the inputs"),
    (f"predict -i {CTS} -o new --like nowhere", "--like nowhere: no such file or folder"),
    (f"predict -i {CTS} -o new -num_parts 2 -part_id 2", "-part_id 2: the parts are 0 to 1"),
    (f"segment_districts -i {CTS} -o {CTS}/maps", f"-o {CTS}/maps: is in the folder of the inputs"),
    (f"evaluate -d 1 -i {PETS} -o raw/Dataset001_X/dataset.json", "would be replaced, but is not a summary"),
    (f"evaluate -d 1 -i {PETS} -o out/report.html", "would be replaced, but is not a summary"),
    (f"evaluate -d 1 -i {PETS} -o {PETS}/a.nii.gz", "would be replaced, but is not a summary"),
    (f"evaluate -d 1 -i {PETS} -o out", "out: is a folder, not a file"),
    (f"evaluate -d 1 -i {PETS} -o notes.txt/x.json", "notes.txt: is a file, not a folder"),
    (f"evaluate -d 1 -i {PETS} --error_maps raw/Dataset001_X/new", "is in the folder of the inputs"),
    (f"evaluate -d 1 -i {PETS} --error_maps notes.txt", "notes.txt: is a file, not a folder"),
    (f"report -d 1 -i {PETS} -o raw/Dataset001_X/dataset.json", "would be replaced, but is not a report"),
    (f"report -d 1 -i {PETS} -o out/summary.json", "would be replaced, but is not a report"),
    (f"report -d 1 -i {PETS} -o out", "out: is a folder, not a file"),
    (f"report -d 1 -i {PETS} --figures notes.txt", "notes.txt: is a file, not a folder"),
    ("compare out -o notes.txt", "notes.txt: is a file, not a folder"),
    ("compare out -o other", "comparison.csv: would be replaced, but is not a comparison"),
    ("demo -o notes.txt", "notes.txt: is a file, not a folder"),
]


@pytest.mark.parametrize(("line", "told"), OUTPUTS, ids=[line for line, _ in OUTPUTS])
def test_outputs_that_would_harm_are_refused_before_any_work(files, monkeypatch, capsys, line, told):
    monkeypatch.chdir(files)
    before = {path: path.read_bytes() for path in files.rglob("*") if path.is_file()}
    name, *arguments = shlex.split(line)
    assert importlib.import_module(f"ct2pet.cli.{name}").main(arguments) == 2
    (message,) = capsys.readouterr().err.splitlines()
    assert message.startswith(f"ct2pet_{name}: ")
    assert told in message
    assert {path: path.read_bytes() for path in files.rglob("*") if path.is_file()} == before
    assert not (files / "new").exists()


OWN = [
    (f"evaluate -d 1 -i {PETS} -o out/summary.json", "ct2pet.api.evaluation.evaluate"),
    (f"report -d 1 -i {PETS} -o out/report.html", "ct2pet.api.reporting.report"),
]


@pytest.mark.parametrize(("line", "function"), OWN)
def test_a_result_of_ct2pet_may_be_replaced(files, monkeypatch, line, function):
    def reached(*arguments, **options):
        raise KeyboardInterrupt

    importlib.import_module(function.rpartition(".")[0])
    monkeypatch.setattr(function, reached)
    monkeypatch.chdir(files)
    name, *arguments = shlex.split(line)
    assert importlib.import_module(f"ct2pet.cli.{name}").main(arguments) == 130
