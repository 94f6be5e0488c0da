"""The arms of the benchmarks that change plans."""

import importlib
from pathlib import Path

import pytest
from fingerprints import district
from tiny import tiny_configuration

from ct2pet.planning.configuration import Normalization

WINDOW = [[-150.0, 250.0]]


@pytest.fixture
def variants(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("variants")


@pytest.mark.parametrize(
    ("lower", "upper", "windows"),
    [
        (-928.0, 540.0, WINDOW),  # a trunk
        (-134.0, 1092.0, WINDOW),  # arms
        (-189.0, 176.0, []),  # legs
        (-400.0, 400.0, []),  # twice as wide as the soft-tissue window
        (-400.0, 400.1, WINDOW),
        (-1100.0, -51.0, []),  # lung and fat
        (151.0, 1500.0, []),  # bone
    ],
)
def test_a_wide_window_with_soft_tissue_gets_that_of_soft_tissue(variants, lower, upper, windows):
    planned = tiny_configuration()
    ct = Normalization(lower, upper, True, [-1.0, 1.0])
    changed = variants.two_windows(
        tiny_configuration(normalization={**planned.normalization, "CT": ct}), district()
    ).normalization
    assert changed["CT"].windows == windows
    assert changed["PET"] == planned.normalization["PET"]
