"""The share of the error of a prediction that is in lesions."""

import importlib
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("_lesion_shares")


def test_shares_are_those_of_the_voxels(module):
    random = np.random.default_rng(0)
    errors, lesions = random.normal(size=(2, 500)), random.random((2, 500)) < [[0.1], [0.0]]
    errors[lesions] *= 9
    cases, volumes = {}, {}
    for case, (error, lesion) in enumerate(zip(errors, lesions)):
        parts = {"trunk": error, "shown": error[lesion]}
        volumes[case] = {name: part.size for name, part in parts.items()}
        cases[case] = {
            name: {"mae": np.abs(part).mean(), "rmse": np.sqrt((part**2).mean())}
            for name, part in parts.items()
            if part.size
        }
    found = module.lesion_shares(cases, "trunk", "shown", volumes)
    assert found.volume == pytest.approx(lesions.mean())
    assert found.absolute == pytest.approx(np.abs(errors[lesions]).sum() / np.abs(errors).sum())
    assert found.squared == pytest.approx((errors[lesions] ** 2).sum() / (errors**2).sum())
