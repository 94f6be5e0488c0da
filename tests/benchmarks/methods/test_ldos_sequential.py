"""The sequential arm of benchmarks/ldos.py: which network learns what from what."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from ldos_models import FIELDS, make, make_batch
from tiny_models import START

METHODS = Path(__file__).parents[3] / "benchmarks" / "methods"


@pytest.fixture
def method(monkeypatch):
    monkeypatch.syspath_prepend(str(METHODS))
    module = importlib.import_module("ldos_sequential")
    return module.SequentialLDOS(make().configuration, FIELDS, {"inner_folds": 2, "lambda_organ_suv": 1.0})


def test_the_first_network_denoises_and_the_second_one_segments_what_it_gives(method):
    denoising, segmentation = method.stages.values()
    batch = make_batch()
    (update,) = denoising.training_step(batch, replace(START, fraction=0.5))
    assert set(update.losses) == {"l1", "organ_suv"}
    denoised = denoising.eval().predict(batch)["PET"].detach()
    draft = {"PET_draft": denoised * 2 - 1}  # in the range of inputs
    (update,) = segmentation.training_step({**batch, **draft}, START)
    assert set(update.losses) == {"segmentation"}
    torch.testing.assert_close(segmentation.eval().predict(draft)["PET"], denoised)
