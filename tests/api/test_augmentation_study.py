"""The augmentation study of a dataset of nodule phantoms, from its files to the table."""

import csv

import numpy as np
import pytest

from ct2pet.api.augmentation_study import study_augmentation
from ct2pet.cli.augmentation_study import main
from ct2pet.errors import DatasetError
from ct2pet.files import read_json
from ct2pet.phantom import write_nodule_dataset
from ct2pet.study.slices import SliceOptions

COMMAND = [
    "-d",
    "104",
    "--classifiers",
    "small_cnn",
    "--arms",
    "duplicates",
    "oracle",
    "--patients",
    "8",
    "--seeds",
    "1",
]
COMMAND += ["--kinds", "pet", "ct", "--pixels", "16", "--slices_per_case", "2", "--steps", "4", "--few_patients"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    write_nodule_dataset(folder / "Dataset104_Nodules", num_train=12, num_test=6, seed=1)
    return folder


@pytest.fixture(autouse=True)
def folders(raw, monkeypatch):
    monkeypatch.setenv("ct2pet_raw", str(raw))


def test_the_command_trains_every_arm_and_prints_what_it_brought(tmp_path, capsys):
    assert main([*COMMAND, "-o", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "3 + 3 real test patients, 1 run(s) each" in printed
    study = read_json(tmp_path / "study.json")
    assert {row["arm"]: row["images"] for row in study["arms"]} == {"real": 12, "duplicates": 24, "oracle": 20}
    assert all(np.isfinite(row["auc"]) for row in study["arms"])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert main([*COMMAND, "-o", str(tmp_path)]) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()} == before


def without(words):
    return [word for word in COMMAND if word not in words]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (without(["--few_patients"]), "only 6 training patient(s) are benign: below 10"),
        ([*COMMAND, "--classifiers", "oracle"], "unknown name 'oracle'; classifiers: mobilenet"),
        (without(["--patients", "8"]), "oracle needs more real patients"),
        ([*COMMAND, "-d", "105"], "no dataset '105'"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, capsys, arguments, message):
    assert main([*arguments, "-o", str(tmp_path / "study")]) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert message in error


def test_a_case_without_a_class_stops_the_study_before_it_begins(raw, tmp_path):
    table = raw / "Dataset104_Nodules" / "cases.csv"
    text = table.read_text()
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        table.write_text(
            text.replace(f"{rows[3]['case']},{rows[3]['patient']},{rows[3]['diagnosis']}", f"{rows[3]['case']},,")
        )
        with pytest.raises(DatasetError, match="nodule_0004 has no diagnosis"):
            study_augmentation(104, tmp_path / "study", slices=SliceOptions(pixels=16))
    finally:
        table.write_text(text)
    assert not (tmp_path / "study").exists()
