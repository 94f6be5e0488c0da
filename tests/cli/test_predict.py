import contextlib
import shlex
from dataclasses import asdict
from pathlib import Path

import pytest

from ct2pet.api import prediction
from ct2pet.cli.predict import main
from ct2pet.inference.options import PredictionOptions


@pytest.fixture
def called(monkeypatch):
    """The source, target and options of each call."""
    calls = []

    def predict(source, target, options):
        calls.append((source, target, options))
        return [target / "a.nii.gz", target / "b.nii.gz"]

    monkeypatch.setattr(prediction, "predict", predict)
    return calls


def test_the_defaults_are_those_of_the_function(called):
    assert main(["-i", "in", "-o", "out"]) == 0
    assert called == [(Path("in"), Path("out"), PredictionOptions())]


def test_it_prints_the_folder_of_the_predictions_and_the_next_command(called, tmp_path, capsys):
    assert main(["-i", "in", "-o", str(tmp_path), "-d", "001"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"2 predicted image(s): {tmp_path} (provenance: prediction.json)",
        f"next, with the true images: ct2pet_evaluate -d 001 -i {tmp_path}",
    ]


def test_it_prints_the_file_of_a_single_prediction(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(prediction, "predict", lambda source, target, options: [target])
    assert main(["-i", "ct.nii.gz", "-o", str(tmp_path / "pet.nii.gz")]) == 0
    assert capsys.readouterr().out.startswith(f"1 predicted image(s): {tmp_path / 'pet.nii.gz'} (provenance: pet.json)")


@pytest.mark.parametrize(("images", "split"), [("imagesTs", ""), ("imagesTr", " -split Tr")])
def test_the_next_command_names_the_dataset_of_the_images(called, tmp_path, capsys, images, split):
    folder = tmp_path / "Dataset007_Other" / images
    folder.mkdir(parents=True)
    (folder.parent / "dataset.json").touch()
    assert main(["-i", str(folder), "-o", str(tmp_path), "-d", "001"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"next, with the true images: ct2pet_evaluate -d Dataset007_Other -i {tmp_path}{split}"


def test_without_a_dataset_the_next_command_takes_a_folder_of_true_images(called, tmp_path, capsys):
    (tmp_path / "imagesTs").mkdir()
    assert main(["-i", str(tmp_path / "imagesTs"), "-o", str(tmp_path)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"next, with the true images in the folder REAL: ct2pet_evaluate REAL {tmp_path}"


def test_the_next_command_quotes_a_path_with_spaces(called, tmp_path, capsys):
    folder = tmp_path / "my predictions"
    assert main(["-i", "in", "-o", str(folder), "-d", "001"]) == 0
    words = shlex.split(capsys.readouterr().out.splitlines()[-1].removeprefix("next, with the true images: "))
    assert words == ["ct2pet_evaluate", "-d", "001", "-i", str(folder)]


def test_every_option_arrives_as_an_argument_of_the_function(called, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pets").mkdir()
    line = "-i in -o out -d 001 -m pix2pix -p mine -c head trunk -f 0 all -chk checkpoint_best.pth --districts maps"
    line += " --segmenter moose --weights w"
    line += " -device cpu -step_size 0.25 --disable_tta --blend_mm 0 --grid ct --like pets --dicom"
    line += " --patient_map map.csv --continue_prediction --float32 --fill_with_whole_body --require_all_districts"
    line += " --pictures --ensemble one__plans two__plans --lesion_model three__plans -npp 2 -nps 3"
    assert main([*line.split(), "-num_parts", "3", "-part_id", "2"]) == 0
    ((source, target, options),) = called
    assert (source, target) == (Path("in"), Path("out"))
    assert asdict(options) == {
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
        "patient_map": Path("map.csv"),
        "fill_with_whole_body": True,
        "require_all_districts": True,
        "num_parts": 3,
        "part_id": 2,
        "model_paths": None,
        "ensemble": ["one__plans", "two__plans"],
        "lesion_model": "three__plans",
        "pictures": True,
        "num_readers": 2,
        "num_writers": 3,
    }


@pytest.mark.parametrize("wrong", ["-step_size 0", "-step_size 1.5", "--blend_mm -1", "--grid mr", "-num_parts 0"])
def test_impossible_values_are_refused(called, wrong, capsys):
    with pytest.raises(SystemExit):
        main(["-i", "in", "-o", "out", *wrong.split()])
    assert wrong.split()[0] in capsys.readouterr().err
    assert called == []


def test_on_a_cluster_the_paths_of_models_are_absolute(called, tmp_path, monkeypatch):
    """Workers run in other folders, in which a relative path may be another model."""
    monkeypatch.setattr("ct2pet.parallel.cluster.on_cluster", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.chdir(tmp_path)
    for name in ("one.zip", "two.zip", "lesions.zip"):
        Path(name).touch()
    command = ["-i", "in", "-o", "out", "--dask", "tcp://none:1", "--model"]
    assert main([*command, "one.zip", "two.zip", "--lesion_model", "lesions.zip"]) == 0
    assert main([*command, "box", "--lesion_model", "pix2pix__small"]) == 0
    assert main([*command, "one.zip", "--lesion_model", "box"]) == 0
    models = [[str(path) for path in options.model_paths] for _, _, options in called]
    one, two = str(tmp_path / "one.zip"), str(tmp_path / "two.zip")
    assert models == [[one, two], ["box"], [one]]
    lesions = [options.lesion_model for _, _, options in called]
    assert lesions == [str(tmp_path / "lesions.zip"), "pix2pix__small", "box"]
