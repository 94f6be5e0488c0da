import sys

import numpy as np
import pytest
from label_maps import LABELS, SHAPE, SPACING, label_pair
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ct2pet.report.colours import CT
from ct2pet.report.label_contours import (
    PREDICTED,
    REFERENCE,
    VIEWS,
    LabelledCase,
    contour_figure,
    cut,
    draw_contours,
    draw_image,
    label_colours,
    richest_slice,
)

PIXEL = (3.0, 2.0)
PREDICTION, TRUTH = label_pair()


def axes_with(label_slice, labels=LABELS, style=REFERENCE):
    axes = Figure().subplots()
    draw_contours(axes, label_slice, labels, PIXEL, style)
    return axes


def lines_of(axes):
    """Of each label that was drawn: the colour, whether its line is dashed, and the points (x, y) of its contour."""
    found = []
    for contours in axes.collections:
        points = np.concatenate([path.vertices for path in contours.get_paths()])
        dashed = contours.get_linestyle()[0][1] is not None
        found.append((to_hex(contours.get_edgecolor()[0]), dashed, points))
    return found


def test_a_contour_runs_along_the_border_of_its_pixels_in_mm():
    label_slice = np.zeros((10, 12), np.uint8)
    label_slice[2:5, 4:9] = 2
    ((colour, _, points),) = lines_of(axes_with(label_slice))
    assert colour == label_colours(LABELS)["spleen"]
    assert (points[:, 0].min(), points[:, 0].max()) == pytest.approx((4 * PIXEL[1], 9 * PIXEL[1]))
    assert (points[:, 1].min(), points[:, 1].max()) == pytest.approx((2 * PIXEL[0], 5 * PIXEL[0]))


def test_a_contour_is_over_the_image_of_its_label():
    label_slice = np.zeros((10, 12), np.uint8)
    label_slice[9, 11] = 2
    axes = axes_with(label_slice)
    draw_image(axes, label_slice.astype(float), PIXEL, CT)
    left, right, bottom, top = axes.images[0].get_extent()
    ((_, _, points),) = lines_of(axes)
    assert (points[:, 0].max(), points[:, 1].max()) == pytest.approx((right, bottom))
    assert (left, top) == (0.0, 0.0)
    assert axes.yaxis_inverted()


def test_a_label_at_the_border_has_a_closed_contour():
    (_, _, points), *others = lines_of(axes_with(np.full((4, 5), 1, np.uint8)))
    assert not others
    np.testing.assert_allclose(points[0], points[-1])
    assert points[:, 0].min() == pytest.approx(0.0)
    assert points[:, 0].max() == pytest.approx(5 * PIXEL[1])


@pytest.mark.parametrize(("style", "dashed"), [(REFERENCE, False), (PREDICTED, True)])
def test_predicted_labels_are_dashed_and_reference_labels_solid(style, dashed):
    assert [line[1] for line in lines_of(axes_with(TRUTH[9], style=style))] == [dashed] * len(np.unique(TRUTH[9])[1:])


def test_every_label_has_its_colour_whatever_else_the_slice_holds():
    colours = label_colours(LABELS)
    for index in range(len(TRUTH)):
        there = [name for name, label in LABELS.items() if (TRUTH[index] == label).any()]
        assert [line[0] for line in lines_of(axes_with(TRUTH[index]))] == [colours[name] for name in there]


def test_colours_are_all_different():
    for number in (1, 2, 18, 40):
        assert len(set(label_colours([str(n) for n in range(number)]).values())) == number


def test_slices_are_shown_as_readers_expect_them():
    """Head up; from the front the patient's left on the right; from the side the front on the left."""
    array = np.zeros(SHAPE)
    array[-1, 0, -1] = 1.0  # towards the head, in front, on the patient's left
    places = {"axial": (-1, 0, -1), "coronal": (0, 0, -1), "sagittal": (-1, 0, 0)}  # slice, row, column
    for view, (index, row, column) in places.items():
        shown = cut(array, view, index % SHAPE[VIEWS[view]])
        assert shown.shape == tuple(n for axis, n in enumerate(SHAPE) if axis != VIEWS[view])
        assert shown.sum() == shown[row, column] == 1.0


def test_the_richest_slice_shows_most_labels_and_then_most_voxels():
    label_map = np.zeros((6, 8, 8), np.uint8)
    label_map[1, :6, :6] = 1
    label_map[3, 0, :2] = 1
    label_map[3:5, 2, 2] = 2
    label_map[4, 0, :3] = 1
    label_map[5] = 9  # without a name
    assert richest_slice(label_map, {"a": 1, "b": 2}, "axial") == 4
    assert richest_slice(label_map, {"a": 1}, "axial") == 1
    assert richest_slice(label_map.transpose(1, 0, 2), {"a": 1, "b": 2}, "coronal") == 4


@pytest.mark.parametrize("view", VIEWS)
def test_the_figure_shows_both_maps_over_each_image(view):
    images = {"low dose": np.zeros(SHAPE), "full dose": np.ones(SHAPE)}
    case = LabelledCase(images, PREDICTION, TRUTH, LABELS, SPACING)
    index = richest_slice(TRUTH, LABELS, view)
    figure = contour_figure(case, view, index)
    assert [axes.get_title() for axes in figure.axes] == ["low dose", "full dose"]
    expected = [
        (label_map is PREDICTION, label)
        for label_map in (TRUTH, PREDICTION)
        for label in LABELS.values()
        if (cut(label_map, view, index) == label).any()
    ]
    colours = {label: label_colours(LABELS)[name] for name, label in LABELS.items()}
    height, width = case.pixel_mm(view)
    for axes, image in zip(figure.axes, images.values()):
        lines = lines_of(axes)
        assert [(dashed, colour) for colour, dashed, _ in lines] == [(d, colours[label]) for d, label in expected]
        for (dashed, label), (_, _, points) in zip(expected, lines):
            rows, columns = np.nonzero(cut(PREDICTION if dashed else TRUTH, view, index) == label)
            assert points[:, 0].min() == pytest.approx(columns.min() * width)
            assert points[:, 1].max() == pytest.approx((rows.max() + 1) * height)
        np.testing.assert_array_equal(axes.images[0].get_array(), cut(image, view, index))
        assert {text.get_text() for text in axes.texts} == (set() if view == "sagittal" else {"R", "L"})


def test_the_legend_names_the_labels_of_the_slice_alone():
    case = LabelledCase({"PET": np.zeros(SHAPE)}, PREDICTION, TRUTH, {**LABELS, "urinary_bladder": 9}, SPACING)
    (legend,) = contour_figure(case, "axial", 21).legends  # the spleen's stray voxels are in the prediction alone
    assert [text.get_text() for text in legend.get_texts()] == ["reference", "predicted", "spleen", "aorta"]
    assert [line.get_linestyle() for line in legend.get_lines()[:2]] == [REFERENCE, PREDICTED]


def test_no_state_of_pyplot_is_left():
    case = LabelledCase({"PET": np.zeros(SHAPE)}, PREDICTION, TRUTH, LABELS, SPACING)
    contour_figure(case, "coronal", 12)
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
