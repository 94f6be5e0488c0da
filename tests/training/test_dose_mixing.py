"""The augmentation that changes the dose of the input PET."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ldos_models import FIELDS
from tiny import NO_AUGMENTATION, SUV_WINDOW, tiny_configuration

from ct2pet.errors import TrainingError
from ct2pet.models.base.staged import draft_configuration, draft_fields
from ct2pet.training.augmentation import Augmenter
from ct2pet.training.dose_mixing import DoseMixing, check_doses

STORED, HIGHEST, COUNTS = 0.05, 0.5, 400
WINDOWS = {"PET_low": replace(SUV_WINDOW, range=[-1.0, 1.0]), "PET": SUV_WINDOW}


def planned(doses=(STORED, HIGHEST), **changes):
    return tiny_configuration(
        patch_size=[4, 4, 4],
        normalization=WINDOWS,
        augmentation=replace(NO_AUGMENTATION, dose_fractions=[*doses], **changes),
    )


def acquisition(voxels=200_000):
    """SUV of counts and of a part of them, about 1 in every voxel; by names of fields, normalised."""
    random = np.random.default_rng(0)
    counts = random.poisson(COUNTS, voxels)
    full, low = counts / COUNTS, random.binomial(counts, STORED) / (STORED * COUNTS)
    return {"PET_low": torch.from_numpy(low) / 5 - 1, "PET": torch.from_numpy(full) / 10}


def test_mean_variance_and_covariance_are_those_of_thinned_counts_at_the_dose():
    """By the formulas of Poisson counts, and of counts that NumPy thins to the dose."""
    sample, mixing, random = acquisition(), DoseMixing(planned(), FIELDS), np.random.default_rng(1)
    full = sample["PET"].numpy() * 10
    for seed in range(4):
        dose = mixing.dose(seed)
        mixed = (mixing(sample, seed)["PET_low"].numpy() + 1) * 5
        thinned = random.binomial(np.rint(full * COUNTS).astype(int), dose) / (dose * COUNTS)
        for image in (mixed, thinned):  # 200000 voxels: the standard errors of variances are 0.3%
            assert image.mean() == pytest.approx(1, abs=0.002)
            assert image.var() == pytest.approx(1 / (dose * COUNTS), rel=0.02)
            assert np.cov(image, full)[0, 1] == pytest.approx(1 / COUNTS, rel=0.05)


def test_the_logarithm_of_the_dose_is_uniform_between_the_planned_ones():
    mixing = DoseMixing(planned(), FIELDS)
    shares = np.array([np.log(mixing.dose(seed) / STORED) / np.log(HIGHEST / STORED) for seed in range(500)])
    assert np.histogram(shares, 5, (0, 1))[0].sum() == 500
    assert np.histogram(shares, 5, (0, 1))[0].min() > 60  # 100 are expected, with a standard deviation of 9


def test_only_the_input_pet_changes_and_the_other_transforms_stay_as_they_are():
    others = {"flip_axes": [0, 1, 2], "flip_probability": 0.5, "noise_std": 0.1, "noise_probability": 0.5}
    random = torch.Generator().manual_seed(0)
    batch = {name: torch.rand(6, 1, 4, 4, 4, generator=random) for name in ("PET_low", "PET")}
    batch |= {"organs": (batch["PET"] > 0.5).long(), "mask": batch["PET"] > 0.1}
    mixing, (plain, mixed) = (
        DoseMixing(planned(), FIELDS),
        (Augmenter(planned(doses, **others), FIELDS)(batch, range(6)) for doses in ((), (STORED, HIGHEST))),
    )
    for name in batch:
        assert torch.equal(plain[name], mixed[name]) == (name != "PET_low"), name
    for seed in range(6):
        weight = ((1 / mixing.dose(seed) - 1) / (1 / STORED - 1)) ** 0.5
        changed = (1 - weight) * (2 * batch["PET"] - 1 - batch["PET_low"])[seed]
        changed = changed.flip([axis + 1 for axis in range(3) if _flipped(seed, axis)])
        torch.testing.assert_close((mixed["PET_low"] - plain["PET_low"])[seed], changed)


def _flipped(seed, axis):
    """The order of the random numbers is tested in test_augmentation.py."""
    return torch.rand(8, generator=torch.Generator().manual_seed(seed))[4 + axis] < 0.5


def test_dose_mixing_skips_stages_with_drafts_as_input():
    drafts = draft_configuration(planned(), FIELDS), draft_fields(FIELDS)
    batch = {name: torch.rand(2, 1, 4, 4, 4) for name in ("PET_draft", "PET")}
    assert torch.equal(Augmenter(*drafts)(batch, [0, 1])["PET_draft"], batch["PET_draft"])


def test_the_doses_begin_with_that_of_the_dataset_and_belong_to_a_method_that_needs_it():
    check_doses("ldos", planned(), {"dose_fraction": STORED}, "plans.json")
    check_doses("pix2pix", planned(()), {}, "plans.json")
    with pytest.raises(TrainingError, match=r"plans.json: .* begins with 0.05, but dose_fraction in .* is 0.02"):
        check_doses("ldos", planned(), {"dose_fraction": 0.02}, "plans.json")
    with pytest.raises(TrainingError, match=r"plans.json: pix2pix cannot use augmentation.dose_fractions"):
        check_doses("pix2pix", planned(), {"dose_fraction": STORED}, "plans.json")
