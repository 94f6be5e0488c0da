import re

import pytest
from summaries import synthetic_summary

from ct2pet.report import figures, sections
from ct2pet.report.plots import figure_of

SUMMARY = synthetic_summary(6)
ANCHORS = {case: f"case-{index}" for index, case in enumerate(SUMMARY["cases"])}


def drawn(draw):
    return figure_of([draw]).axes[0]


def test_every_district_has_its_box_plot_and_organs_have_none():
    draws = sections.box_plots(SUMMARY, "mae", None, ANCHORS)
    assert list(draws) == [
        *("whole body (n = 6)", "head (n = 6)", "trunk (n = 6)", "arms (n = 6)"),
        *("legs (n = 5)", "lesions (n = 5)"),
    ]
    axes = drawn(draws["head (n = 6)"])
    values = [SUMMARY["cases"][case]["head"]["mae"] for case in SUMMARY["cases"]]
    assert axes.collections[0].get_offsets()[:, 1].tolist() == values
    assert axes.collections[0].get_urls()[2].startswith("#case-2 case_002: ")
    names = [tick.get_text().replace("\n", " ") for tick in axes.get_xticklabels()]
    assert names == ["synthetic PET", "body median", "shifted *"]
    assert axes.get_ylabel() == "MAE [SUV]"


def test_box_plots_show_the_other_model_beside_the_first():
    other = synthetic_summary(6, seed=4)
    axes = drawn(sections.box_plots(SUMMARY, "mae", ("other", other))["head (n = 6)"])
    values = [regions["head"]["mae"] for regions in other["cases"].values()]
    assert axes.collections[1].get_offsets()[:, 1].tolist() == values


def test_agreement_of_regions_and_of_single_lesions():
    draws = sections.agreement_plots(SUMMARY, "suv_max", ANCHORS)
    assert "legs (n = 5)" in draws
    assert not any("organ" in title for title in draws)
    axes = drawn(draws["each lesion (n = 9)"])
    lesions = [lesion for found in SUMMARY["lesions"].values() for lesion in found]
    differences = [lesion["fake_suv_max"] - lesion["real_suv_max"] for lesion in lesions]
    assert axes.collections[0].get_offsets()[:, 1].tolist() == pytest.approx(differences)
    assert axes.collections[0].get_urls()[1].startswith("#case-1 case_001, lesion 1: ")
    bias = SUMMARY["agreement"]["prediction"]["each_lesion"]["suv_max"]["bias"]
    assert axes.lines[1].get_ydata()[0] == bias


def test_units_are_those_of_the_quantity():
    draws = sections.agreement_plots(SUMMARY, "mtv4")
    assert drawn(draws["each lesion (n = 9)"]).get_ylabel() == "synthetic − real [ml]"


def test_no_lesions_no_plot():
    assert sections.detection_plot(synthetic_summary(1)) == {}
    axes = drawn(sections.detection_plot(SUMMARY, ("other", SUMMARY))["lesions detected"])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["synthetic PET", "real PET", "other"]


def test_each_training_has_losses_and_where_there_was_any_validation():
    rows = [
        {"epoch": 0.0, "seconds": 9.0, "bce": 1.0},
        {"epoch": 1.0, "validation_dice": 0.5, "validation_mae_suv": 0.2},
    ]
    draws = sections.training_plots({"head": [{"epoch": 0.0, "g_l1": 1.0}], "legs": rows})
    titles = ["head: losses", "legs: losses", "legs: validation Dice", "legs: validation MAE [SUV]"]
    assert list(draws) == titles
    assert drawn(draws["legs: validation Dice"]).lines[0].get_xydata().tolist() == [[2.0, 0.5]]  # the second epoch
    assert drawn(draws["legs: validation MAE [SUV]"]).get_ylabel() == "validation MAE [SUV]"
    assert [line.get_label() for line in drawn(draws["legs: losses"]).lines] == ["bce"]


def test_validation_on_training_cases_is_called_so_also_where_names_contain_the_fold():
    rows = [{"epoch": 0.0, "g_l1": 1.0, "validation_mae_suv": 0.5}]
    of_training = {}
    for names, seen in ((("head, fold 0", "legs, fold all"), {"legs"}), (("head", "legs"), {"legs"})):
        for title in sections.training_plots(dict.fromkeys(names, rows), seen):
            of_training[title.split(":")[0]] = "training cases" in title
    assert of_training == {"head, fold 0": False, "legs, fold all": True, "head": False, "legs": True}


def test_plots_on_the_page_say_what_they_show(monkeypatch):
    monkeypatch.setattr(sections, "BOX_METRICS", ("mae",))
    html = "".join(sections.box_section(SUMMARY, None, ANCHORS))
    assert html.count("<svg") == 6
    labels = re.findall('aria-label="(.*?)"', html)
    assert "MAE [SUV] by case, legs (n = 5)" in labels
    assert len(set(labels)) == 6
    assert 'id="plots"' in html


def test_every_metric_and_quantity_of_the_page_can_be_drawn():
    for metric in figures.BOX_METRICS:
        plots = sections.box_plots(SUMMARY, metric, None, ANCHORS)
        assert len(plots) == 6
        assert drawn(plots["lesions (n = 5)"]).collections
    for quantity in figures.AGREEMENT_QUANTITIES:
        plots = sections.agreement_plots(SUMMARY, quantity, ANCHORS)
        assert len(plots) == 7
        assert drawn(plots["each lesion (n = 9)"]).collections


def test_a_summary_without_numbers_has_no_sections():
    empty = {"mean": {}, "cases": {}, "agreement": {}, "baseline_cases": {}}
    assert list(sections.box_section(empty, None, {})) == []
    assert list(sections.agreement_section(empty, {})) == []
    assert sections.as_html({}, "x", "y") == ""
