"""The arms of an augmentation study: ways to make a training set out of the same real patients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ct2pet.errors import Ct2PetError
from ct2pet.study.classification import ClassifierOptions
from ct2pet.study.curation import curated_images, fit_curator
from ct2pet.study.generators import Sampler, fit_pca_gaussian, sample_all
from ct2pet.study.slices import Slices
from ct2pet.study.training_set import TrainingSet
from ct2pet.suggestions import did_you_mean

REAL = "real"
ORACLE = "oracle"
_MIXUP_ALPHA = 0.4
_ADDED = "added images"  # in place of a patient


@dataclass(frozen=True)
class Ingredients:
    """What arms are made of in one run.

    ``training``: the real slices of the training patients. ``extra``: real slices of other patients, for the oracle.
    ``sampler``: a trained generator. ``number``: how many images an arm adds. ``classifier`` and ``options``: what the
    curation trains.
    """

    training: Slices
    number: int
    seed: int
    classifier: str
    options: ClassifierOptions
    extra: Slices | None = None
    sampler: Sampler | None = None

    @property
    def wanted_labels(self) -> np.ndarray:
        """int64 (number,): as many of each class as possible."""
        return np.arange(self.number, dtype=np.int64) % len(self.training.classes)

    def with_added(self, images: np.ndarray, labels: np.ndarray, counts: dict[str, int] | None = None) -> TrainingSet:
        """The real slices and further ones, drawn alike."""
        return TrainingSet(self.training.joined(images, labels, _ADDED), counts=counts or {"added": len(images)})


def _real(ingredients: Ingredients) -> TrainingSet:
    return TrainingSet(ingredients.training)


def _classical(ingredients: Ingredients) -> TrainingSet:
    return TrainingSet(ingredients.training, augmented=True)


def _oversampling(ingredients: Ingredients) -> TrainingSet:
    return TrainingSet(ingredients.training, balanced=True)


def _mixup(ingredients: Ingredients) -> TrainingSet:
    return TrainingSet(ingredients.training, mixup=_MIXUP_ALPHA)


def _pca_gaussian(ingredients: Ingredients) -> TrainingSet:
    return _sampled(ingredients, fit_pca_gaussian(ingredients.training))


def _gan(ingredients: Ingredients) -> TrainingSet:
    assert ingredients.sampler is not None
    return _sampled(ingredients, ingredients.sampler)


def _sampled(ingredients: Ingredients, sampler: Sampler) -> TrainingSet:
    labels = ingredients.wanted_labels
    images = sample_all(sampler, labels, ingredients.seed, ingredients.training.images.shape[1:])
    return ingredients.with_added(images, labels)


def _gan_curated(ingredients: Ingredients) -> TrainingSet:
    assert ingredients.sampler is not None
    curator = fit_curator(ingredients.classifier, ingredients.training, ingredients.options, ingredients.seed)
    images, labels, counts = curated_images(ingredients.sampler, ingredients.wanted_labels, curator, ingredients.seed)
    return ingredients.with_added(images, labels, counts)


def _oracle(ingredients: Ingredients) -> TrainingSet:
    """Real slices of further patients: all of ``extra``, whatever ``number`` says."""
    extra = ingredients.extra
    assert extra is not None
    return ingredients.with_added(
        extra.images, extra.labels, {"added": len(extra), "patients": len(set(extra.patients))}
    )


def _duplicates(ingredients: Ingredients) -> TrainingSet:
    """Copies of training images, as from a generator that memorised them. They should have no effect."""
    index = _cycled(ingredients)
    return ingredients.with_added(ingredients.training.images[index], ingredients.training.labels[index])


def _random_labels(ingredients: Ingredients) -> TrainingSet:
    """Copies of training images with random labels, as from a generator that ignores the class. They should lower the
    AUC."""
    random = np.random.default_rng([ingredients.seed, 1])
    images = ingredients.training.images[_cycled(ingredients)]
    return ingredients.with_added(images, random.permutation(ingredients.wanted_labels))


def _cycled(ingredients: Ingredients) -> np.ndarray:
    """Indices of training slices in random order, each as often as the others."""
    random = np.random.default_rng([ingredients.seed, 2])
    rounds = -(-ingredients.number // len(ingredients.training))
    orders = [random.permutation(len(ingredients.training)) for _ in range(rounds)]
    return np.concatenate(orders)[: ingredients.number] if orders else np.empty(0, dtype=np.int64)


_ARMS: Mapping[str, Callable[[Ingredients], TrainingSet]] = {
    REAL: _real,
    "classical": _classical,
    "oversampling": _oversampling,
    "mixup": _mixup,
    "pca_gaussian": _pca_gaussian,
    "gan": _gan,
    "gan_curated": _gan_curated,
    ORACLE: _oracle,
    "duplicates": _duplicates,
    "random_labels": _random_labels,
}
ARMS = tuple(_ARMS)
WITH_RATIO = ("pca_gaussian", "gan", "gan_curated", "duplicates", "random_labels")
"""The arms that add images: as many as the ratio times the real ones."""


def check_arms(arms: Iterable[str], *, generator: bool, more_real: bool) -> None:
    """Raise Ct2PetError where an arm is unknown, or lacks the ``generator`` or the ``more_real`` patients it needs."""
    for arm in arms:
        if arm not in _ARMS:
            raise Ct2PetError(f"unknown arm {arm!r}; arms are {', '.join(ARMS)}{did_you_mean(arm, ARMS)}")
        if arm in ("gan", "gan_curated") and not generator:
            raise Ct2PetError(f"the arm {arm} needs a trained generator (-m) or a folder of images (-synthetic)")
        if arm == ORACLE and not more_real:
            raise Ct2PetError(f"the arm {arm} needs more real patients than a run trains on; see --patients")


def training_set(arm: str, ingredients: Ingredients) -> TrainingSet:
    """The training set of an arm. Raises Ct2PetError as ``check_arms`` does."""
    check_arms([arm], generator=ingredients.sampler is not None, more_real=ingredients.extra is not None)
    return _ARMS[arm](ingredients)
