"""The arms of the benchmarks that change plans."""

import importlib
import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from fingerprints import district
from tiny import tiny_configuration
from tiny_models import tiny_model

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


def test_small_patches_fit_the_districts_and_their_networks(variants):
    for shape, size in (([40, 30, 50], [12, 12, 12]), ([40, 9, 50], [12, 8, 12])):
        changed = variants.small_patches(tiny_configuration(median_shape=shape), district())
        assert changed.patch_size == size
        model = tiny_model("lesion_regression", changed)
        assert any(isinstance(module, torch.nn.BatchNorm3d) for module in model.generator.modules())
        ct = torch.randn(2, 1, *size)
        assert model.predict({"CT": ct})["PET"].shape == ct.shape


def test_the_augmentation_of_the_documentation_is_the_measured_one(variants):
    """The keys that the page on plans offers beside the planned ones."""
    page = (Path(__file__).parents[2] / "documentation" / "reference" / "plans.md").read_text(encoding="utf-8")
    (block,) = [one for one in re.findall(r"```json\n(.*?)```", page, re.DOTALL) if "scaling_range" in one]
    planned = tiny_configuration()
    measured = asdict(variants.augmented(planned, district()).augmentation)
    assert {**asdict(planned.augmentation), **json.loads(f"{{{block}}}")} == measured
