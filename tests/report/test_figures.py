import re

import pytest
from PIL import Image
from reports import content
from summaries import synthetic_summary

from ct2pet.report import figures

CURVES = {"head": [{"epoch": 0.0, "g_l1": 1.0, "validation_mae_suv": 0.2}]}


@pytest.fixture
def few(monkeypatch):
    """One metric and one quantity stand for all; low resolution."""
    monkeypatch.setattr(figures, "BOX_METRICS", ("mae",))
    monkeypatch.setattr(figures, "AGREEMENT_QUANTITIES", ("suv_mean",))
    monkeypatch.setattr(figures, "_DPI", 40)


def small_summary(num_cases):
    """Two regions stand for all."""
    summary = synthetic_summary(num_cases)
    for regions in (summary["mean"], summary["agreement"]["prediction"]):
        for region in [*regions][1:-1]:
            del regions[region]
    return summary


def test_every_plot_and_case_comes_in_three_formats(few, tmp_path):
    files = figures.write_figures(tmp_path, small_summary(3), {"case_001": content()}, curves=CURVES)
    names = {"boxes_mae", "agreement_suv_mean", "detection", "training", "case_case_001"}
    assert sorted(files) == sorted(tmp_path / f"{name}.{ending}" for name in names for ending in ("pdf", "png", "svg"))
    assert sorted(tmp_path.iterdir()) == sorted(files)
    for name in names:
        image = Image.open(tmp_path / f"{name}.png").convert("RGBA")
        assert image.getpixel((0, 0)) == (255, 255, 255, 255)
        assert min(image.size) > 80
        assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert "<svg" in (tmp_path / f"{name}.svg").read_text()


def test_figures_are_deterministic(few, tmp_path):
    for folder in ("a", "b"):
        figures.write_figures(tmp_path / folder, small_summary(1), {}, curves=CURVES)
    names = [path.name for path in (tmp_path / "a").iterdir()]
    assert len(names) == 9  # no lesions, no detection
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_curves_of_training_cases_are_called_so():
    trained = {"head": {"fold_all": {}}, "legs": {"fold_0": {}}}
    summary = synthetic_summary(1, provenance={"prediction": {"trained": trained}})
    rows = [{"epoch": 0.0, "g_l1": 1.0, "validation_mae_suv": 0.5}]
    titles = dict(figures._plots(summary, dict.fromkeys(trained, rows), None))["training"]
    assert [title for title in titles if "training cases" in title] == ["head: MAE [SUV], training cases"]


def test_no_folder_of_this_machine_is_in_them(few, tmp_path):
    for path in figures.write_figures(tmp_path, small_summary(1), {}):
        assert str(tmp_path).encode() not in path.read_bytes()
        assert not re.search(rb"CreationDate|<dc:date>", path.read_bytes())
