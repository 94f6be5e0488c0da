"""Samplers of synthetic slices."""

import numpy as np
import pytest
from disc_slices import disc_slices

from ct2pet.errors import Ct2PetError
from ct2pet.study.generators import fit_pca_gaussian, sample_all
from ct2pet.study.slices import to_network


@pytest.fixture(scope="module")
def gaussian():
    return fit_pca_gaussian(disc_slices(200, seed=5, pixels=8))


def test_samples_have_the_mean_and_the_covariance_of_their_class(gaussian):
    slices = disc_slices(200, seed=5, pixels=8)
    for label in (0, 1):
        real = to_network(slices.images[slices.labels == label], slices.channels).reshape(-1, 64)
        made = to_network(gaussian.sample(label, 4000, seed=1), slices.channels).reshape(-1, 64)
        np.testing.assert_allclose(made.mean(axis=0), real.mean(axis=0), atol=0.05)
        difference = np.linalg.norm(np.cov(made.T) - np.cov(real.T)) / np.linalg.norm(np.cov(real.T))
        assert difference < 0.15


def test_uptake_is_never_negative_and_ct_stays_in_its_range():
    made = fit_pca_gaussian(disc_slices(20, channels=("pet", "ct"))).sample(1, 50, seed=0)
    assert made[:, 0].min() >= 0
    assert made[:, 1].min() >= -1000
    assert made[:, 1].max() <= 400


def test_the_components_explain_most_of_the_variance_and_not_the_noise():
    components = fit_pca_gaussian(disc_slices(40, seed=2)).components[0]
    assert 2 <= len(components) <= 35


def test_a_seed_gives_the_same_images_and_the_class_others(gaussian):
    first, same, other = (gaussian.sample(label, 3, seed) for label, seed in ((0, 1), (0, 1), (1, 1)))
    np.testing.assert_array_equal(first, same)
    assert not np.allclose(first, other)


def test_a_class_of_two_slices_is_refused():
    slices = disc_slices(3, per_patient=2)  # two benign patients, one malignant
    with pytest.raises(Ct2PetError, match="malignant has 2 slices"):
        fit_pca_gaussian(slices)


class Constant:
    """Images that hold their label."""

    def sample(self, label, number, seed):
        return np.full((number, 1, 4, 4), label, np.float32)


def test_every_wanted_label_gets_its_image():
    labels = np.array([1, 0, 0, 1, 0])
    np.testing.assert_array_equal(sample_all(Constant(), labels, 0, (1, 4, 4))[:, 0, 0, 0], labels)


def test_images_of_another_shape_or_without_numbers_are_refused():
    with pytest.raises(Ct2PetError, match=r"shape \(1, 4, 4\), not of \(2, 4, 4\)"):
        sample_all(Constant(), np.array([0]), 0, (2, 4, 4))

    class Broken:
        def sample(self, label, number, seed):
            return np.full((number, 1, 4, 4), np.nan)

    with pytest.raises(Ct2PetError, match="not finite"):
        sample_all(Broken(), np.array([0]), 0, (1, 4, 4))
