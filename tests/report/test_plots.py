import numpy as np
import pytest

from ct2pet.report.colours import SERIES
from ct2pet.report.plots import (
    Series,
    draw_agreement,
    draw_boxes,
    draw_detection,
    draw_losses,
    draw_validation,
    figure_of,
)

ROWS = [
    {"epoch": 0.0, "g_l1": 0.5, "d_real": 0.2},
    {"epoch": 1.0, "g_l1": 0.3, "d_real": 0.3, "validation_mae_suv": 0.4},
]


def axes_of(draw):
    return figure_of([draw]).axes[0]


def test_boxes_are_quartiles_and_points_are_cases():
    values = {f"c{index}": float(value) for index, value in enumerate([1, 2, 3, 4, 10])} | {"none": None}
    anchors = {name: f"to-{name}" for name in values}
    axes = axes_of(lambda axes: draw_boxes(axes, "head", "MAE", [Series("ours", values, SERIES[0], anchors)]))
    heights = sorted(y for line in axes.lines for y in line.get_ydata())
    assert {2.0, 3.0, 4.0} <= set(heights)  # quartiles and median
    assert heights[-1] == 4.0  # 10 is no whisker: 2.5 boxes away
    (points,) = axes.collections
    assert points.get_offsets()[:, 1].tolist() == [1, 2, 3, 4, 10]
    assert len(set(points.get_offsets()[:, 0])) == 5
    assert points.get_urls()[0] == "#to-c0 c0: 1"
    assert axes.get_title(loc="left") == "head"


def test_few_cases_get_a_median_but_no_box():
    axes = axes_of(lambda axes: draw_boxes(axes, "x", "MAE", [Series("ours", {"a": 1.0, "b": 3.0}), Series("no", {})]))
    assert not axes.lines
    median, points = axes.collections
    assert median.get_segments()[0][:, 1].tolist() == [2.0, 2.0]
    assert len(points.get_offsets()) == 2
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["ours", "no"]


def test_differences_over_means_with_limits():
    pairs = {"a": (2.0, 1.0), "b": (4.0, 4.0), "c": (None, 1.0), "d": (1.0, None)}
    numbers = {"bias": -0.5, "low": -1.9, "high": 0.9}
    axes = axes_of(lambda axes: draw_agreement(axes, "head", "SUV", pairs, numbers, {"a": "case-1"}))
    (points,) = axes.collections
    assert points.get_offsets().tolist() == [[1.5, -1.0], [4.0, 0.0]]
    assert points.get_urls() == ["#case-1 a: -1", "#cases b: 0"]
    assert [line.get_ydata()[0] for line in axes.lines] == [0, -0.5, -1.9, 0.9]
    assert axes.texts[0].get_text() == "bias −0.5, limits −1.9, +0.9"


def test_one_pair_has_no_limits():
    numbers = {"bias": -1.0, "low": None, "high": None}
    axes = axes_of(lambda axes: draw_agreement(axes, "x", "SUV", {"a": (2.0, 1.0)}, numbers))
    assert [line.get_ydata()[0] for line in axes.lines] == [0, -1.0]
    assert axes.texts[0].get_text() == "bias −1"


def test_curves_of_detection_name_their_thresholds():
    curves = {"ours": ([3.0, 1.0], [1.0, 0.5]), "real": ([2.0, 1.0], [1.0, 0.75])}
    axes = axes_of(lambda axes: draw_detection(axes, [2.5, 4.0], curves))
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[3, 1], [1, 0.5]])
    assert [text.get_text() for text in axes.texts] == ["2.5", "4"] * 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ours", "real"]


def test_losses_and_validation_over_epochs():
    losses = axes_of(lambda axes: draw_losses(axes, "head", ROWS))
    assert [line.get_label() for line in losses.lines] == ["g_l1", "d_real"]
    np.testing.assert_array_equal(losses.lines[0].get_xydata(), [[1, 0.5], [2, 0.3]])  # epochs count from 1
    validation = axes_of(lambda axes: draw_validation(axes, "head", ROWS, "validation_mae_suv"))
    np.testing.assert_array_equal(validation.lines[0].get_xydata(), [[2, 0.4]])


@pytest.mark.parametrize(("last", "scale"), [(0.3, "log"), (-0.3, "linear")])
def test_the_axis_of_losses_shows_negative_values(last, scale):
    rows = [{"epoch": 0.0, "segmentation": 0.5}, {"epoch": 1.0, "segmentation": last}]
    assert axes_of(lambda axes: draw_losses(axes, "head", rows)).get_yscale() == scale


def test_the_legend_of_losses_covers_no_curve():
    names = ("d_real", "d_fake", "g_adversarial", "g_l1", "g_l2")
    figure = figure_of([lambda axes: draw_losses(axes, "head", [dict.fromkeys(("epoch", *names), 0.5)])])
    figure.draw_without_rendering()
    legend, axes = figure.axes[0].get_legend().get_window_extent(), figure.axes[0].get_window_extent()
    assert not legend.overlaps(axes)
    assert figure.bbox.y0 <= legend.y0


def test_titles_of_plots_fit_into_their_figure():
    curves = {"ours": ([3.0, 1.0], [1.0, 0.5])}
    figure = figure_of([lambda axes: draw_detection(axes, [2.5, 4.0], curves)])
    figure.draw_without_rendering()
    title = figure.axes[0]._left_title.get_window_extent()
    assert figure.bbox.x0 <= title.x0
    assert title.x1 <= figure.bbox.x1


@pytest.mark.parametrize("rows", [[], [{"epoch": 0.0}]])
def test_a_training_that_has_hardly_started_is_drawn_too(rows):
    assert not axes_of(lambda axes: draw_losses(axes, "head", rows)).lines


def test_several_plots_share_a_figure_and_no_place_is_left_over():
    figure = figure_of([lambda axes: axes.set_title("x")] * 4, columns=3)
    assert [axes.get_visible() for axes in figure.axes] == [True] * 4 + [False] * 2
    assert figure.get_size_inches()[0] == pytest.approx(3 * figure.get_size_inches()[1] / 2 * 3.1 / 2.6)
