import itertools

import numpy as np
import pytest

from ct2pet.report.plots import draw_detection, figure_of

THRESHOLDS = [2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
FAR = ([280.0, 88.0, 15.0, 5.0, 2.7, 1.0, 0.3], [0.95, 0.95, 0.95, 0.95, 0.9, 0.8, 0.75])
CROWDED = ([9.3, 9.0, 6.0, 5.7, 4.7, 5.3, 2.0], [0.85, 0.85, 0.85, 0.55, 0.5, 0.2, 0.1])
NOTHING = ([0.0] * 7, [0.0] * 7)


def drawn(curves):
    figure = figure_of([lambda axes: draw_detection(axes, THRESHOLDS, curves)])
    figure.draw_without_rendering()
    return figure, figure.axes[0]


@pytest.mark.parametrize(
    "curves",
    [
        {"synthetic PET": FAR, "real PET": CROWDED},
        {"synthetic PET": NOTHING, "real PET": CROWDED, "pix2pix (plans ct2petPlans)": FAR},
        {"synthetic PET": CROWDED, "real PET": CROWDED, "again": CROWDED},
    ],
)
def test_labels_cover_neither_each_other_nor_points(curves):
    figure, axes = drawn(curves)
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    points = np.concatenate([axes.transData.transform(line.get_xydata()) for line in axes.lines])
    assert not any(box.contains(*point) for box in boxes for point in points)
    around = [*boxes, axes.get_legend().get_window_extent(), axes.yaxis.label.get_window_extent()]
    whole = figure.bbox.padded(1)  # the legend has an invisible frame
    assert all(whole.contains(box.x0, box.y0) and whole.contains(box.x1, box.y1) for box in around)


def test_points_at_one_place_have_one_label_with_the_first_and_the_last_name():
    _, axes = drawn({"synthetic PET": NOTHING, "real PET": FAR})
    assert [text.get_text() for text in axes.texts] == ["2.5–10", "2.5", "3", "4", "5–6", "8", "10"]
