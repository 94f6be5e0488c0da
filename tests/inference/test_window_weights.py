import numpy as np
import pytest
import torch
from windows import blob, identity, image, merged

from ct2pet.inference.sliding_window import SlidingWindow
from ct2pet.inference.window_weights import window_weights


def rim_error(x):
    """A network that is right in the middle of its window and too high towards the rim."""
    distance = torch.ones(x.shape[2:])
    for axis, size in enumerate(x.shape[2:]):
        edge = torch.minimum(torch.arange(size), torch.arange(size).flip(0)).float()
        distance = torch.minimum(distance * 1e9, edge.reshape([size if index == axis else 1 for index in range(3)]))
    return {"out": x + 0.5 * torch.exp(-distance / 2)}


def seams(weights, axis):
    """The mean step of a flat image at the edges of windows, and elsewhere, along an axis."""
    mask = np.ones((64, 64, 64), bool)
    window = SlidingWindow((32, 32, 32), 0.5, weights=weights)
    found = merged(window, [np.full(mask.shape, 2.0, np.float32)], mask, rim_error)["out"][0]
    steps = np.abs(np.diff(found, axis=axis)).mean(axis=tuple({0, 1, 2} - {axis}))
    starts = {position[axis] for position in window.positions(mask)}
    edges = sorted({edge - 1 for start in starts for edge in (start, start + 32) if 0 < edge < 64})
    return steps[edges].mean(), np.delete(steps, edges).mean()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_gaussian_weights_take_away_the_seams_of_a_network_that_is_worse_at_the_rim(axis):
    at_edges, elsewhere = seams("uniform", axis)
    assert at_edges > 3 * elsewhere
    smooth, beside = seams("gaussian", axis)
    assert smooth < at_edges / 10
    assert smooth < beside  # no more there than anywhere


@pytest.mark.parametrize("weights", ["uniform", "gaussian"])
@pytest.mark.parametrize("value", [0.1, 2.05, 17.3])
def test_equal_windows_are_merged_exactly_with_any_weights(weights, value):
    mask = blob((40, 30, 20), 5)
    images = [np.full(mask.shape, value, np.float32)]
    found = merged(SlidingWindow((16, 12, 8), 0.6, weights=weights), images, mask, identity)["out"][0]
    assert (found[mask] == np.float32(value)).all()


def test_gaussian_weights_are_those_of_a_normal_distribution_and_never_zero():
    found = window_weights("gaussian", (16, 9, 1)).numpy()
    z = (np.arange(16) - 7.5) / 2
    np.testing.assert_allclose(found[:, 4, 0], np.exp(-(z**2) / 2), rtol=1e-5)
    assert found.min() >= 1e-4
    assert found[0, 0, 0] == found[-1, -1, -1]
    assert (window_weights("uniform", (4, 5, 6)) == 1).all()


def test_the_mean_is_weighted():
    """Two windows that overlap by half: in the overlap each counts by its weight there."""
    mask = np.ones((12, 1, 1), bool)
    values = iter([1.0, 3.0])
    window = SlidingWindow((8, 1, 1), 0.5, batch_size=1, weights="gaussian")
    assert window.positions(mask) == [(0, 0, 0), (4, 0, 0)]
    found = merged(window, [image(mask.shape)], mask, lambda x: {"out": torch.full_like(x, next(values))})["out"][0]
    own = window_weights("gaussian", (8, 1, 1)).numpy()[:, 0, 0]
    expected = np.array([1.0] * 4 + [(a + 3 * b) / (a + b) for a, b in zip(own[4:], own[:4])] + [3.0] * 4)
    np.testing.assert_allclose(found[:, 0, 0], expected, rtol=1e-5)
