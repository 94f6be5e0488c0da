from pathlib import Path

import pytest
from raw_cases import case_volumes
from stub_segmenter import use_stubs

from ct2pet.api import segmentation
from ct2pet.cli.segment_districts import main
from ct2pet.imageio import write_volume


@pytest.fixture
def called(monkeypatch):
    calls = []
    monkeypatch.setattr(segmentation, "segment_districts", lambda **options: calls.append(options))
    return calls


def test_every_option_arrives(called):
    line = "-i in -o out -d 1 --segmenter moose --weights w --districts own --pictures --continue_segmentation"
    assert main([*line.split(), "-device", "cuda", "-np", "3"]) == 0
    assert called == [
        {
            "source": Path("in"),
            "target": Path("out"),
            "dataset": "1",
            "segmenter": "moose",
            "weights": Path("w"),
            "districts": Path("own"),
            "pictures": True,
            "continue_segmentation": True,
            "device": "cuda",
            "num_processes": 3,
        }
    ]


def test_the_dataset_s_segmenter_or_rules_is_the_default(called):
    assert main(["-i", "in", "-o", "out"]) == 0
    given = {name: value for name, value in called[0].items() if value}
    assert given == {"source": Path("in"), "target": Path("out")}


def test_an_unknown_segmenter_is_a_line_with_the_known_ones_and_some_failed_cases_are_exit_code_1(
    tmp_path, monkeypatch, capsys
):
    use_stubs(monkeypatch)
    for case in ("a", "unlucky"):
        write_volume(tmp_path / "cts" / f"{case}.nii.gz", case_volumes()["ct"])
    line = ["-i", str(tmp_path / "cts"), "-o", str(tmp_path / "maps"), "-np", "1", "--segmenter"]
    assert main([*line, "ruels"]) == 2
    known = "body, files, moose"
    assert f"ct2pet_segment_districts: there is no segmenter 'ruels'; there are: {known}" in capsys.readouterr().err
    assert main([*line, "halves"]) == 1
    said = capsys.readouterr()
    assert "unlucky: nothing looks like a body" in said.err
    assert "1 of 1 district maps need a look: a" in said.out
