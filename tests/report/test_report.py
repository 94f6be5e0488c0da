import re

import numpy as np
import pytest

from ct2pet.dataset import RawDataset, write_dataset_json
from ct2pet.errors import CasesFailed
from ct2pet.evaluation.evaluator import evaluate_predictions
from ct2pet.evaluation.references import References
from ct2pet.evaluation.summary import summarise
from ct2pet.imageio import write_volume
from ct2pet.parallel import map_cases
from ct2pet.report import report
from ct2pet.volume import Grid, Volume

GRID = Grid((16, 8, 10), (6.0, 6.0, 6.0))
NAMES = ("prediction", "zeros", "body_median", "blurred", "shifted")


def summary_of(maes):
    results = {
        case: {name: {"whole_body": {"mae": mae + index, "psnr": 30.0}} for index, name in enumerate(NAMES)}
        for case, mae in maes.items()
    }
    return summarise(results, {"failed_cases": ["<lost>"], "ct2pet_version": "1"})


def test_the_page_answers_first_and_needs_no_network(tmp_path):
    path = tmp_path / "report.html"
    report.write_report(path, summary_of({"a<b": 0.5, "c": 0.7}), {"a<b": b"picture"}, curves={"head": b"curve"})
    text = path.read_text(encoding="utf-8")
    assert text.index("is better than the best trivial guess") < text.index("<table")
    assert "1.000 SUV (62%)" in text
    assert "not for diagnosis" in text
    assert not re.search(r"https?://|//[a-z]+\.|<script|<link|@import|url\(", text)
    assert set(re.findall(r'src="([^,]*),', text)) == {"data:image/png;base64"}
    assert "prefers-color-scheme: dark" in text
    assert "a&lt;b" in text
    assert "a<b" not in text
    assert "&lt;lost&gt;" in text
    assert "1 of 2 cases" in text
    for label in ("body median", "zeros", "MAE [SUV]", "PSNR [dB]"):
        assert label in text


def test_cases_are_spread_from_best_to_worst():
    summary = summary_of({f"c{index}": float(value) for index, value in enumerate([5, 1, 4, 2, 3])})
    assert report.spread_of_cases(summary, 3) == ["c1", "c4", "c0"]
    assert report.spread_of_cases(summary, 9) == ["c1", "c3", "c4", "c2", "c0"]
    assert report.spread_of_cases(summary, 1) == ["c1"]
    assert report.spread_of_cases(summary, 0) == []


def dataset_with_predictions(folder):
    raw, predictions = folder / "Dataset001_Blobs", folder / "predictions"
    write_dataset_json(raw, name="Blobs", districts={"body": 1}, num_training=0)
    body = np.zeros(GRID.shape, np.uint8)
    body[2:14, 2:6, 2:8] = 1
    for case, error in (("a", 0.1), ("b", 0.4)):
        real = body * np.float32(2.0)
        write_volume(raw / "imagesTs" / f"{case}_0000.nii.gz", Volume(body * 1000.0 - 1000.0, GRID))
        write_volume(raw / "targetsTs" / f"{case}.nii.gz", Volume(real, GRID))
        write_volume(raw / "districtsTs" / f"{case}.nii.gz", Volume(body, GRID))
        write_volume(predictions / f"{case}.nii.gz", Volume(real + np.float32(error) * body, GRID))
    return RawDataset(raw), predictions


def test_a_dataset_becomes_one_page_and_a_lost_image_is_named(tmp_path):
    dataset, predictions = dataset_with_predictions(tmp_path)
    path = tmp_path / "report.html"
    summary = evaluate_predictions(predictions, References.from_dataset(dataset, "Ts"))
    curve = tmp_path / "progress.png"
    curve.write_bytes(b"curve")
    assert report.report_of_dataset(dataset, predictions, summary, path, curves={"body": curve}) == path
    text = path.read_text(encoding="utf-8")
    assert text.count("<img") == 3
    assert text.index("<h3>a</h3>") < text.index("<h3>b</h3>")
    assert "Dataset001_Blobs" in text
    (predictions / "a.nii.gz").unlink()
    with pytest.raises(CasesFailed, match="a: its prediction is missing"):
        report.report_of_dataset(dataset, predictions, summary, path)
    assert path.read_text(encoding="utf-8").count("<img") == 1


def test_large_cts_are_not_all_pictured_at_once(tmp_path, monkeypatch):
    dataset, predictions = dataset_with_predictions(tmp_path)
    asked = {}

    def here(function, cases, **options):
        asked.update(options)
        return map_cases(function, cases)

    monkeypatch.setattr(report, "map_cases", here)
    monkeypatch.setattr(report, "count_voxels", lambda path: 512 * 512 * 600)
    report.report_of_dataset(dataset, predictions, summary_of({"a": 0.1}), tmp_path / "report.html", num_processes=16)
    assert asked["num_processes"] == 16
    assert asked["memory_per_process_gib"] > 1.0
