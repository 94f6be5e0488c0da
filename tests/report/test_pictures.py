import sys

import pytest
from reports import aligned_case, content

from ct2pet.report.pictures import case_figure


def test_all_projections_are_in_a_row_to_one_scale():
    figure = case_figure(content().pictures)
    panels = [axes for axes in figure.axes if axes.images and axes.get_title()]
    assert len(panels) == 8
    assert len(figure.axes) == 16  # a colour bar below each
    z, y, x = (n * size for n, size in zip(*(getattr(aligned_case().real.grid, k) for k in ("shape", "spacing"))))
    for index, axes in enumerate(panels):
        box = axes.get_window_extent()
        assert box.height / box.width == pytest.approx(z / (x if index < 4 else y), rel=0.05)
    assert len({round(axes.get_window_extent().height) for axes in panels}) == 1
    left = [axes.get_window_extent().x0 for axes in panels]
    right = [axes.get_window_extent().x1 for axes in panels]
    assert all(a < b for a, b in zip(right, left[1:]))
    assert {text.get_text() for text in panels[0].texts} == {"R", "L"}
    assert not panels[-1].texts


def test_no_state_of_pyplot_is_left():
    case_figure(content().pictures)
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
