"""Spatial transforms of all fields of a batch together, and other values of its inputs, on the training device."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ct2pet.dataset import Fields
from ct2pet.dataset.fields import CT
from ct2pet.planning.configuration import Configuration
from ct2pet.training.affine import AffineTransforms, Tensors
from ct2pet.training.ct_values import changed_values
from ct2pet.training.dose_mixing import DoseMixing


@dataclass(frozen=True)
class _Drawn:
    """A sample and what was drawn for it: the ``matrix`` from places in the patch to places in the source, in mm from
    their centres (None: neither rotated nor scaled), the dimensions to flip, whether it gets noise, and the seed of its
    values."""

    source: Tensors
    matrix: torch.Tensor | None
    flipped: list[int]
    noisy: bool
    seed: int


class Augmenter:
    """Rotates or scales, and flips as planned, in the same way for all fields of one sample, and changes the values of
    its inputs; can shift one field against the others, and change the dose of the input PET.

    Input batches have ``margin`` more voxels on each side, so that a rotated, scaled or shifted patch needs no voxel
    from outside; output batches have the planned patch size. The random numbers of a sample depend only on its own
    seed: the same seed gives the same sample in any batch. The values of a sample that is neither rotated nor scaled
    are not interpolated.
    """

    def __init__(self, configuration: Configuration, fields: Fields) -> None:
        self.plan = configuration.augmentation
        self.patch_size = tuple(configuration.patch_size)
        self.inputs = [one.name for one in fields.inputs if not one.rules.is_labels]
        self.ct_windows = {one.name: configuration.normalization[one.name] for one in fields.inputs if one.kind == CT}
        self.moves = {  # voxels, by field
            name: [int(mm / s) for mm, s in zip(limits, configuration.spacing)]
            for name, limits in self.plan.misalignment_mm.items()
            if self.plan.misalignment_probability > 0
        }
        self.dose = DoseMixing(configuration, fields) if self.plan.dose_fractions else None
        self.affine = AffineTransforms(configuration)
        self.largest_move = [max(axis) for axis in zip((0, 0, 0), *self.moves.values())]
        self.margin = tuple(a + m for a, m in zip(self.affine.margin, self.largest_move))
        self.source_size = tuple(n + 2 * m for n, m in zip(self.patch_size, self.margin))

    def __call__(self, batch: Mapping[str, torch.Tensor], seeds: Sequence[int]) -> Tensors:
        """``batch``: images (N, 1, *source_size) float, label maps and masks of integers and bool; returns the same
        with patch_size. Conditions (N) are not changed."""
        spatial = {name: image for name, image in batch.items() if image.ndim == 5}
        drawn = [
            self._drawn({name: image[index : index + 1] for name, image in spatial.items()}, seed)
            for index, seed in enumerate(seeds)
        ]
        samples = [self._flipped_and_changed(sample, one) for sample, one in zip(self._sampled(drawn), drawn)]
        return {
            name: torch.cat([sample[name] for sample in samples]) if name in spatial else batch[name] for name in batch
        }

    def margin_of(self, seed: int) -> tuple[int, ...]:
        """The voxels (Z, Y, X) on each side of the patch that the sample of this seed needs: for its rotation and
        scaling, and for the largest shift of a field."""
        own = self.affine.margin_for(self._matrix(torch.Generator().manual_seed(seed), seed))
        return tuple(min(a + m, most) for a, m, most in zip(own, self.largest_move, self.margin))

    def _matrix(self, random: torch.Generator, seed: int) -> torch.Tensor | None:
        """From the first random numbers of a sample: whether it is rotated, and by which angles."""
        rotated = float(torch.rand((), generator=random)) < self.plan.rotation_probability
        limits = torch.tensor([math.radians(a) for a in self.plan.rotation_degrees[::-1]])
        angles = (torch.rand(3, generator=random) * 2 - 1) * limits
        return self.affine.matrix(angles if rotated else None, seed)

    def _drawn(self, source: Tensors, seed: int) -> _Drawn:
        random = torch.Generator().manual_seed(seed)
        matrix = self._matrix(random, seed)
        flips = (torch.rand(3, generator=random) < self.plan.flip_probability).tolist()
        noisy = float(torch.rand((), generator=random)) < self.plan.noise_probability

        if self.dose is not None:
            source = self.dose(source, seed)
        source = self._moved(source, random)
        return _Drawn(source, matrix, [a + 2 for a in self.plan.flip_axes if flips[a]], noisy, seed)

    def _sampled(self, drawn: Sequence[_Drawn]) -> list[Tensors]:
        """Patches of all samples. Those that are rotated or scaled are sampled together."""
        patches = [{name: _cropped(image, self.patch_size) for name, image in one.source.items()} for one in drawn]
        matrices = {number: one.matrix for number, one in enumerate(drawn) if one.matrix is not None}
        if matrices:
            sources = {name: _joined([drawn[number].source[name] for number in matrices]) for name in patches[0]}
            moved = self.affine.sample(sources, torch.stack([*matrices.values()]))
            for place, number in enumerate(matrices):
                patches[number] = {name: image[place : place + 1] for name, image in moved.items()}
        return patches

    def _flipped_and_changed(self, patch: Tensors, drawn: _Drawn) -> Tensors:
        """The other values of CTs, and then noise."""
        patch = {name: image.flip(drawn.flipped) for name, image in patch.items()}
        if self.plan.ct_values is not None:
            for number, (name, window) in enumerate(self.ct_windows.items()):
                patch[name] = changed_values(patch[name], self.plan.ct_values, window, drawn.seed + number)
        if drawn.noisy:
            for number, name in enumerate(self.inputs):
                noise = _noise_like(patch[name], drawn.seed + number)
                patch[name] = patch[name] + self.plan.noise_std * noise
        return patch

    def _moved(self, source: Tensors, random: torch.Generator) -> Tensors:
        """The sources of the affine transforms, for some fields shifted by whole voxels, if planned."""
        offsets = {}
        for name, limits in self.moves.items():
            move = float(torch.rand((), generator=random)) < self.plan.misalignment_probability
            shift = torch.rand(3, generator=random) * 2 - 1
            offsets[name] = [round(float(s) * n) for s, n in zip(shift, limits)] if move else [0, 0, 0]
        return {name: _cropped(image, self.affine.source_size, offsets.get(name)) for name, image in source.items()}


def _joined(images: Sequence[torch.Tensor]) -> torch.Tensor:
    return images[0] if len(images) == 1 else torch.cat([*images])


def _noise_like(image: torch.Tensor, seed: int) -> torch.Tensor:
    """Standard normal noise, made on the image's device: on the CPU it would take longer than a GPU step."""
    random = torch.Generator(image.device).manual_seed(seed)
    return torch.randn(image.shape, generator=random, device=image.device)


def _cropped(image: torch.Tensor, size: Sequence[int], offset: Sequence[int] | None = None) -> torch.Tensor:
    """The centre of an image, or the part shifted by ``offset`` voxels."""
    moves = offset or (0, 0, 0)
    starts = [(n - m) // 2 + move for n, m, move in zip(image.shape[2:], size, moves)]
    z, y, x = (slice(a, a + m) for a, m in zip(starts, size))
    return image[:, :, z, y, x]
