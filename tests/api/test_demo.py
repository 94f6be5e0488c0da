import json
import os

import pytest
from whole_pipeline import PulledPlugError, content_of, times_of

from ct2pet.api import demo, evaluation, planning
from ct2pet.api.demonstrations import demonstrated_methods, ldos, load_demonstration, pix2pix
from ct2pet.errors import PluginError
from ct2pet.models import model_names
from ct2pet.phantom import COARSE
from ct2pet.planning import budget

FOLDERS = [f"ct2pet_{kind}" for kind in ("raw", "preprocessed", "results")]


@pytest.fixture(scope="module")
def shrunken():
    """The demonstration in seconds: few and coarse patients, the smallest patches, one step for each district."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pix2pix, "DEMO", COARSE)
        for name, number in {"_NUM_TRAIN": 3, "_NUM_TEST": 1, "_EPOCHS": 1, "_ITERATIONS": 1}.items():
            patch.setattr(pix2pix, name, number)
        patch.setattr(budget, "available_memory_gib", lambda: 0.78)
        for module in (pix2pix, planning, evaluation):
            patch.setattr(module, "default_processes", lambda: 1)
        patch.setenv("ct2pet_raw", "/of/the/user")
        patch.delenv("ct2pet_results", raising=False)
        yield patch


@pytest.fixture(scope="module")
def interrupted(shrunken, tmp_path_factory):
    """A demonstration that ended while the second district was trained: its folder and the environment after it."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    original, finished = demo.train, []

    def train_one(*arguments, **options):
        finished.extend(original(*arguments, **options, configurations=["head"]))
        raise PulledPlugError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "train", train_one)
        with pytest.raises(PulledPlugError):
            demo.run_demo(folder, device="cpu")
    return folder, {name: os.environ.get(name) for name in FOLDERS}, times_of(finished[0])


@pytest.fixture(scope="module")
def done(interrupted):
    """It was begun again, and is done."""
    return demo.run_demo(interrupted[0], device="cpu")


def test_the_demo_writes_only_into_its_folder(interrupted, done):
    folder = interrupted[0]
    assert done == folder.resolve() / "report.html"
    names = {"raw", "preprocessed", "results", "predictions", "summary.json", "report.html"}
    assert {path.name for path in folder.iterdir()} == names
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    (case,) = json.loads((folder / "summary.json").read_text())["cases"]
    assert set(content_of(folder / "predictions")) == {f"{case}.nii.gz", "prediction.json"}
    page = done.read_text()
    assert case in page
    assert page.count("data:image/png;base64,") == 8 + 1  # the case's projections, and the joint histogram
    for district in ("head", "trunk", "arms", "legs"):
        assert f"{district}: losses" in page


def test_the_demo_does_not_change_the_environment(interrupted, done):
    assert interrupted[1]["ct2pet_raw"] == "/of/the/user"
    assert interrupted[1]["ct2pet_results"] is None
    assert {name: os.environ.get(name) for name in FOLDERS} == interrupted[1]


def test_started_again_it_trains_nothing_twice(interrupted, done):
    for path, time in interrupted[2].items():
        assert path.stat().st_mtime_ns == time


def test_run_again_when_done_it_keeps_data_models_and_predictions_whatever_memory_is_free(
    interrupted, done, shrunken, capsys
):
    shrunken.setattr(budget, "available_memory_gib", lambda: 4.0)
    folder = interrupted[0]
    before, summary = times_of(folder), (folder / "summary.json").read_bytes()
    assert demo.run_demo(folder, device="cpu") == done
    changed = {path.relative_to(folder).as_posix() for path, time in times_of(folder).items() if before[path] != time}
    made_anew = ("summary.json", "report.html", "prediction.json", "plans.json", "dataset.json", "fingerprint.json")
    assert [name for name in changed if not name.endswith(made_anew)] == []
    assert (folder / "summary.json").read_bytes() == summary
    said = capsys.readouterr()
    assert "replaced" not in said.err
    rows = [line.split(" (n = ")[0] for line in said.out.splitlines() if "(n = 1)" in line]
    assert rows[:5] == ["whole body", "head", "trunk", "arms", "legs"]
    assert "blurred" not in said.out  # the short table


def test_every_demonstration_is_of_a_method_and_an_unknown_one_names_those_there_are():
    assert set(demonstrated_methods()) <= set(model_names())
    with pytest.raises(PluginError, match=r"unknown name 'nnunet'.*ldos.*pix2pix"):
        load_demonstration("nnunet")


def test_ldos_writes_denoised_pets_and_organs_of_the_held_out_patients(shrunken, tmp_path, capfd):
    shrunken.setattr(ldos, "_SCANNER", COARSE)
    shrunken.setattr(ldos, "default_processes", lambda: 1)
    for name, number in {"_NUM_TRAIN": 2, "_NUM_TEST": 1, "_EPOCHS": 1, "_ITERATIONS": 1}.items():
        shrunken.setattr(ldos, name, number)
    report = demo.run_demo(tmp_path / "out", "ldos", device="cpu")
    assert "--c" not in capfd.readouterr().err  # a first run continues nothing
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    (case,) = summary["cases"]
    names = {path.name for path in (tmp_path / "out" / "predictions").iterdir()}
    assert names >= {f"{case}_PET.nii.gz", f"{case}_organs.nii.gz"}
    assert "mae" in summary["cases"][case]["whole_body"]
    assert "dice" in summary["cases"][case]["organ:liver"]
    assert case in report.read_text()
    assert "Dice" in report.read_text()
