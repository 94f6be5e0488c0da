"""The augmentation that changes the values of input CTs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from field_sets import TWO_INPUTS
from scipy.ndimage import gaussian_filter
from skimage.exposure import adjust_gamma
from tiny import CT_WINDOW, NO_AUGMENTATION, tiny_configuration

from ct2pet.planning.configuration import Normalization, ValueChanges
from ct2pet.preprocessing.normalization import denormalize, normalize
from ct2pet.training.augmentation import Augmenter
from ct2pet.training.ct_values import changed_values

NOTHING = ValueChanges(1.0, [1e-6, 1e-6], [1.0, 1.0], 0.0, [1.0, 1.0])
ALL = ValueChanges(0.5, [0.3, 1.0], [0.8, 1.25], 0.1, [0.7, 1.4])
UNIT = Normalization(0.0, 1.0, True, [0.0, 1.0])


def image(shape=(14, 12, 10)):
    return torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(4))


def changed(plan, seed=0, window=UNIT):
    return changed_values(image(), plan, window, seed)


def test_the_blur_is_scipys():
    """Away from the edges, where the Gaussian is cut in another way."""
    found = changed(replace(NOTHING, blur_voxels=[0.8, 0.8]))[0, 0]
    expected = gaussian_filter(image()[0, 0].numpy(), 0.8, truncate=8)
    inner = (slice(5, -5),) * 3
    np.testing.assert_allclose(found.numpy()[inner], expected[inner], atol=2e-4)


def test_gamma_is_that_of_scikit_image():
    found = changed(replace(NOTHING, gamma=[1.4, 1.4]))
    np.testing.assert_allclose(found.numpy(), adjust_gamma(image().numpy(), 1.4), atol=1e-6)


def test_contrast_scales_around_the_middle_of_the_window():
    found = changed(replace(NOTHING, contrast=[1.25, 1.25]))
    torch.testing.assert_close(found - 0.5, ((image() - 0.5) * 1.25).clamp(-0.5, 0.5), atol=1e-6, rtol=0)


def test_shifts_are_uniform_up_to_the_largest():
    plan = replace(NOTHING, shift=0.2)
    low = torch.full((1, 1, 2, 2, 2), 0.5)
    shifts = torch.tensor([float(changed_values(low, plan, UNIT, seed).mean()) for seed in range(2000)]) - 0.5
    assert float(shifts.abs().max()) <= 0.2 + 1e-6
    assert (torch.histc(shifts, 4, -0.2, 0.2) / 2000).tolist() == pytest.approx([0.25] * 4, abs=0.04)


def test_the_changes_of_the_hu_do_not_depend_on_the_range_of_the_window():
    """The same CT, normalised to [-1, 1] and to [0, 1], has the same HU after the same changes."""
    hu = 900 * image().numpy() - 450
    for seed in range(8):
        found = []
        for ends in ([-1.0, 1.0], [0.0, 1.0]):
            window = replace(CT_WINDOW, range=ends, clip=False)
            after = changed_values(torch.from_numpy(normalize(hu, window)), ALL, window, seed)
            found.append(denormalize(after.numpy(), window))
        np.testing.assert_allclose(*found, atol=0.05)


def test_each_change_is_as_frequent_as_planned_and_decided_alone():
    """Of four changes of probability 0.5, none is made in one of 16 samples, and that sample is the image itself."""
    same = sum(torch.equal(changed(ALL, seed), image()) for seed in range(800))
    assert same / 800 == pytest.approx(1 / 16, abs=0.025)
    assert all(torch.equal(changed(replace(ALL, probability=0.0), seed), image()) for seed in range(20))


def test_only_ct_inputs_change():
    """A PET as input has the values of the target, which must not be scaled; masks and targets stay, too."""
    plan = replace(NO_AUGMENTATION, ct_values=replace(ALL, probability=1.0))
    augmenter = Augmenter(tiny_configuration(augmentation=plan), TWO_INPUTS)
    values = image(augmenter.source_size).expand(4, -1, -1, -1, -1)
    batch = {"CT": values, "low_PET": values + 1, "PET": values + 2, "mask": values > 0.5}
    result = augmenter(batch, [1, 2, 3, 4])
    assert not torch.allclose(result["CT"], batch["CT"], atol=0.01)
    for name in ("low_PET", "PET", "mask"):
        assert torch.equal(result[name], batch[name])


def test_a_seed_gives_the_same_changes_in_any_batch():
    plan = replace(NO_AUGMENTATION, ct_values=ALL)
    augmenter = Augmenter(tiny_configuration(augmentation=plan), TWO_INPUTS)
    values = image(augmenter.source_size).expand(3, -1, -1, -1, -1)
    batch = dict.fromkeys(("CT", "low_PET", "PET"), values)
    whole = augmenter(batch, [7, 8, 9])["CT"]
    single = [augmenter({n: v[i : i + 1] for n, v in batch.items()}, [7 + i])["CT"] for i in range(3)]
    assert torch.equal(whole, torch.cat(single))
    assert len({round(float(one.mean()), 6) for one in whole - values}) > 1
