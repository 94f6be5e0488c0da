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
    assert module.detection_loss(-truth, lesion, counted).item() > 10
    elsewhere = torch.where(counted > 0, truth, torch.full_like(truth, 20.0))
    assert module.detection_loss(elsewhere, lesion, counted) == module.detection_loss(truth, lesion, counted)


def test_the_share_found_is_that_at_the_lowest_threshold_with_so_few_regions_outside_lesions(module, case):
    found = np.full(case.ct.shape, -9.0, np.float32)
    found[3, 3, 3], found[2, 8, 2] = 2.5, 0.2  # the shown lesions
    found[5, 5, 5] = found[5, 9, 9] = 1.2
    found[9, 9, 9] = found[0, 6, 6] = found[0, 10, 10] = -0.7
    # above 1.2 there is no region outside lesions, above -0.7 there are two, below it five
    assert module.sensitivities([case], [found]) == [50.0, 100.0, 100.0]


def test_a_volume_that_is_marked_everywhere_finds_nothing(module, case):
    assert module.sensitivities([case], [np.full(case.ct.shape, 9.0, np.float32)]) == [0.0, 0.0, 0.0]


def test_more_regions_at_a_higher_threshold_forbid_the_lower_ones(module, case):
    found = np.full(case.ct.shape, -9.0, np.float32)
    found[9, 5:, 9] = 0.2  # one region, of which a higher threshold leaves three
    found[9, [5, 8, 11], 9] = 1.2
    found[3, 3, 3] = 0.3
    assert module.sensitivities([case], [found]) == [0.0, 0.0, 50.0]


def test_patches_contain_the_voxels_of_one_place_and_half_of_them_a_shown_lesion(module, case):
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
        for number, value in zip(image.flatten().tolist(), found.flatten().tolist()):
            if value:
                assert group_of[int(number)] == module.SHOWN


def test_a_small_lesion_is_drawn_as_often_as_a_large_one(module):
    groups = np.zeros((24, 24, 24), np.uint8)
    groups[2, 2, 2], groups[12:20, 12:20, 12:20] = module.SHOWN, module.SHOWN
    patches = module.Patches([module.Case(np.zeros(groups.shape, np.float32), groups > 0, groups)], 8, 400)
    small = (patches()[1].flatten(1).sum(1) == 1).float().mean().item()
    assert small > 0.15  # half of the half on lesions; by voxels it would be 1 of 513


def test_a_volume_is_predicted_in_one_piece_of_its_own_shape(module):
    volume = np.random.default_rng(0).normal(size=(20, 9, 5)).astype(np.float32)
    np.testing.assert_array_equal(module.logits(torch.nn.Identity(), volume), volume)


def test_fresh_patients_are_always_the_same_and_rich_in_lesions(module):
    patients = [module.lesion_rich(seed) for seed in (1, 2)]
    assert patients[0] == module.lesion_rich(1) != patients[1]
    assert all(len(patient.lesions) > 8 for patient in patients)
