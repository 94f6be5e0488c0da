import json
import re
import shutil
from pathlib import Path

import pytest
from raw_cases import case_volumes, write_raw
from whole_pipeline import killed_until_done

from ct2pet.api.evaluation import evaluate
from ct2pet.api.reporting import report, training_curves
from ct2pet.errors import CasesFailed, Ct2PetError
from ct2pet.imageio import write_volume
from ct2pet.report import report as writing
from ct2pet.report.page import page

MADE_WITH = {
    "dataset_name": "Dataset901_Hand",
    "model": "pix2pix",
    "plans_name": "ct2petPlans",
    "checkpoints_sha256": {"low": {"fold_0": "a", "fold_1": "b"}, "high": {"fold_0": "c"}},
}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Two training cases, predicted a tenth too high everywhere, and their summary."""
    folder = tmp_path_factory.mktemp("evaluated")
    cases = {f"case{number}": case_volumes(number) for number in range(2)}
    write_raw(folder / "raw", cases)
    for case, volumes in cases.items():
        pet = volumes["pet"]
        write_volume(folder / "predictions" / f"{case}.nii.gz", pet.with_array(pet.array * 1.1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ct2pet_raw", str(folder / "raw"))
        evaluate("901", folder / "predictions", split="Tr", num_processes=1)
    return folder / "predictions"


@pytest.fixture
def predictions(evaluated, monkeypatch, tmp_path):
    """These, where the commands look for them; what is written goes elsewhere. Plots take long and are tested else."""
    monkeypatch.setenv("ct2pet_raw", str(evaluated.parent / "raw"))
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "results"))
    for name in ("box_section", "agreement_section"):
        monkeypatch.setattr(writing.sections, name, lambda *_: [])
    return evaluated


def go(predictions, output, **options):
    return report("901", predictions, split="Tr", output=output, num_processes=1, **options)


def test_killed_and_started_again_no_partial_file_has_a_final_name(predictions, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    pages = []

    def write():
        assert path.read_text() == "old"
        pages.append(go(predictions, path).read_text())

    assert killed_until_done(write, monkeypatch) == 1
    assert pages[-1].endswith("</html>\n")


def test_no_path_of_this_machine_is_in_the_page(predictions, tmp_path):
    text = go(predictions, tmp_path / "report.html").read_text()
    assert str(tmp_path.parents[1]) not in text
    assert str(predictions.parent) not in text


@pytest.mark.parametrize("title", ["Synthetic PET and organs from CT: X", "Full-dose PET from low-dose PET: X"])
def test_the_command_replaces_its_own_pages_whatever_their_title_and_no_others(tmp_path, monkeypatch, capsys, title):
    from ct2pet.api import reporting
    from ct2pet.cli import report as command

    path = tmp_path / "report.html"
    monkeypatch.setattr(reporting, "report", lambda *_, **__: path)
    line = f"-d 901 -i {tmp_path} -o {path}"
    for text in ("".join(page(title, [])), "<!DOCTYPE html><title>Synthetic PET from CT: X</title>"):
        path.write_text(text)
        assert command.main(line.split()) == 0
    for text in ("<!DOCTYPE html><title>Other</title>", "".join(page(title, [], program="ct2pet_augmentation_study"))):
        path.write_text(text)
        assert command.main(line.split()) == 2
        assert "is not a report of ct2pet_report" in capsys.readouterr().err
        assert path.read_text() == text


def test_predictions_that_were_made_after_the_evaluation_are_refused(predictions, tmp_path):
    summary = json.loads((predictions / "summary.json").read_text())
    folder = tmp_path / "predictions"
    shutil.copytree(predictions, folder)

    def write(made_with, **provenance):
        (folder / "prediction.json").write_text(json.dumps({**made_with, "training_cases": "1f 2e"}))
        kept = {key: value for key, value in summary["provenance"].items() if key != "prediction"}
        (folder / "summary.json").write_text(json.dumps({**summary, "provenance": {**kept, **provenance}}))

    for provenance in ({"prediction": {**MADE_WITH, "model": "cyclegan"}}, {"prediction": None}):
        write(MADE_WITH, **provenance)
        with pytest.raises(Ct2PetError, match=r"was predicted again after the evaluation; run ct2pet_evaluate again$"):
            go(folder, None)
        assert not (folder / "report.html").exists()
    go(folder, tmp_path / "own.html", summary=folder / "summary.json", max_cases=1)  # explicitly wanted
    for provenance in ({"prediction": MADE_WITH}, {}):
        write(MADE_WITH, **provenance)
        assert go(folder, None, max_cases=1).exists()


def test_cases_that_were_not_evaluated_are_named(predictions, tmp_path):
    with pytest.raises(CasesFailed):
        evaluate("901", tmp_path, split="Tr", num_processes=1)
    (tmp_path / "case1.nii.gz").write_bytes((predictions / "case1.nii.gz").read_bytes())
    with pytest.raises(CasesFailed):
        evaluate("901", tmp_path, split="Tr", num_processes=1)
    text = go(tmp_path, None).read_text()
    assert "<li>case0</li>" in text
    assert (tmp_path / "report.html").read_text() == text


def test_a_report_needs_an_evaluation(predictions, tmp_path):
    with pytest.raises(Ct2PetError, match=r"nothing\.json: no such file"):
        go(predictions, tmp_path / "report.html", summary=tmp_path / "nothing.json")


def test_the_requested_number_of_cases_has_pictures(predictions, tmp_path):
    text = go(predictions, tmp_path / "report.html", max_cases=1).read_text()
    assert "Pictures of 1 of 2 cases" in text
    assert text.count("<details class=") == 1


def test_the_compared_model_has_the_name_of_its_folder(predictions, tmp_path):
    summary = json.loads((predictions / "summary.json").read_text())
    for path, name in ((tmp_path / "cyclegan" / "summary.json", "cyclegan"), (tmp_path / "numbers.json", "numbers")):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(summary))
        text = go(predictions, tmp_path / "report.html", other_summary=path, max_cases=1).read_text()
        assert f">Against {name}<" in text


def test_the_compared_model_has_not_the_name_of_the_users_folder(predictions, tmp_path, monkeypatch):
    home = tmp_path / "erika"
    (home / "pix2pix" / "validation").mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: home)
    for place, name in ((home, "..."), (home / "pix2pix" / "validation", "pix2pix")):
        shutil.copy(predictions / "summary.json", place)
        text = go(predictions, tmp_path / "report.html", other_summary=place / "summary.json", max_cases=1).read_text()
        assert f">Against {name}<" in text
        assert "erika" not in text


def test_training_curves_are_found_where_the_predictions_say(tmp_path, monkeypatch):
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "results"))
    assert training_curves(tmp_path) == {}
    (tmp_path / "prediction.json").write_text(json.dumps(MADE_WITH))
    assert training_curves(tmp_path) == {}  # trained on another machine
    for district, fold in (("low", 0), ("high", 0)):
        folder = tmp_path / "results" / "Dataset901_Hand" / f"pix2pix__ct2petPlans__{district}" / f"fold_{fold}"
        folder.mkdir(parents=True)
        (folder / "training_log.csv").write_text(f"epoch,g_l1\n0,{len(district)}\n")
    assert training_curves(tmp_path) == {
        "low, fold 0": [{"epoch": 0.0, "g_l1": 3.0}],
        "high, fold 0": [{"epoch": 0.0, "g_l1": 4.0}],
    }


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"dataset_name": 1}', "no json", json.dumps(MADE_WITH | {"checkpoints_sha256": []})]
)
def test_predictions_of_something_else_have_no_curves(tmp_path, content):
    (tmp_path / "prediction.json").write_text(content)
    assert training_curves(tmp_path) == {}


def test_the_command_passes_everything_on(predictions, tmp_path, monkeypatch, capsys):
    from ct2pet.api import reporting
    from ct2pet.cli import report as command

    asked = {}

    def report(*given, **options):
        asked.update(options, given=given)
        return Path("o")

    monkeypatch.setattr(reporting, "report", report)
    monkeypatch.chdir(tmp_path)
    line = "-d 901 -i p -summary s -o o -split Tr --other x --max_cases 3 --figures f -np 2"
    assert command.main(line.split()) == 0
    assert {name: str(value) for name, value in asked.items() if name != "given"} == {
        **{"split": "Tr", "summary": "s", "other_summary": "x", "output": "o", "figures": "f"},
        **{"max_cases": "3", "num_processes": "2"},
    }
    assert re.sub(r"\W+", " ", str(asked["given"])).split() == ["901", "PosixPath", "p"]
    assert capsys.readouterr().out == f"report: {tmp_path / 'o'}\n"
