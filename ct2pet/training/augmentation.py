"""Spatial transforms of all fields of a batch together, and the noise of its input images, on the training device."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from ct2pet.dataset import Fields
from ct2pet.planning.configuration import Configuration
from ct2pet.training.dose_mixing import DoseMixing

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class _Drawn:
    """A sample and what was drawn for it: the ``rotation`` matrix (None: not rotated), the dimensions to flip, and the
    seed of its noise (None: no noise)."""

    source: Tensors
    rotation: torch.Tensor | None
    flipped: list[int]
    noise_seed: int | None


class Augmenter:
    """Rotates, flips and adds noise as planned, in the same way for all fields of one sample; can shift one field
    against the others, and change the dose of the input PET.

    Input batches have ``margin`` more voxels on each side, so that a rotated or shifted patch needs no voxel from
    outside; output batches have the planned patch size. The random numbers of a sample depend only on its own seed: the
    same seed gives the same sample in any batch. A sample that is not rotated keeps its exact values.
    """

    def __init__(self, configuration: Configuration, fields: Fields) -> None:
        self.plan = configuration.augmentation
        self.patch_size, spacing = tuple(configuration.patch_size), configuration.spacing
        self.inputs = [one.name for one in fields.inputs if not one.rules.is_labels]
        self.extent_mm = torch.tensor([n * s for n, s in zip(self.patch_size, spacing)][::-1])  # X, Y, Z
        self.moves = {  # voxels, by field
            name: [int(mm / s) for mm, s in zip(limits, spacing)]
            for name, limits in self.plan.misalignment_mm.items()
            if self.plan.misalignment_probability > 0
        }
        self.dose = DoseMixing(configuration, fields) if self.plan.dose_fractions else None
        turn = self._turn_margin(spacing)
        move = [max(axis) for axis in zip((0, 0, 0), *self.moves.values())]
        self.margin = tuple(t + m for t, m in zip(turn, move))
        self.turned_size = tuple(n + 2 * t for n, t in zip(self.patch_size, turn))
        self.source_size = tuple(n + 2 * m for n, m in zip(self.patch_size, self.margin))

    def _turn_margin(self, spacing: Sequence[float]) -> tuple[int, ...]:
        if not self._rotates:
            return (0, 0, 0)
        corners = torch.cartesian_prod(*[torch.tensor([-0.5, 0.5])] * 3) * self.extent_mm
        limits = [math.radians(a) for a in self.plan.rotation_degrees[::-1]]
        angles = torch.cartesian_prod(*[torch.linspace(-limit, limit, 5) for limit in limits])
        reach = torch.stack([(corners @ _rotation(a).T).abs().amax(0) for a in angles]).amax(0) * 2
        needed = [float(mm) / s - 1e-3 for mm, s in zip(reach.flip(0), spacing)]
        return tuple(math.ceil((m - n) / 2) for n, m in zip(self.patch_size, needed))

    @property
    def _rotates(self) -> bool:
        return self.plan.rotation_probability > 0 and any(self.plan.rotation_degrees)

    def __call__(self, batch: Mapping[str, torch.Tensor], seeds: Sequence[int]) -> Tensors:
        """``batch``: images (N, 1, *source_size) float, label maps and masks of integers and bool; returns the same
        with patch_size. Conditions (N) are not changed."""
        spatial = {name: image for name, image in batch.items() if image.ndim == 5}
        drawn = [
            self._drawn({name: image[index : index + 1] for name, image in spatial.items()}, seed)
            for index, seed in enumerate(seeds)
        ]
        samples = [self._flipped_with_noise(sample, one) for sample, one in zip(self._turned(drawn), drawn)]
        return {
            name: torch.cat([sample[name] for sample in samples]) if name in spatial else batch[name] for name in batch
        }

    def uses_margin(self, seed: int) -> bool:
        """Whether the sample of this seed shows voxels of the margin: where it is rotated, or a field may be moved."""
        return bool(self.moves) or (self._rotates and self._is_rotated(torch.Generator().manual_seed(seed)))

    def _is_rotated(self, random: torch.Generator) -> bool:
        """The first of the random numbers of a sample."""
        return float(torch.rand((), generator=random)) < self.plan.rotation_probability

    def _drawn(self, source: Tensors, seed: int) -> _Drawn:
        random = torch.Generator().manual_seed(seed)
        rotated = self._is_rotated(random)
        limits = torch.tensor([math.radians(a) for a in self.plan.rotation_degrees[::-1]])
        angles = (torch.rand(3, generator=random) * 2 - 1) * limits
        flips = (torch.rand(3, generator=random) < self.plan.flip_probability).tolist()
        noisy = float(torch.rand((), generator=random)) < self.plan.noise_probability

        if self.dose is not None:
            source = self.dose(source, seed)
        source = self._moved(source, random)
        rotation = _rotation(angles) if rotated and self._rotates else None
        return _Drawn(source, rotation, [a + 2 for a in self.plan.flip_axes if flips[a]], seed if noisy else None)

    def _turned(self, drawn: Sequence[_Drawn]) -> list[Tensors]:
        """Patches of all samples. Those that are rotated are sampled together."""
        patches = [{name: _cropped(image, self.patch_size) for name, image in one.source.items()} for one in drawn]
        rotations = {number: one.rotation for number, one in enumerate(drawn) if one.rotation is not None}
        if rotations:
            sources = {name: _joined([drawn[number].source[name] for number in rotations]) for name in patches[0]}
            turned = self._rotated(sources, torch.stack([*rotations.values()]))
            for place, number in enumerate(rotations):
                patches[number] = {name: image[place : place + 1] for name, image in turned.items()}
        return patches

    def _flipped_with_noise(self, patch: Tensors, drawn: _Drawn) -> Tensors:
        patch = {name: image.flip(drawn.flipped) for name, image in patch.items()}
        if drawn.noise_seed is not None:
            for number, name in enumerate(self.inputs):
                noise = _noise_like(patch[name], drawn.noise_seed + number)
                patch[name] = patch[name] + self.plan.noise_std * noise
        return patch

    def _moved(self, source: Tensors, random: torch.Generator) -> Tensors:
        """The sampling points of a rotation, for some fields shifted by whole voxels, if planned."""
        offsets = {}
        for name, limits in self.moves.items():
            move = float(torch.rand((), generator=random)) < self.plan.misalignment_probability
            shift = torch.rand(3, generator=random) * 2 - 1
            offsets[name] = [round(float(s) * n) for s, n in zip(shift, limits)] if move else [0, 0, 0]
        return {name: _cropped(image, self.turned_size, offsets.get(name)) for name, image in source.items()}

    def _rotated(self, source: Tensors, rotations: torch.Tensor) -> Tensors:
        images = {name: image for name, image in source.items() if image.is_floating_point()}
        grid = self._sampling_grid(rotations, next(iter(source.values())).device)
        turned: Tensors = {}
        if images:
            together = functional.grid_sample(torch.cat([*images.values()], dim=1), grid, "bilinear", "border", False)
            turned = dict(zip(images, together.split(1, dim=1)))
        for name, labels in source.items():
            if name not in images:
                nearest = functional.grid_sample(labels.float(), grid, "nearest", "border", False)
                turned[name] = nearest > 0.5 if labels.dtype == torch.bool else nearest.round().to(labels.dtype)
        return turned

    def _sampling_grid(self, rotations: torch.Tensor, device: torch.device) -> torch.Tensor:
        """(N, *patch_size, 3): the position in the source (in [-1, 1], as X, Y, Z) of each voxel of the patches, for
        rotations (N, 3, 3).

        As torch's affine_grid, six times as fast: the contributions of the axes are added.
        """
        ratio = torch.tensor([p / s for p, s in zip(self.patch_size, self.turned_size)][::-1])
        matrix = rotations * self.extent_mm / self.extent_mm[:, None]  # from the patch's [-1, 1] to [-1, 1], through mm
        shares = _without_waiting(ratio[:, None] * matrix, device).permute(2, 0, 1)  # contributions of X, Y and Z
        steps = [(2 * torch.arange(n, device=device) + 1) / n - 1 for n in self.patch_size]
        z, y, x = (step[:, None] * share[:, None] for step, share in zip(steps, shares.flip(0)))
        return z[:, :, None, None] + (y[:, :, None] + x[:, None])[:, None]


def _joined(images: Sequence[torch.Tensor]) -> torch.Tensor:
    return images[0] if len(images) == 1 else torch.cat([*images])


def _without_waiting(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the CPU on ``device``. A copy to a GPU from memory that is not pinned would wait for its work."""
    pinned = tensor.pin_memory() if device.type == "cuda" else tensor
    return pinned.to(device, non_blocking=True)


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


def _rotation(angles: torch.Tensor) -> torch.Tensor:
    """Rotation matrix in X, Y, Z about the X, then the Y, then the Z axis (angles in radians)."""
    (sx, sy, sz), (cx, cy, cz) = angles.sin().tolist(), angles.cos().tolist()
    about_x = torch.tensor([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = torch.tensor([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = torch.tensor([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1.0]])
    return about_z @ about_y @ about_x
