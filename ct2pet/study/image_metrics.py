"""Metrics of synthetic slices against real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, stats
from scipy.spatial.distance import cdist

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.similarity import ssim_map
from ct2pet.study.features import Extractor, feature_scales
from ct2pet.study.slices import DISPLAY_RANGE, Slices

NEIGHBOURS = 5
_SSIM_RANGE = 20.0  # of evaluation.similarity, whatever the unit


@dataclass(frozen=True)
class Similarity:
    """Means over pairs of images that do not belong together. ``mse`` is in SUV² or HU², ``psnr`` in dB."""

    ssim: float
    psnr: float
    mse: float


def random_pair_similarity(images: Slices, real: Slices, channel: int, seed: int) -> Similarity:
    """Each of ``images`` against a random slice of ``real`` of the same class and of another patient, as Samaras et
    al. (2025) do. No pair shows the same anatomy, so that this measures how alike the images of a class are, not how
    well they are made; the number for real against real is the best possible.

    SSIM and PSNR have the fixed range of the channel's kind (``slices.DISPLAY_RANGE``), whose ends clip both images.
    """
    low, high = DISPLAY_RANGE[images.channels[channel]]
    random = np.random.default_rng(seed)
    values = []
    for index in range(len(images)):
        partner = _partner(images, index, real, random)
        first, second = (np.clip(image, low, high) for image in (images.images[index, channel], partner[channel]))
        error = float(((first - second) ** 2).mean(dtype=np.float64))
        scaled = [((image - low) * (_SSIM_RANGE / (high - low)))[None].astype(np.float32) for image in (first, second)]
        psnr = 10 * np.log10((high - low) ** 2 / max(error, 1e-12))
        values.append((float(ssim_map(*scaled).mean()), psnr, error))
    ssim, psnr, mse = np.mean(values, axis=0)
    return Similarity(float(ssim), float(psnr), float(mse))


def _partner(images: Slices, index: int, real: Slices, random: np.random.Generator) -> np.ndarray:
    fitting = np.flatnonzero((real.labels == images.labels[index]) & (real.patients != images.patients[index]))
    if not fitting.size:
        raise Ct2PetError(f"no real slice of the class {images.classes[images.labels[index]]} to compare with")
    return real.images[random.choice(fitting)]


@dataclass(frozen=True)
class FeatureDistances:
    """Two sets of images in the features of one network.

    ``frechet``: Fréchet distance of Gaussians (Heusel et al., NeurIPS 2017); ``kid``: kernel distance (Binkowski et
    al., ICLR 2018); ``precision`` and ``recall`` (Kynkäänniemi et al., NeurIPS 2019), ``density`` and ``coverage``
    (Naeem et al., ICML 2020) with 5 neighbours.
    """

    features: str
    frechet: float
    kid: float
    precision: float
    recall: float
    density: float
    coverage: float


def feature_distances(fake: Slices, real: Slices, extractor: Extractor) -> FeatureDistances:
    """How far ``fake`` is from ``real``. Features are divided by their ``feature_scales`` in ``real`` first. Raises
    Ct2PetError below six images in a set."""
    first, second = extractor(fake), extractor(real)
    if min(len(first), len(second)) <= NEIGHBOURS:
        raise Ct2PetError(f"{min(len(first), len(second))} images are too few to compare; six at least are needed")
    scales = feature_scales(second)
    first, second = first / scales, second / scales
    return FeatureDistances(
        extractor.name,
        frechet_distance(first, second),
        kernel_distance(first, second),
        **precision_recall_density_coverage(first, second),
    )


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½) of two sets of features (N, F)."""
    covariances = [np.cov(values, rowvar=False) for values in (first, second)]
    root = _square_root(covariances[0])
    eigenvalues = linalg.eigvalsh(root @ covariances[1] @ root)
    cross = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    difference = first.mean(axis=0) - second.mean(axis=0)
    return max(0.0, float(difference @ difference + sum(np.trace(c) for c in covariances) - 2 * cross))


def _square_root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def kernel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """The unbiased squared maximum mean discrepancy with the kernel (x·y / F + 1)³; it may be slightly below 0."""

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / a.shape[1] + 1) ** 3

    within = 0.0
    for own in (first, second):
        values = kernel(own, own)
        within += float(values.sum() - np.trace(values)) / (len(own) * (len(own) - 1))
    return within - 2 * float(kernel(first, second).mean())


def precision_recall_density_coverage(
    fake: np.ndarray, real: np.ndarray, neighbours: int = NEIGHBOURS
) -> dict[str, float]:
    """The four numbers of features (N, F), as the package prdc defines them: balls around each image reach to its
    ``neighbours``-th nearest image of its own set.

    ``precision``: share of the fakes in a ball of a real image; ``recall``: share of the real images in a ball of a
    fake; ``density``: balls of real images around a fake, by ``neighbours``; ``coverage``: share of the balls of real
    images with a fake.
    """
    radius_real, radius_fake = _ball_radii(real, neighbours), _ball_radii(fake, neighbours)
    distances = cdist(real, fake)
    in_real_ball = distances < radius_real[:, None]
    return {
        "precision": float(in_real_ball.any(axis=0).mean()),
        "recall": float((distances < radius_fake[None, :]).any(axis=1).mean()),
        "density": float(in_real_ball.sum(axis=0).mean() / neighbours),
        "coverage": float((distances.min(axis=1) < radius_real).mean()),
    }


def _ball_radii(values: np.ndarray, neighbours: int) -> np.ndarray:
    return np.partition(cdist(values, values), neighbours, axis=1)[:, neighbours]


@dataclass(frozen=True)
class UptakeTest:
    """SUVmax of the slices of one class: medians (SUV), and the two-sample Kolmogorov-Smirnov test."""

    label: str
    median_fake: float
    median_real: float
    statistic: float
    p: float


def uptake_tests(fake: Slices, real: Slices) -> list[UptakeTest]:
    """For each class that both sets have, whether SUVmax is distributed alike. Empty without a PET channel.

    Slices of one patient are not independent, so that p is too small where a patient has several.
    """
    if "pet" not in fake.channels:
        return []
    channel = fake.channels.index("pet")
    results = []
    for label, name in enumerate(fake.classes):
        hottest = [own.images[own.labels == label, channel].max(axis=(1, 2)) for own in (fake, real)]
        if all(values.size for values in hottest):
            test = stats.ks_2samp(*hottest)
            fake_median, real_median = (float(np.median(values)) for values in hottest)
            results.append(UptakeTest(name, fake_median, real_median, float(test.statistic), float(test.pvalue)))
    return results
