"""Metrics of images against known answers, brute force and scikit-image."""

from dataclasses import replace

import numpy as np
import pytest
from disc_slices import disc_slices
from skimage.metrics import structural_similarity

from ct2pet.errors import Ct2PetError
from ct2pet.study.features import random_features
from ct2pet.study.image_metrics import (
    feature_distances,
    frechet_distance,
    kernel_distance,
    precision_recall_density_coverage,
    random_pair_similarity,
    uptake_tests,
)


def normal(number, size, seed, mean=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(mean, scale, (number, size))


def test_the_frechet_distance_of_gaussians_with_known_moments():
    """|m|² + sum((s1 - s2)²) where the axes are independent; and in any rotation of them."""
    first = normal(200000, 3, 0) * [1.0, 2.0, 0.5]
    second = normal(200000, 3, 1) * [2.0, 2.0, 1.5] + [0.3, 0.0, -0.4]
    expected = 0.25 + 1.0 + 1.0
    assert frechet_distance(first, second) == pytest.approx(expected, rel=0.02)
    rotation = np.linalg.qr(normal(3, 3, 2))[0]
    assert frechet_distance(first @ rotation, second @ rotation) == pytest.approx(frechet_distance(first, second))
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)


def test_the_kernel_distance_is_unbiased():
    """0 on average for two samples of one distribution, although each is finite; above it for others."""
    same = [kernel_distance(normal(40, 8, seed), normal(40, 8, seed + 1000)) for seed in range(200)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(200)
    assert min(same) < 0
    assert kernel_distance(normal(40, 8, 1, mean=1.0), normal(40, 8, 2)) > max(same)


def by_brute_force(fake, real, neighbours):
    """The definitions of Naeem et al., image by image."""

    def radius(values, index):
        return sorted(np.linalg.norm(values - values[index], axis=1))[neighbours]

    real_radii = [radius(real, i) for i in range(len(real))]
    fake_radii = [radius(fake, j) for j in range(len(fake))]
    inside = [[np.linalg.norm(r - f) < real_radii[i] for f in fake] for i, r in enumerate(real)]
    covered = [any(np.linalg.norm(r - f) < fake_radii[j] for j, f in enumerate(fake)) for r in real]
    return {
        "precision": np.mean([any(row[j] for row in inside) for j in range(len(fake))]),
        "recall": np.mean(covered),
        "density": np.sum(inside) / neighbours / len(fake),
        "coverage": np.mean([any(row) for row in inside]),
    }


@pytest.mark.parametrize("shift", [0.0, 1.0, 5.0])
def test_precision_recall_density_and_coverage_are_those_of_their_definitions(shift):
    real, fake = normal(40, 3, 0), normal(30, 3, 1, mean=shift)
    assert precision_recall_density_coverage(fake, real, 5) == pytest.approx(by_brute_force(fake, real, 5))


def test_a_generator_of_one_image_has_precision_but_no_coverage():
    real = normal(200, 4, 0)
    fake = np.zeros((200, 4)) + normal(200, 4, 1) * 1e-3
    found = precision_recall_density_coverage(fake, real)
    assert found["precision"] > 0.9
    assert found["recall"] < 0.05
    assert found["coverage"] < 0.5


def test_feature_distances_grow_with_the_difference(training):
    extractor = random_features(1)
    other = disc_slices(40, seed=8, first=300)
    colder = replace(other, images=other.images * 0.3)
    near, far = (feature_distances(slices, training, extractor) for slices in (other, colder))
    assert near.frechet < far.frechet
    assert near.kid < far.kid
    assert near.coverage > far.coverage
    assert near.features == "random network"
    with pytest.raises(Ct2PetError, match="5 images are too few"):
        feature_distances(other.take(np.arange(5)), training, extractor)


def test_similarity_is_scikit_images_and_pairs_are_of_one_class_and_two_patients(training):
    one = training.take(np.array([0]))
    similarity = random_pair_similarity(one, training, 0, seed=3)
    candidates = []
    for index in np.flatnonzero((training.labels == one.labels[0]) & (training.patients != one.patients[0])):
        first, second = np.clip(one.images[0, 0], 0, 20), np.clip(training.images[index, 0], 0, 20)
        ssim = structural_similarity(
            first, second, data_range=20.0, gaussian_weights=True, use_sample_covariance=False, full=True
        )[1].mean()
        error = np.mean((first - second) ** 2)
        candidates.append((ssim, 10 * np.log10(400 / error), error))
    distances = np.abs(np.array(candidates) - [similarity.ssim, similarity.psnr, similarity.mse])
    assert distances.max(axis=1).min() < 1e-3


def test_the_range_of_ct_is_its_own():
    """SSIM does not change when values and range are scaled together."""
    slices = disc_slices(10, channels=("pet", "ct"))
    as_pet = replace(slices, images=((slices.images[:, [1]] + 1000) / 70).astype(np.float32), channels=("pet",))
    ct, pet = random_pair_similarity(slices, slices, 1, seed=0), random_pair_similarity(as_pet, as_pet, 0, seed=0)
    assert ct.ssim == pytest.approx(pet.ssim, abs=1e-4)
    assert ct.psnr == pytest.approx(pet.psnr, abs=1e-3)
    assert ct.mse == pytest.approx(pet.mse * 70**2, rel=1e-3)


def test_no_partner_is_an_error(training):
    benign = training.take(training.labels == 0)
    with pytest.raises(Ct2PetError, match="no real slice of the class malignant"):
        random_pair_similarity(training, benign, 0, seed=0)


def test_uptake_tests_find_the_class_whose_uptake_is_wrong():
    real, other = disc_slices(60, seed=1, per_patient=1), disc_slices(60, seed=2, per_patient=1, first=500)
    colder = other.images * np.where(other.labels == 1, 0.5, 1.0)[:, None, None, None]
    benign, malignant = uptake_tests(replace(other, images=colder.astype(np.float32)), real)
    assert (benign.label, malignant.label) == ("benign", "malignant")
    assert benign.p > 0.01 > malignant.p
    assert malignant.median_fake < 0.7 * malignant.median_real
    assert uptake_tests(disc_slices(4, channels=("ct",)), disc_slices(4, channels=("ct",))) == []
