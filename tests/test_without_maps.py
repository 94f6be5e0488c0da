"""A dataset without district maps, through the commands: they are made, named where doubtful, and told apart."""

import json
import shutil

import pytest
from stub_segmenter import use_stubs
from whole_pipeline import DATASET, TEST_CASES, prepare, run


@pytest.fixture
def bare(finished_pipeline, pipeline_copy, monkeypatch):
    """The trained pipeline without district maps, and a segmenter that needs no anatomy."""
    use_stubs(monkeypatch)
    for split in ("Tr", "Ts"):
        shutil.rmtree(pipeline_copy.raw / f"districts{split}")
    shutil.copytree(finished_pipeline[0].predictions, pipeline_copy.predictions)
    return pipeline_copy


def test_preparing_makes_maps_and_the_plans_record_the_segmenter(bare, capsys):
    assert prepare(bare, "--segmenter bands --verify_dataset_integrity") == 0
    said = capsys.readouterr().out
    for number in range(1, 5):
        assert (bare.raw / "districtsTr" / f"phantom_{number:03d}.nii.gz").exists()
        assert f"phantom_{number:03d}: head, trunk, arms 0.20 (low), legs" in said
    assert any(line.endswith("phantom_001, phantom_002, phantom_003, phantom_004") for line in said.splitlines())
    assert bare.plans["segmenters"] == [{"name": "bands", "version": "1.2", "settings": {"part": 0.5}}]
    assert prepare(bare, "--verify_dataset_integrity") == 0  # what lies beside the maps is no problem


def test_predicting_makes_maps_and_warns_that_the_training_had_others(bare, tmp_path, capsys):
    assert bare.predict(tmp_path / "out", "--segmenter bands") == 0
    said = capsys.readouterr()
    assert "come from bands 1.2, those of the training from files without a record" in said.err
    assert f"{TEST_CASES[0]}: head, trunk, arms 0.20 (low), legs" in said.out
    assert json.loads((tmp_path / "out" / "prediction.json").read_text())["segmenters"][0]["name"] == "bands"
    assert {path.name for path in (tmp_path / "out" / "districts").glob("*.gz")} == {f"{c}.nii.gz" for c in TEST_CASES}


def test_the_evaluation_names_the_command_that_makes_them(bare, capsys):
    evaluate = f"evaluate -d 077 -i {bare.predictions} -np 1"
    segment = "segment_districts -d 077 --segmenter bands -np 1"
    assert run(evaluate) == 2
    assert "ct2pet_segment_districts -d" in capsys.readouterr().err
    assert run(segment) == 0
    (bare.raw / "districtsTs" / f"{TEST_CASES[1]}.nii.gz").unlink()
    assert run(evaluate) == 1
    said = capsys.readouterr().err.split("ct2pet_evaluate: ")[1]
    assert f"{TEST_CASES[1]}: " in said
    assert TEST_CASES[0] not in said
    assert run(f"{segment} --continue_segmentation") == 0
    assert run(evaluate) == 0
    assert run(f"report -d 077 -i {bare.predictions} -np 1") == 0
    assert DATASET in (bare.predictions / "report.html").read_text()
