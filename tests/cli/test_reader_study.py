"""The command ct2pet_reader_study, from folders of images to the score."""

import json

import numpy as np
import pytest
from PIL import Image

from ct2pet.cli.reader_study import main


@pytest.fixture
def folders(tmp_path):
    for name in ("real", "synthetic"):
        (tmp_path / name).mkdir()
        for index in range(5):
            Image.fromarray(np.full((8, 8), 20 * index + (name == "real"), np.uint8)).save(
                tmp_path / name / f"{index}.png"
            )
    return tmp_path


def make(folder, *options):
    paths = [
        "-real",
        folder / "real",
        "-synthetic",
        folder / "synthetic",
        "-o",
        folder / "p.html",
        "--key",
        folder / "k.json",
    ]
    return main(["make", *map(str, paths), "-n", "5", *options])


def test_a_study_is_made_answered_and_scored(folders, capsys):
    assert make(folders) == 0
    assert "5 real and 5 synthetic images" in capsys.readouterr().out
    key = json.loads((folders / "k.json").read_text())
    ratings = [4 if kind == "synthetic" else 2 for kind in key["images"]]
    (folders / "answers.json").write_text(json.dumps({"study": key["study"], "reader": "A", "ratings": ratings}))
    assert main(["score", "--key", str(folders / "k.json"), "--answers", str(folders / "answers.json")]) == 0
    printed = capsys.readouterr().out
    assert "right: 10 (100.0%" in printed
    assert "p = 0.002" in printed
    assert "this reader distinguishes synthetic images from real ones" in printed


def test_a_second_page_does_not_replace_the_first(folders, capsys):
    assert make(folders) == 0
    before = (folders / "p.html").read_bytes()
    assert make(folders, "--seed", "2") == 2
    assert "exists already" in capsys.readouterr().err
    assert (folders / "p.html").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["make", "--key", "k.json"], "make needs -real, -synthetic, -o"),
        (["score", "--key", "k.json"], "score needs --answers"),
        (["score", "--key", "none.json", "--answers", "a.json"], "none.json: no such file"),
    ],
)
def test_missing_arguments_and_files_are_one_error_line(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_too_few_images_write_nothing(folders, capsys):
    assert make(folders, "-n", "6") == 2
    assert "5 images, 6 are needed" in capsys.readouterr().err
    assert not (folders / "p.html").exists()
    assert not (folders / "k.json").exists()
