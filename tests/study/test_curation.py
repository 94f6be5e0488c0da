"""Curation rejects images with the wrong label, far from all real ones, or copied, and counts them."""

from dataclasses import dataclass

import numpy as np
import pytest
from disc_slices import disc_slices

from ct2pet.errors import Ct2PetError
from ct2pet.study.classification import ClassifierOptions
from ct2pet.study.curation import Curator, curated_images, fit_curator
from ct2pet.study.slices import Slices

OPTIONS = ClassifierOptions(steps=30, batch_size=16, check_every=10)
WANTED = np.arange(20) % 2


@dataclass
class Pool:
    """A sampler that gives slices of a set by their label, in its order."""

    slices: Slices

    def sample(self, label, number, seed):
        own = self.slices.images[self.slices.labels == label]
        return own[np.arange(number) % len(own)]


@pytest.fixture(scope="module")
def real():
    return disc_slices(60, seed=21, gap=3.0)


@pytest.fixture(scope="module")
def curator(real):
    return fit_curator("small_cnn", real, OPTIONS, seed=1)


@pytest.fixture(scope="module")
def fresh():
    return disc_slices(60, seed=22, gap=3.0, first=800)


def test_new_real_images_pass(curator, fresh):
    _, labels, counts = curated_images(Pool(fresh), WANTED, curator, seed=0)
    assert counts["kept"] == counts["asked"] == 20
    assert np.bincount(labels).tolist() == [10, 10]
    assert counts["drawn"] <= 60


def test_the_wrong_label_is_rejected(curator, fresh):
    wrong = Slices(fresh.images, 1 - fresh.labels, fresh.patients, fresh.channels, fresh.classes)
    rejected = curator.rejections(wrong)
    assert rejected["low_confidence"].mean() > 0.75
    assert curator.rejections(fresh)["low_confidence"].mean() < 0.25


def test_copies_and_nonsense_are_rejected(curator, real, fresh):
    assert curator.rejections(real)["near_copy"].mean() == 1.0
    assert curator.rejections(fresh)["near_copy"].mean() < 0.1
    noise = np.random.default_rng(0).uniform(0, 8, fresh.images.shape).astype(np.float32)
    nonsense = Slices(noise, fresh.labels, fresh.patients, fresh.channels, fresh.classes)
    assert curator.rejections(nonsense)["far_from_real"].all()
    assert curator.rejections(fresh)["far_from_real"].mean() < 0.15


def test_rejected_images_are_counted_and_drawn_again(real, fresh):
    """Every third image has no confidence."""

    def confidence(images):
        return np.where(np.arange(len(images)) % 3 == 0, 0.1, 0.9)

    _, labels, counts = curated_images(Pool(fresh), WANTED, Curator(real, confidence), seed=0)
    assert counts["low_confidence"] >= counts["drawn"] // 3
    assert counts["kept"] == len(labels) <= 20


class Shuffled(Pool):
    """A sampler that gives slices of a set in another order each time, each at most once, and counts them by class."""

    def __init__(self, slices):
        super().__init__(slices)
        self.drawn = [0, 0]

    def sample(self, label, number, seed):
        self.drawn[label] += number
        own = self.slices.images[self.slices.labels == label]
        return np.random.default_rng([seed, label]).permutation(own)[:number]


def test_each_class_is_drawn_with_the_same_surplus(real, fresh):
    pool = Shuffled(fresh)
    curated_images(pool, WANTED, Curator(real, lambda images: np.ones(len(images))), seed=0)
    assert pool.drawn == [15, 15]


def test_no_image_of_a_folder_is_taken_twice(real, fresh):
    """Of the 30 images of a class those of the brighter half have confidence: no more than 15 can be taken."""
    means = fresh.images.mean((1, 2, 3))
    middle = [np.median(means[fresh.labels == label]) for label in (0, 1)]

    def confidence(images):
        return np.where(images.images.mean((1, 2, 3)) > np.take(middle, images.labels), 0.9, 0.1)

    wanted = np.arange(36) % 2
    images, labels, counts = curated_images(Shuffled(fresh), wanted, Curator(real, confidence), seed=0)
    assert len(np.unique(images, axis=0)) == len(images) == counts["kept"]
    assert np.bincount(labels).max() <= 15
    assert counts["kept"] > 20  # more than the first round gives


def test_a_generator_of_which_nothing_passes_is_an_error_with_the_counts(real, fresh):
    nothing = Curator(real, lambda images: np.zeros(len(images)))
    with pytest.raises(Ct2PetError, match=r"none of 120 synthetic images passed.*\(low_confidence 120, .*--arms"):
        curated_images(Pool(fresh), WANTED, nothing, seed=0)


def test_the_classifiers_are_trained_without_the_patients_that_choose_their_weights(real, monkeypatch):
    seen = []

    def record(name, training, validation, options, seed):
        seen.append((set(training.slices.patients), set(validation.patients)))

    monkeypatch.setattr("ct2pet.study.curation.train_classifier", record)
    fit_curator("small_cnn", real, OPTIONS, seed=1)
    everyone = set(real.patients)
    assert len(seen) == 3
    assert all(kept | left_out == everyone and not kept & left_out for kept, left_out in seen)
    assert set.union(*(left_out for _, left_out in seen)) == everyone


def test_too_few_patients_are_named():
    with pytest.raises(Ct2PetError, match="benign has 3"):
        fit_curator("small_cnn", disc_slices(6), OPTIONS, seed=0)
