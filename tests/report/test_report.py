import copy
import html
import re

import numpy as np
import pytest
from reports import content
from summaries import label_summary, synthetic_summary
from two_targets import ORGANS, TWO_INPUTS, TWO_OF_BOTH, TWO_TARGETS, write_two_target_dataset

from ct2pet.dataset import Fields, RawDataset, update_dataset_json, write_dataset_json
from ct2pet.dataset.fields import DISTRICTS, ct_to_pet
from ct2pet.districts import Segmentation, SegmenterIdentity
from ct2pet.districts.records import record_of, write_map
from ct2pet.errors import CasesFailed, Ct2PetError
from ct2pet.evaluation.evaluator import evaluate_predictions
from ct2pet.evaluation.headline import plain_answer
from ct2pet.evaluation.references import References
from ct2pet.imageio import read_volume, write_volume
from ct2pet.parallel import map_cases
from ct2pet.report import figures, report
from ct2pet.volume import Grid, Volume

GRID = Grid((16, 8, 10), (6.0, 6.0, 6.0))
NASTY = '</script><b onload="x">'
CURVES = {NASTY: [{"epoch": 0.0, "g_l1": 0.5, "d_real": 0.2, "validation_mae_suv": 0.4}, {"epoch": 1.0, "g_l1": 0.3}]}


def renamed(summary, old, new):
    """The summary with a case called differently everywhere."""
    for cases in (summary["cases"], summary["lesions"], *summary["baseline_cases"].values()):
        cases[new] = cases.pop(old)
    return summary


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A page with everything, and names that are markup."""
    summary = renamed(
        synthetic_summary(
            6, provenance={"failed_cases": [NASTY], "evaluated_training_cases": ["case_002"]}, labels=True
        ),
        "case_001",
        NASTY,
    )
    summary["provenance"]["evaluated_training_cases"] = None
    path = tmp_path_factory.mktemp("page") / "report.html"
    shown = {NASTY: content(0), "case_002": content(1)}
    report.write_report(path, summary, shown, curves=CURVES, other=(NASTY, copy.deepcopy(summary)), title=NASTY)
    return path.read_text(encoding="utf-8")


def test_the_answer_stands_on_top(text):
    first_table = text.index("<table")
    for words in ("too few for", "lower than that of body median", "There is no difference"):
        assert text.index(words) < first_table
    assert "not for diagnosis" in text


def test_the_report_loads_no_external_file(text):
    assert not re.search(r"https?://|<link|<iframe|@import|url\((?!#)|\bfetch\(|XMLHttpRequest|import\(", text)
    assert set(re.findall(r'src="([^,]*),', text)) == {"data:image/png;base64"}
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'' in html.unescape(text)


def test_names_are_text_everywhere(text):
    body = text[text.index("<body>") :]
    assert NASTY not in body
    assert "&lt;/script&gt;&lt;b onload=" in body
    assert len(re.findall(r"<script[ >]", body)) == 4  # settings, the program, and two cases' volumes
    assert len(re.findall("</script>", body)) == 4


def test_every_section_exists_and_is_linked(text):
    linked = set(re.findall(r'href="#([^"]+)"', text))
    there = re.findall(r'\bid="([^"]+)"', text)
    assert linked <= set(there)
    assert len(there) == len(set(there))
    assert set(report._CONTENTS) <= linked
    assert text.count("<img") == 16 + 1  # and the joint histogram
    assert "2 of 6 cases" in text
    assert text.count('class="badge"') == 2
    for label in (
        "body median",
        "zeros",
        "MAE [SUV]",
        "By diagnosis",
        "Every lesion",
        "lesions detected",
        ": losses",
        "HD95 [mm]",
    ):
        assert label in text


def test_a_page_without_pictures_needs_no_viewer(tmp_path):
    report.write_report(tmp_path / "report.html", synthetic_summary(3))
    text = (tmp_path / "report.html").read_text()
    assert 'id="viewer"' not in text
    assert "<img" not in text
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(re.findall(r'\bid="([^"]+)"', text))


def test_evaluated_training_cases_are_reported(tmp_path):
    summary = synthetic_summary(3, provenance={"evaluated_training_cases": ["case_001"]})
    report.write_report(tmp_path / "report.html", summary)
    assert "1 of these 3 cases are training cases" in (tmp_path / "report.html").read_text()


def test_cases_are_spread_from_best_to_worst():
    cases = {f"c{index}": {"whole_body": {"mae": float(mae)}} for index, mae in enumerate([5, 1, 4, 2, 3])}
    summary = {"cases": cases}
    assert report.spread_of_cases(summary, 3) == ["c1", "c4", "c0"]
    assert report.spread_of_cases(summary, 9) == ["c1", "c3", "c4", "c2", "c0"]
    assert report.spread_of_cases(summary, 1) == ["c1"]
    assert report.spread_of_cases(summary, 0) == []


def test_the_report_of_a_label_target_has_its_label_sections(tmp_path):
    summary, other = label_summary(), label_summary()
    for regions in other["cases"].values():
        regions["organ:liver"]["dice"] /= 2
    report.write_report(tmp_path / "report.html", summary, other=("other", other))
    text = (tmp_path / "report.html").read_text()
    assert plain_answer(summary) in html.unescape(text)
    assert "4 cases are too few to show whether This model or other is better in the mean of the labels" in text
    assert "Mean Dice coefficient of the labels" in text
    assert 'id="labels"' in text
    assert '<a href="#labels">Labels</a>' in text
    for absent in ('id="errors"', 'id="plots"', 'id="agreement"', 'id="lesions"', "MAE", "body median"):
        assert absent not in text[text.index("<body>") : text.index('id="details"')]
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(re.findall(r'\bid="([^"]+)"', text))


def test_without_labels_there_is_no_section_of_them(tmp_path):
    report.write_report(tmp_path / "report.html", synthetic_summary(2))
    assert 'id="labels"' not in (tmp_path / "report.html").read_text()


def test_cases_without_a_pet_are_spread_from_the_highest_to_the_lowest_overlap():
    cases = {f"c{index}": {"organ:liver": {"dice": dice}} for index, dice in enumerate([0.5, 0.9, None, 0.7])}
    assert report.spread_of_cases({"cases": cases}, 9) == ["c1", "c3", "c0", "c2"]


def test_the_title_names_targets_and_inputs():
    assert report.title_of(ct_to_pet()) == "Synthetic PET from CT"
    assert report.title_of(TWO_OF_BOTH) == "Synthetic PET and organs from CT and low dose"
    assert report.title_of(Fields((TWO_INPUTS[0], TWO_TARGETS[1]))) == "Organs from CT"


@pytest.mark.parametrize("with_pet", [True, False])
def test_predicted_labels_are_pictured_next_to_the_pet_or_alone(tmp_path, monkeypatch, with_pet):
    for name, value in {"BOX_METRICS": ("mae",), "AGREEMENT_QUANTITIES": (), "_DPI": 40}.items():
        monkeypatch.setattr(figures, name, value)
    out = tmp_path / "out"
    dataset = write_two_target_dataset(tmp_path, out)
    if not with_pet:
        update_dataset_json(dataset.folder, targets={"organs": {"kind": "labels", "labels": ORGANS}})
        dataset = RawDataset(dataset.folder)
        for case in "ab":
            (out / f"{case}_PET.nii.gz").unlink()
            (out / f"{case}_organs.nii.gz").rename(out / f"{case}.nii.gz")
    summary = evaluate_predictions(out, References.from_dataset(dataset))
    path = report.report_of_dataset(dataset, out, summary, tmp_path / "report.html", figures=tmp_path / "figures")
    text = path.read_text()
    assert text.count("<img") == (2 * 10 + 1 if with_pet else 2 * 2)
    assert ('id="viewer"' in text) == with_pet
    assert f"<title>{'Synthetic PET and organs' if with_pet else 'Organs'} from CT: Dataset902_Organs" in text
    assert ("highest Dice" in text) != with_pet
    names = {figure.name for figure in (tmp_path / "figures").iterdir()}
    assert "labels_dice.png" in names
    assert ("case_a.png" in names) == with_pet


@pytest.fixture
def predicted(tmp_path):
    """A dataset of two cases, and predictions that are too high."""
    raw, predictions = tmp_path / "Dataset001_Blobs", tmp_path / "predictions"
    write_dataset_json(raw, name="Blobs", districts={"body": 1}, num_training=0)
    body = np.zeros(GRID.shape, np.uint8)
    body[2:14, 2:6, 2:8] = 1
    for case, error in (("a", 0.1), ("b", 0.4)):
        real = body * np.float32(2.0)
        write_volume(raw / "imagesTs" / f"{case}_0000.nii.gz", Volume(body * 1000.0 - 1000.0, GRID))
        write_volume(raw / "targetsTs" / f"{case}.nii.gz", Volume(real, GRID))
        write_volume(raw / "districtsTs" / f"{case}.nii.gz", Volume(body, GRID))
        write_volume(predictions / f"{case}.nii.gz", Volume(real + np.float32(error) * body, GRID))
    dataset = RawDataset(raw)
    return dataset, predictions, evaluate_predictions(predictions, References.from_dataset(dataset, "Ts"))


def test_a_dataset_becomes_one_page_and_a_missing_image_is_named(predicted, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(report, "write_figures", lambda folder, *_, **__: drawn.append(folder))
    dataset, predictions, summary = predicted
    path = tmp_path / "report.html"
    assert report.report_of_dataset(dataset, predictions, summary, path, figures=tmp_path / "figures") == path
    text = path.read_text(encoding="utf-8")
    assert text.count("<img") == 16 + 1  # and the joint histogram
    assert text.index("<strong>a</strong>") < text.index("<strong>b</strong>")
    assert "Dataset001_Blobs" in text
    assert str(tmp_path) not in text
    assert drawn == [tmp_path / "figures"]
    (predictions / "a.nii.gz").unlink()
    with pytest.raises(CasesFailed, match="a: its prediction is missing"):
        report.report_of_dataset(dataset, predictions, summary, path)
    assert path.read_text(encoding="utf-8").count("<img") == 8 + 1


def test_the_map_made_for_the_prediction_is_drawn_where_the_dataset_has_none(predicted, tmp_path):
    dataset, predictions, summary = predicted
    district_map = read_volume(dataset.path(DISTRICTS, "a", "Ts"), unit="label")
    for case in "ab":
        dataset.path(DISTRICTS, case, "Ts").unlink()
    segmenter, found = SegmenterIdentity("rules", "1", {}), Segmentation(district_map, {"body": 0.1}, ("a doubt",))
    write_map(predictions / "districts" / "a.nii.gz", district_map, record_of(found, segmenter, {"body": 1}))
    text = report.report_of_dataset(dataset, predictions, summary, tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.findall('data-districts="(.*?)"', text) == ["body", ""]
    assert "a doubt" in text
    assert "low confidence in body" in text


def test_a_model_that_cannot_be_compared_is_refused_before_any_work(predicted, tmp_path, monkeypatch):
    dataset, predictions, summary = predicted
    other = copy.deepcopy(summary)
    del other["cases"]["b"]
    monkeypatch.setattr(report, "map_cases", None)
    with pytest.raises(Ct2PetError, match="lacks 1 of the cases"):
        report.report_of_dataset(dataset, predictions, summary, tmp_path / "report.html", other=("other", other))
    assert not (tmp_path / "report.html").exists()


def test_large_cts_are_not_all_pictured_at_once(predicted, tmp_path, monkeypatch):
    dataset, predictions, summary = predicted
    asked = {}

    def here(function, cases, **options):
        asked.update(options)
        return map_cases(function, cases)

    monkeypatch.setattr(report, "map_cases", here)
    monkeypatch.setattr(report, "count_voxels", lambda path: 512 * 512 * 600)
    report.report_of_dataset(dataset, predictions, summary, tmp_path / "report.html", num_processes=16)
    assert asked["num_processes"] == 16
    assert asked["memory_per_process_gib"] > 1.0
