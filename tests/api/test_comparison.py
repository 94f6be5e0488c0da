import copy
import csv
import json
import shutil
from pathlib import Path

import pytest
from summaries import synthetic_summary
from whole_pipeline import run

from ct2pet.api.comparison import compare_results
from ct2pet.cli.compare import main
from ct2pet.errors import Ct2PetError
from ct2pet.evaluation import write_summary


@pytest.fixture
def folders(tmp_path):
    """Two folders of predictions, the second one worse."""
    first = synthetic_summary(10)
    second = copy.deepcopy(first)
    for number, regions in enumerate(second["cases"].values()):
        regions["whole_body"]["mae"] += 0.2 + 0.01 * number
    write_summary(tmp_path / "one" / "summary.json", first)
    write_summary(tmp_path / "two" / "summary.json", second)
    return tmp_path / "one", tmp_path / "two"


def test_folders_and_files_are_called_by_their_names(folders, tmp_path):
    assert compare_results(folders).models == ("one", "two")
    assert compare_results([folders[0] / "summary.json", f"{folders[1]}/"]).models == ("one", "two")
    shutil.copy(folders[1] / "summary.json", folders[0] / "rotated.json")
    assert compare_results([folders[0], folders[0] / "rotated.json"]).models == ("one", "rotated")


def test_names_of_trainings_are_the_shortest_unique_ends_of_their_paths(folders, tmp_path):
    places = []
    for model, folder in zip(("pix2pix__plans__head", "other__plans__head"), folders):
        places.append(tmp_path / model / "fold_0")
        shutil.copytree(folder, places[-1] / "validation")
    assert compare_results(places).models == ("pix2pix__plans__head/fold_0", "other__plans__head/fold_0")
    own = [places[0], folders[1]]
    assert compare_results(own).models == ("fold_0", "two")


def test_a_relative_path_is_named_by_its_folder(folders, monkeypatch):
    monkeypatch.chdir(folders[0])
    assert compare_results([Path(), "../two"]).models == ("one", "two")


def test_one_result_is_compared_with_its_baselines(folders):
    assert compare_results(folders[:1]).models == ("prediction", "zeros", "body_median", "blurred", "shifted")


def test_a_missing_or_repeated_summary_is_one_error_line(folders, tmp_path):
    (tmp_path / "empty").mkdir()
    for results, told in (
        ([folders[0], tmp_path / "none"], r"none: no such file or folder"),
        ([folders[0], tmp_path / "empty"], r"empty: no summary\.json in it; make one with ct2pet_evaluate"),
        ([folders[0], folders[0] / "summary.json"], r"one.*given twice"),
    ):
        with pytest.raises(Ct2PetError, match=told) as caught:
            compare_results(results)
        assert "\n" not in str(caught.value)


def test_the_command_prints_and_writes(folders, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([*map(str, folders), "-o", str(out), "-metrics", "mae", "rmse"]) == 0
    said = capsys.readouterr().out
    assert "one is better than two inside the body" in said
    assert f"written: {out / 'comparison.tex'}" in said
    content = json.loads((out / "comparison.json").read_text())
    assert {line["metric"] for line in content["lines"]} == {"mae", "rmse", "mae_volume", "rmse_volume"}
    assert content["run"]["command"] == "ct2pet_compare one two -o out -metrics mae rmse"
    assert str(tmp_path) not in "".join(path.read_text() for path in out.iterdir())


def test_summaries_of_different_cases_end_with_exit_code_2_and_write_nothing(folders, tmp_path, capsys):
    content = json.loads((folders[1] / "summary.json").read_text())
    for part in (content["cases"], content["diagnoses"], *content["baseline_cases"].values()):
        del part["case_004"]
    write_summary(folders[1] / "summary.json", content)
    assert main([*map(str, folders), "-o", str(tmp_path / "out")]) == 2
    assert "two: lacks 1 of the cases of one (case_004)" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*map(str, folders), "--common_cases", "-o", str(tmp_path / "out")]) == 0
    assert "Compared over 9 common case(s). Left out, 1: case_004 (lacking in two)." in capsys.readouterr().out
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert (content["num_cases"], content["left_out"]) == (9, {"case_004": ["two"]})


def test_evaluated_training_cases_are_detected_and_not_compared(pipeline, tmp_path, capfd):
    out = tmp_path / "known"
    assert run(f"predict -i {pipeline.raw}/imagesTr -o {out} -f all -device cpu -step_size 1") == 0
    assert run(f"evaluate -d 077 -i {out} -split Tr -np 1") == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["provenance"]["evaluated_training_cases"] == list(summary["cases"])
    assert run(f"compare {out}") == 2
    assert "4 of 4 evaluated cases are training cases" in capfd.readouterr().err


def test_two_predictions_are_compared(pipeline, tmp_path, capfd):
    out = tmp_path / "unmirrored"
    assert pipeline.predict(out, "--disable_tta --blend_mm 0") == 0
    assert run(f"evaluate -d 077 -i {out} -np 1") == 0
    capfd.readouterr()
    assert run(f"compare {pipeline.predictions} {out} -o {tmp_path}/comparison") == 0
    said = capfd.readouterr().out
    assert "2 cases are too few to show whether" in said
    assert "Whole body (n = 2)" in said
    assert len(list((tmp_path / "comparison").iterdir())) == 3


def test_the_layout_of_the_paper_is_printed_and_needs_all_four_models(folders, capsys):
    four = ["--proposed", *map(str, folders[:2]), "--competitor", *map(str, folders[:2])]
    assert main(["--layout", "paper_2503_15555", *four]) == 0
    said = capsys.readouterr().out
    assert "Table I: Districts and whole body" in said
    assert "proposed CycleGAN" in said
    for wrong, line in (
        ([], "name results to compare"),
        (four, "name results to compare"),
        (["--layout", "paper_2503_15555", *four[:3]], "takes --proposed and --competitor"),
        (["--layout", "paper_2503_15555", *four, "-o", "x"], "is printed only"),
    ):
        assert main(wrong) == 2
        assert line in capsys.readouterr().err


def test_a_folder_of_seeds_is_one_model(folders, tmp_path, capsys):
    for seed, folder in zip((9, 10), folders):
        shutil.copytree(folder, tmp_path / "both" / f"seed_{seed}" / "validation")
    shutil.copytree(tmp_path / "both" / "seed_9", tmp_path / "both" / "seed_9_old")  # of a user; no run
    one, two = (json.loads((folder / "summary.json").read_text())["cases"] for folder in folders)
    mean = sum(cases[case]["whole_body"]["mae"] for cases in (one, two) for case in cases) / 20
    found = compare_results([tmp_path / "both", folders[1]], ["mae"])
    assert (found.models, found.runs) == (("both", "two"), {"both": ["both/seed_9", "both/seed_10"]})
    line = next(one for one in found.of_table("districts") if one.subject == "whole_body")
    assert line.numbers["both"]["mean"] == pytest.approx(mean)

    assert main([str(tmp_path / "both"), str(folders[1]), "-o", str(tmp_path / "out")]) == 0
    shown = f"{mean:.3f} ± {line.numbers['both']['se']:.3f} (± {line.numbers['both']['se_runs']:.3f})"
    out = capsys.readouterr().out
    assert shown in out
    assert "Several runs (seeds) of a model: both 2." in out
    assert shown.replace("±", r"\pm") in (tmp_path / "out" / "comparison.tex").read_text()
    rows = list(csv.DictReader((tmp_path / "out" / "comparison.csv").read_text().splitlines()))
    assert {row["runs"] for row in rows if row["model"] == "both"} == {"2"}
    assert {row["runs"] for row in rows if row["model"] == "two"} == {""}
    assert compare_results([tmp_path / "both"]).runs == {"prediction": ["prediction", "both/seed_10"]}
