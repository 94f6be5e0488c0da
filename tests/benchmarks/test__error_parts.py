"""The parts of the error in the body."""

import importlib
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("_error_parts")


def test_the_parts_add_up_to_the_error_in_the_body(module):
    random = np.random.default_rng(0)
    real, predicted = random.random((2, 9, 8, 7))
    body, lesions = random.random((2, 9, 8, 7)) > [[[[0.4]]], [[[0.9]]]]
    found = module.error_parts(real, predicted, body, lesions, random.uniform(-300, 300, real.shape))
    del found["bias of soft tissue"]
    assert sum(found.values()) == pytest.approx(np.abs(predicted - real)[body].mean())
    assert min(found.values()) > 0


def test_an_error_counts_where_it_is(module):
    """Ten voxels of body: two of muscle with +2 SUV, one of fat with -1, a lesion in muscle with -5, bone with +1."""
    hu = np.array([40, 60, 50, -100, -90, 50, 300, 40, 40, 40, 40.0])
    real, body, lesions = np.full(11, 5.0), np.arange(11) < 10, np.arange(11) == 5
    predicted = real + np.array([2, 2, 0, -1, 0, -5, 1, 0, 0, 0, 100])
    found = module.error_parts(real, predicted, body, lesions, hu)
    assert found == pytest.approx(
        {"lesions": 0.5, "soft tissue": 0.4, "fat": 0.1, "other tissue": 0.1, "bias of soft tissue": 4 / 6}
    )
