"""What an arm of the study trains on: images, and how batches are drawn from them and changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional

from ct2pet.study.slices import Slices, to_network

_ROTATION_DEGREES, _SHIFT, _SCALE = 15.0, 0.06, 0.1  # shift as a share of the width, scale as a share of the size


@dataclass(frozen=True)
class TrainingSet:
    """``slices``: all that may be drawn, the added images included. ``augmented``: each drawn image is flipped, turned,
    shifted and scaled at random (values stay: SUV is not changed). ``balanced``: both classes are drawn equally often.
    ``mixup``: the alpha of mixup (Zhang et al., ICLR 2018), 0 for none. ``counts``: numbers for the report."""

    slices: Slices
    augmented: bool = False
    balanced: bool = False
    mixup: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)


Batch = tuple[
    torch.Tensor, torch.Tensor
]  # images (N, C, Y, X) as networks see them, shares of the classes (N, classes)


def batches(training: TrainingSet, batch_size: int, seed: int) -> Iterator[Batch]:
    """Batches without end. Every image is drawn once before one is drawn again; ``balanced`` sets draw with
    replacement. The same seed gives the same batches."""
    random = np.random.default_rng(seed)
    slices = training.slices
    images = torch.from_numpy(to_network(slices.images, slices.channels))
    shares = functional.one_hot(torch.from_numpy(slices.labels), len(slices.classes)).float()
    drawn = _balanced_indices(slices.labels, random) if training.balanced else _shuffled_indices(len(slices), random)
    while True:
        index = torch.tensor([next(drawn) for _ in range(batch_size)])
        batch = images[index], shares[index]
        if training.augmented:
            batch = augmented(batch[0], random), batch[1]
        if training.mixup:
            batch = _mixed(*batch, training.mixup, random)
        yield batch


def _shuffled_indices(number: int, random: np.random.Generator) -> Iterator[int]:
    while True:
        yield from random.permutation(number).tolist()


def _balanced_indices(labels: np.ndarray, random: np.random.Generator) -> Iterator[int]:
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    while True:
        for own in members:
            yield int(random.choice(own))


def augmented(images: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Each image (N, C, Y, X) flipped left to right by chance, turned by up to 15 degrees, shifted by up to 6% and
    scaled by up to 10%, by one bilinear interpolation."""
    number = len(images)
    angle = np.deg2rad(random.uniform(-_ROTATION_DEGREES, _ROTATION_DEGREES, number))
    scale = np.exp(random.uniform(-_SCALE, _SCALE, number))
    flip = random.choice([-1.0, 1.0], number)
    shift = random.uniform(-2 * _SHIFT, 2 * _SHIFT, (number, 2))
    matrix = np.empty((number, 2, 3), dtype=np.float32)
    matrix[:, 0] = np.stack([scale * np.cos(angle) * flip, -scale * np.sin(angle), shift[:, 0]], axis=1)
    matrix[:, 1] = np.stack([scale * np.sin(angle) * flip, scale * np.cos(angle), shift[:, 1]], axis=1)
    grid = functional.affine_grid(torch.from_numpy(matrix), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _mixed(images: torch.Tensor, shares: torch.Tensor, alpha: float, random: np.random.Generator) -> Batch:
    weight = float(random.beta(alpha, alpha))
    other = torch.from_numpy(random.permutation(len(images)))
    return weight * images + (1 - weight) * images[other], weight * shares + (1 - weight) * shares[other]
