"""The samples of the rectified flow."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from tiny import FIELDS, tiny_configuration

from ct2pet.preprocessing.normalization import from_input


@pytest.fixture
def method(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "benchmarks" / "methods"))
    return importlib.import_module("rectified_flow")


@pytest.fixture
def images():
    return torch.rand(2, 1, 24, 24, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_noise_is_gaussian_and_differs_between_samples(method, images):
    first, second = (method.noise_of(images, sample).flatten().numpy() for sample in (0, 1))
    assert stats.kstest(first, "norm").statistic < 0.01  # 27648 voxels: above 0.0098 in 1% of draws
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03
    assert abs(np.corrcoef(first, images.flatten())[0, 1]) < 0.03


def test_overlapping_and_mirrored_windows_begin_with_the_same_noise(method, images):
    noise = method.noise_of(images, 3)
    assert torch.equal(method.noise_of(images[:, :, 5:20], 3), noise[:, :, 5:20])
    assert torch.equal(method.noise_of(images.flip(4), 3), noise.flip(4))


def test_a_constant_velocity_is_added_to_the_mean_and_its_noise(method, images):
    stages = method.RectifiedFlow(tiny_configuration(), FIELDS, {"noise": 0.1, "flow_steps": 4, "sample": 2}).stages
    flow = stages["flow"]
    seen = []
    flow.velocity = torch.nn.Identity()
    flow.velocity.forward = lambda image: seen.append(image) or torch.full_like(image[:, :1], 0.3)
    mean = from_input(images, flow.planned.normalization["PET"])
    expected = mean + 0.1 * method.noise_of(images, 2) + 0.3
    torch.testing.assert_close(flow.translate(images), expected)
    for step, image in enumerate(seen):  # the mean, the moved PET, and the time as the scale of the mean
        torch.testing.assert_close(image[:, 2:], step / 4 * images)
