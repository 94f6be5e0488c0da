"""The generator that sees the CT in two windows."""

import importlib
from pathlib import Path

import pytest
import torch
from tiny import FIELDS, tiny_configuration
from torch import nn

from ct2pet.planning.configuration import Normalization
from ct2pet.preprocessing.normalization import normalize


@pytest.fixture
def method(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "benchmarks" / "methods"))
    return importlib.import_module("pix2pix_windows")


def test_the_second_channel_is_the_ct_clipped_to_the_narrow_window(method):
    planned = Normalization(-917.0, 434.0, True, [-1.0, 1.0])
    hu = torch.tensor([-800.0, -150.0, 50.0, 100.0, 250.0, 400.0]).reshape(1, 1, 1, 1, 6)
    ct = normalize(hu, planned)
    seen = method.TwoWindows(nn.Identity(), planned, -150.0, 250.0)(ct)
    torch.testing.assert_close(seen[:, :1], ct)
    torch.testing.assert_close(seen[0, 1].flatten(), torch.tensor([-1.0, -1.0, 0.0, 0.25, 1.0, 1.0]), atol=1e-5, rtol=0)


def test_both_windows_reach_the_prediction(method):
    model = method.Pix2PixWindows(tiny_configuration(), FIELDS, {"window_low": -150.0, "window_high": 250.0})
    for weight in model.generator.parameters():
        nn.init.normal_(weight)  # the last layer is zero at first
    planned = model.planned.normalization["CT"]
    random = torch.Generator().manual_seed(0)
    lung = torch.rand(1, 1, 16, 16, 16, generator=random) * 400 - 900
    soft = torch.rand(1, 1, 16, 16, 16, generator=random) * 200 - 100

    def differ(first_hu, second_hu):
        found = [model.predict({"CT": normalize(hu, planned)})["PET"] for hu in (first_hu, second_hu)]
        return not torch.allclose(*found, atol=1e-4)

    first = next(layer for layer in model.modules() if isinstance(layer, nn.Conv3d))
    assert differ(lung, lung + 50)
    assert differ(soft, soft + 50)
    with torch.no_grad():
        first.weight[:, 0] = 0
    assert differ(soft, soft + 50)
    assert not differ(lung, lung + 50)
