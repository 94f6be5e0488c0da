"""Which synthetic images are good enough to train with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.distance import cdist

from ct2pet.errors import Ct2PetError
from ct2pet.study.classification import ClassifierOptions, TrainedClassifier, train_classifier
from ct2pet.study.features import Extractor, feature_scales, random_features
from ct2pet.study.generators import Sampler, sample_all
from ct2pet.study.privacy import nearest_distances
from ct2pet.study.slices import Slices
from ct2pet.study.training_set import TrainingSet

_FOLDS = 3
_LEAST_CONFIDENCE = 0.5
_FAR_PERCENTILE, _NEAR_PERCENTILE = 99.0, 1.0
_ROUNDS = 4  # of drawing, each of as many images as are still missing, and half as many more


@dataclass(frozen=True)
class Curator:
    """``confidence``: probability of the requested class, of images (N,). An image is rejected below a confidence of
    0.5, where its features lie farther from the nearest real image than 99% of the real images' from the nearest one
    of another patient, and where it is a near-copy: nearer to a real image than 99% of the real images to those of
    others."""

    real: Slices
    confidence: Callable[[Slices], np.ndarray]

    def rejections(self, images: Slices) -> dict[str, np.ndarray]:
        """By reason, which images (N,) are rejected."""
        return {
            "low_confidence": self.confidence(images) < _LEAST_CONFIDENCE,
            "far_from_real": cdist(self._scaled(images), self._scaled(self.real)).min(axis=1) > self._farthest,
            "near_copy": nearest_distances(images, self.real)[0] < self._nearest,
        }

    @cached_property
    def _features(self) -> Extractor:
        return random_features(len(self.real.channels))

    def _scaled(self, images: Slices) -> np.ndarray:
        return self._features(images) / feature_scales(self._features(self.real))

    @cached_property
    def _farthest(self) -> float:
        """The distance of features beyond which an image is rejected."""
        own = self._scaled(self.real)
        between = cdist(own, own)
        between[self.real.patients[:, None] == self.real.patients[None]] = np.inf
        return float(np.percentile(between.min(axis=1), _FAR_PERCENTILE))

    @cached_property
    def _nearest(self) -> float:
        """The distance of images below which one is a near-copy."""
        distances, _ = nearest_distances(self.real, self.real, other_patients=True)
        return float(np.percentile(distances, _NEAR_PERCENTILE))


def fit_curator(name: str, real: Slices, options: ClassifierOptions, seed: int) -> Curator:
    """A curator whose confidence is the mean of classifiers that were each trained without one third of the patients,
    so that none was trained with all real images. ``real``: training patients only; four of each class at least."""
    classifiers = [
        train_classifier(name, TrainingSet(real.of_patients(kept)), real.of_patients(left_out), options, seed + fold)
        for fold, (kept, left_out) in enumerate(_folds(real, seed))
    ]

    def confidence(images: Slices) -> np.ndarray:
        return _mean_probability(classifiers, images)[np.arange(len(images)), images.labels]

    return Curator(real, confidence)


def _mean_probability(classifiers: Sequence[TrainedClassifier], images: Slices) -> np.ndarray:
    return np.mean([classifier.probabilities(images) for classifier in classifiers], axis=0)


def _folds(real: Slices, seed: int) -> list[tuple[set[str], set[str]]]:
    random = np.random.default_rng(seed)
    number: dict[str, int] = {}
    for label, name in enumerate(real.classes):
        own = [patient for patient, its in real.patient_labels().items() if its == label]
        if len(own) < _FOLDS + 1:
            raise Ct2PetError(f"curation needs four training patients of each class; {name} has {len(own)}")
        number |= {patient: index % _FOLDS for index, patient in enumerate(random.permutation(own).tolist())}
    return [
        ({p for p, its in number.items() if its != fold}, {p for p, its in number.items() if its == fold})
        for fold in range(_FOLDS)
    ]


def curated_images(
    sampler: Sampler, labels: np.ndarray, curator: Curator, seed: int
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Images (N, C, Y, X) of the wanted ``labels`` that the curator accepts, their labels, and the counts: ``asked``,
    ``drawn``, ``kept``, and by reason how many were rejected (an image may have several reasons).

    No image is taken twice: a folder of images gives the same ones in several rounds. After four rounds of drawing the
    number may be below the wanted one. Raises Ct2PetError where none is.
    """
    shape = curator.real.images.shape[1:]
    images, kept_labels = [], []
    counts = {"asked": len(labels), "drawn": 0, "kept": 0}
    missing = labels
    seen: set[bytes] = set()
    for round_ in range(_ROUNDS):
        wanted = np.concatenate([missing, *(missing[missing == label][::2] for label in np.unique(missing))])
        made = _as_slices(sample_all(sampler, wanted, seed * _ROUNDS + round_, shape), wanted, curator.real)
        rejected = curator.rejections(made)
        keys = [hashlib.sha256(image.tobytes()).digest() for image in made.images]
        passed = ~np.any(list(rejected.values()), axis=0) & [key not in seen for key in keys]
        taken, missing = _first_wanted(wanted, passed, missing)
        seen.update(keys[index] for index in taken)
        images.append(made.images[taken])
        kept_labels.append(wanted[taken])
        counts["drawn"] += len(wanted)
        counts["kept"] += len(taken)
        for reason, which in rejected.items():
            counts[reason] = counts.get(reason, 0) + int(which.sum())
        if not len(missing):
            break
    if not counts["kept"]:
        reasons = ", ".join(f"{reason} {number}" for reason, number in counts.items() if reason in rejected)
        raise Ct2PetError(
            f"none of {counts['drawn']} synthetic images passed the curation ({reasons}): leave the arm gan_curated "
            "out (--arms), or train the generator longer"
        )
    return np.concatenate(images), np.concatenate(kept_labels), counts


def _as_slices(images: np.ndarray, labels: np.ndarray, real: Slices) -> Slices:
    return Slices(images, labels, np.full(len(images), "synthetic"), real.channels, real.classes)


def _first_wanted(labels: np.ndarray, passed: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the first passed images of each class, as many as are missing; and the labels still missing."""
    taken, left = [], []
    for label in np.unique(missing):
        wanted = int((missing == label).sum())
        found = np.flatnonzero(passed & (labels == label))[:wanted]
        taken.append(found)
        left.append(np.full(wanted - len(found), label))
    return np.concatenate(taken), np.concatenate(left)
