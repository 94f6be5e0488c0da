"""Samplers: sources of synthetic slices of a class. Trained generators are samplers, and so are simple baselines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ct2pet.errors import Ct2PetError
from ct2pet.study.slices import Slices, from_network, to_network

_EXPLAINED = 0.95


class Sampler(Protocol):
    """Anything that makes slices of a class."""

    def sample(self, label: int, number: int, seed: int) -> np.ndarray:
        """float32 (number, C, Y, X) in SUV or HU; the same seed gives the same images."""
        ...


@dataclass(frozen=True)
class PcaGaussian:
    """A Gaussian of the principal components of each class: the baseline that a GAN must exceed."""

    channels: tuple[str, ...]
    shape: tuple[int, ...]
    means: tuple[np.ndarray, ...]
    components: tuple[np.ndarray, ...]  # by class: (components, values), scaled by their standard deviations

    def sample(self, label: int, number: int, seed: int) -> np.ndarray:
        """float32 (number, C, Y, X) of the class ``label``, in SUV or HU."""
        random = np.random.default_rng([seed, label])
        weights = random.standard_normal((number, len(self.components[label])))
        images = self.means[label] + weights @ self.components[label]
        return from_network(images.reshape(number, *self.shape), self.channels)


def fit_pca_gaussian(slices: Slices) -> PcaGaussian:
    """Fit one Gaussian a class to log(1 + SUV) and scaled HU, with the components that explain 95% of the variance.

    Raises Ct2PetError where a class has fewer than three slices.
    """
    flat = to_network(slices.images, slices.channels).reshape(len(slices), -1).astype(np.float64)
    means, components = [], []
    for label, name in enumerate(slices.classes):
        own = flat[slices.labels == label]
        if len(own) < 3:
            raise Ct2PetError(f"the class {name} has {len(own)} slices; a Gaussian of its images needs three")
        mean = own.mean(axis=0)
        _, singular, rows = np.linalg.svd(own - mean, full_matrices=False)
        variance = singular**2 / (len(own) - 1)
        kept = int(np.searchsorted(np.cumsum(variance) / variance.sum(), _EXPLAINED)) + 1
        means.append(mean)
        components.append(np.sqrt(variance[:kept])[:, None] * rows[:kept])
    return PcaGaussian(slices.channels, slices.images.shape[1:], tuple(means), tuple(components))


def sample_all(sampler: Sampler, labels: np.ndarray, seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """One image (of ``shape``, C, Y, X) for each of ``labels``. Raises Ct2PetError where the sampler gives other
    shapes or values that are not finite."""
    images = np.empty((len(labels), *shape), dtype=np.float32)
    for label in np.unique(labels):
        wanted = labels == label
        made = np.asarray(sampler.sample(int(label), int(wanted.sum()), seed))
        if made.shape != (wanted.sum(), *shape):
            raise Ct2PetError(f"the generator made images of shape {made.shape[1:]}, not of {shape} (channels, Y, X)")
        if not np.isfinite(made).all():
            raise Ct2PetError("the generator made images with values that are not finite; train it again")
        images[wanted] = made
    return images
