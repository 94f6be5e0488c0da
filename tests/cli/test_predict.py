from pathlib import Path

import pytest

from ct2pet.api import prediction
from ct2pet.cli.predict import main


@pytest.fixture
def called(monkeypatch):
    calls = []
    monkeypatch.setattr(prediction, "predict", lambda *args, **options: calls.append((args, options)))
    return calls


def test_defaults_choose_nothing(called):
    assert main(["-i", "in", "-o", "out"]) == 0
    ((_, options),) = called
    chosen = {name: value for name, value in options.items() if value is not None and value is not False}
    assert chosen == {
        "source": Path("in"),
        "target": Path("out"),
        "checkpoint": "checkpoint_final.pth",
        "grid": "pet",
        "mirror": True,
        "num_parts": 1,
        "part_id": 0,
    }


def test_every_option_arrives_as_an_argument_of_the_function(called, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pets").mkdir()
    line = "-i in -o out -d 001 -m pix2pix -p mine -c head trunk -f 0 all -chk checkpoint_best.pth --districts maps"
    line += " --segmenter moose --weights w"
    line += " -device cpu -step_size 0.25 --disable_tta --blend_mm 0 --grid ct --like pets --dicom"
    line += " --continue_prediction --float32"
    assert main([*line.split(), "-num_parts", "3", "-part_id", "2"]) == 0
    ((_, options),) = called
    assert options == {
        "source": Path("in"),
        "target": Path("out"),
        "dataset": "001",
        "model": "pix2pix",
        "plans_name": "mine",
        "configurations": ["head", "trunk"],
        "folds": ["0", "all"],
        "checkpoint": "checkpoint_best.pth",
        "districts": Path("maps"),
        "segmenter": "moose",
        "weights": Path("w"),
        "device": "cpu",
        "step_size": 0.25,
        "mirror": False,
        "float32": True,
        "blend_mm": 0.0,
        "grid": "ct",
        "like": Path("pets"),
        "dicom": True,
        "continue_prediction": True,
        "num_parts": 3,
        "part_id": 2,
    }


@pytest.mark.parametrize("wrong", ["-step_size 0", "-step_size 1.5", "--blend_mm -1", "--grid mr", "-num_parts 0"])
def test_impossible_values_are_refused(called, wrong, capsys):
    with pytest.raises(SystemExit):
        main(["-i", "in", "-o", "out", *wrong.split()])
    assert wrong.split()[0] in capsys.readouterr().err
    assert called == []
