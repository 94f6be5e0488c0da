"""The detection of shown lesions alone: its loss and its counts, on images whose answer is known."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    import ct2pet.models

    monkeypatch.setattr(ct2pet.models, "__path__", [*ct2pet.models.__path__])
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("lesion_detection")


@pytest.fixture
def case(module):
    groups = np.zeros((12, 12, 12), np.uint8)
    groups[2:4, 2:4, 2:4], groups[2:4, 8:10, 2:4], groups[8:10, 2:4, 2:4] = module.SHOWN, module.SHOWN, module.HIDDEN
    return module.Case(np.zeros(groups.shape, np.float32), np.ones(groups.shape, bool), groups)


def test_lesions_and_regions_outside_them_are_counted_by_the_highest_probability(module, case):
    found = np.zeros(case.ct.shape, np.float32)
    found[3, 3, 3] = 0.6  # the first shown lesion
    found[3, 3, 4] = 0.9  # touches it, is not in it
    found[9, 9, 9:11] = 0.6  # outside
    found[5, 9, 9] = 0.2
    rows = {row.split(" | ")[0]: row.strip(" |").split(" | ")[1:] for row in module.table([case], [found]).splitlines()}
    assert rows["| ≥ 0.1"] == ["50", "0", "2.00"]
    assert rows["| ≥ 0.5"] == ["50", "0", "1.00"]
    assert rows["| ≥ 0.7"] == ["0", "0", "0.00"]


def test_the_loss_falls_to_0_for_the_truth_and_ignores_voxels_that_do_not_count(module, case):
    lesion = torch.from_numpy(case.groups == module.SHOWN).float()[None, None]
    counted = torch.from_numpy(case.groups != module.HIDDEN).float()[None, None]
    truth = 40 * lesion - 20
    assert module.detection_loss(truth, lesion, counted).item() == pytest.approx(0.0, abs=1e-4)
    assert module.detection_loss(-truth, lesion, counted).item() > 100
    elsewhere = torch.where(counted > 0, truth, torch.full_like(truth, 20.0))
    assert module.detection_loss(elsewhere, lesion, counted) == module.detection_loss(truth, lesion, counted)


def test_patches_hold_the_voxels_of_one_place_and_half_of_them_a_shown_lesion(module, case):
    place = np.arange(12**3, dtype=np.float32).reshape(case.ct.shape)
    empty = module.Case(place, case.mask, np.zeros_like(case.groups))
    patches = module.Patches([module.Case(place, case.mask, case.groups), *[empty] * 9], 8, 200)
    ct, lesion, _ = patches()
    share = (lesion.flatten(1).sum(1) > 0).float().mean().item()
    assert 0.4 < share < 0.7
    expected = np.pad(case.groups, 4).ravel()
    numbers = np.pad(place, 4, constant_values=-1).ravel()
    group_of = {int(number): group for number, group in zip(numbers, expected) if number >= 0}
    for image, found in zip(ct[:20], lesion[:20]):
        for number, value in zip(image.flatten().round().tolist(), found.flatten().tolist()):
            if value:
                assert group_of[int(number)] == module.SHOWN


def test_the_probability_of_windows_is_that_of_the_whole_volume_for_a_network_without_context(module):
    volume = np.random.default_rng(0).normal(size=(20, 9, 5)).astype(np.float32)
    found = module.probability(torch.nn.Identity(), volume, 8)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-volume)), rtol=1e-5)
