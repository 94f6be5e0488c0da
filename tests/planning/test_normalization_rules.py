"""The planned windows of images."""

import pytest

from ct2pet.planning.normalization_rules import soft_tissue_windows

WINDOW = [[-150.0, 250.0]]


@pytest.mark.parametrize(
    ("lower", "upper", "windows"),
    [
        (-928.0, 540.0, WINDOW),  # a trunk
        (-395.0, 1141.0, WINDOW),  # a head
        (-189.0, 176.0, []),  # legs
        (-400.0, 400.0, []),  # twice as wide as the soft-tissue window
        (-400.0, 400.1, WINDOW),
        (-134.0, 1092.0, WINDOW),  # arms
        (-1100.0, -51.0, []),  # lung and fat
        (151.0, 1500.0, []),  # bone
    ],
)
def test_a_wide_window_with_soft_tissue_gets_that_of_soft_tissue(lower, upper, windows):
    assert soft_tissue_windows(lower, upper) == windows
