import re
from xml.etree import ElementTree

import numpy as np
import pytest
from label_maps import label_cases, metrics

from ct2pet.evaluation.label_summary import summarise_labels
from ct2pet.report.label_section import (
    dice_by_label,
    draw_label_boxes,
    label_plot,
    label_section,
    label_table,
)
from ct2pet.report.plots import figure_of

CASES = label_cases()
ANCHORS = {case: f"case-{index}" for index, case in enumerate(CASES)}
NASTY = "<b>&spleen"


def rows_of(html):
    """The texts of a table's rows, its header first."""
    table = re.search(r"<table.*</table>", html, re.DOTALL)[0]
    return [["".join(cell.itertext()) for cell in row] for row in ElementTree.fromstring(table).iter("tr")]


def drawn(values, anchors=None):
    return figure_of([lambda axes: draw_label_boxes(axes, values, anchors)]).axes[0]


def test_the_table_has_a_row_a_label_and_their_mean():
    header, liver, spleen, heart, mean = rows_of(label_table(summarise_labels(CASES)))
    assert header == ["Label", "Dice [%]", "IoU [%]", "HD95 [mm]", "ASD [mm]", "Missed", "Invented"]
    assert liver[:2] == ["liver", "85.00 ± 12.91"]
    assert liver[-2:] == ["0/4", "0"]
    assert spleen[-2:] == ["1/3", "0"]
    assert heart[3:] == ["9.00", "3.00", "0/1", "1"]
    assert mean[0] == "mean of the labels"
    assert mean[-2:] == ["1/8", "1"]


def test_a_row_is_sorted_by_its_mean_and_not_by_its_text():
    html = label_table(summarise_labels({"a": {"liver": {"dice": 0.5, "suv_mean_bias": -12.0}}}))
    values = [float(value) for value in re.findall(r'data-value="([^"]*)"', html)]
    assert values[:2] == [0.5, -12.0]
    assert rows_of(html)[1][2] == "−12.0"


def test_the_section_explains_biases_where_there_are_any():
    without, with_bias = (
        "".join(label_section({"a": {"liver": {"dice": 0.5, **more}}}, {"a": "case-0"}))
        for more in ({}, {"suv_mean_bias": 2.0})
    )
    assert "SUV biases" not in without
    assert "SUV biases" in with_bias
    for html in (without, with_bias):
        assert 'id="labels"' in html
        assert html.count("<svg") == 1


def test_a_summary_without_labels_has_no_label_section():
    assert list(label_section({}, {})) == []
    assert list(label_section({"a": {}}, {"a": "case-0"})) == []


def test_every_label_has_a_box_of_its_cases_in_percent():
    cases = {f"c{n}": {"liver": metrics(0.1 * n), "spleen": metrics(0.9)} for n in range(1, 6)}
    axes = drawn(dice_by_label(cases), {case: f"to-{case}" for case in cases})
    liver, spleen = axes.collections
    np.testing.assert_allclose(liver.get_offsets()[:, 1], [10, 20, 30, 40, 50])
    np.testing.assert_allclose(spleen.get_offsets()[:, 1], [90] * 5)
    assert np.abs(liver.get_offsets()[:, 0]).max() < 0.5 < spleen.get_offsets()[:, 0].min()
    assert liver.get_urls()[4] == "#to-c5 c5: 50"
    heights = [y for line in axes.lines for y in line.get_ydata()]
    for quartile in (20, 30, 40):
        assert any(y == pytest.approx(quartile) for y in heights)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["liver", "spleen"]
    assert axes.get_ylabel() == "Dice [%]"


def test_a_missed_label_is_drawn_at_zero_and_an_absent_one_is_not_drawn():
    values = dice_by_label(CASES)
    assert values["spleen"] == pytest.approx({"a": 60.0, "b": 40.0, "c": 0.0, "d": None})
    spleen = drawn({"spleen": values["spleen"]}).collections[-1]
    np.testing.assert_allclose(spleen.get_offsets()[:, 1], [60, 40, 0])


def test_a_label_without_any_number_keeps_its_place():
    axes = drawn({"heart": {"a": None}, "liver": {"a": 80.0}})
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["heart", "liver"]
    assert axes.collections[-1].get_offsets().tolist() == [[1.0, 80.0]]


def test_the_plot_leads_to_the_cases_and_grows_with_its_labels():
    html = label_plot(CASES, ANCHORS)
    assert 'href="#case-2"' in html
    widths = [
        float(
            re.search(r"width:([\d.]+)rem", label_plot({"a": dict.fromkeys(map(str, range(n)), metrics(0.5))}, {}))[1]
        )
        for n in (10, 20)
    ]
    assert widths[1] > 1.6 * widths[0]


def test_names_are_text():
    html = "".join(label_section({NASTY: {NASTY: metrics(0.5)}}, {NASTY: "case-0"}))
    assert NASTY not in html
    assert "&lt;b&gt;&amp;spleen" in html
