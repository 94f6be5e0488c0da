"""Spatial transforms of CT, PET and mask together, and noise on the CT, on the training device."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from ct2pet.planning.plans import Augmentation


class PairedAugmenter:
    """Rotates, flips and adds noise as the plans say, the same for CT, PET and mask of one sample.

    Batches come in with ``margin`` voxels more on each side, so that a rotated patch of ``patch_size`` needs no voxel
    from outside, and leave with ``patch_size``. All randomness of a sample comes from its own seed: the same seed gives
    the same sample in whatever batch. A sample that is not rotated keeps its values exactly.
    """

    def __init__(self, augmentation: Augmentation, patch_size: Sequence[int], spacing: Sequence[float]) -> None:
        self.plan = augmentation
        self.patch_size = tuple(patch_size)
        self.extent_mm = torch.tensor([n * s for n, s in zip(patch_size, spacing)][::-1])  # X, Y, Z
        self.margin = self._margin(spacing)
        self.source_size = tuple(n + 2 * m for n, m in zip(self.patch_size, self.margin))

    def _margin(self, spacing: Sequence[float]) -> tuple[int, ...]:
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

    def __call__(self, batch: dict[str, torch.Tensor], seeds: Sequence[int]) -> dict[str, torch.Tensor]:
        """``batch``: ct and pet (N, 1, *source_size) float, mask bool; the same with patch_size comes back."""
        samples = [
            self._sample({name: image[index : index + 1] for name, image in batch.items()}, seed)
            for index, seed in enumerate(seeds)
        ]
        return {name: torch.cat([sample[name] for sample in samples]) for name in batch}

    def _sample(self, source: dict[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
        random = torch.Generator().manual_seed(seed)
        rotated = float(torch.rand((), generator=random)) < self.plan.rotation_probability
        limits = torch.tensor([math.radians(a) for a in self.plan.rotation_degrees[::-1]])
        angles = (torch.rand(3, generator=random) * 2 - 1) * limits
        flips = (torch.rand(3, generator=random) < self.plan.flip_probability).tolist()
        noisy = float(torch.rand((), generator=random)) < self.plan.noise_probability

        sample = {name: _centre(image, self.patch_size) for name, image in source.items()}
        if rotated and self._rotates:
            sample = self._rotated(source, angles)
        sample = {name: image.flip([a + 2 for a in self.plan.flip_axes if flips[a]]) for name, image in sample.items()}
        if noisy:
            sample["ct"] = sample["ct"] + self.plan.noise_std * _noise_like(sample["ct"], seed)
        return sample

    def _rotated(self, source: dict[str, torch.Tensor], angles: torch.Tensor) -> dict[str, torch.Tensor]:
        grid = self._sampling_grid(_rotation(angles), source["ct"].device)
        images = {name: image for name, image in source.items() if image.dtype != torch.bool}
        together = functional.grid_sample(torch.cat([*images.values()], dim=1), grid, "bilinear", "border", False)
        turned = dict(zip(images, together.split(1, dim=1)))
        for name in source.keys() - images.keys():
            turned[name] = functional.grid_sample(source[name].float(), grid, "nearest", "border", False) > 0.5
        return turned

    def _sampling_grid(self, rotation: torch.Tensor, device: torch.device) -> torch.Tensor:
        """(1, *patch_size, 3): where in the source (its own [-1, 1], as X, Y, Z) each voxel of the patch comes from.

        As torch's affine_grid, in a sixth of its time: each axis adds its share.
        """
        ratio = torch.tensor([p / s for p, s in zip(self.patch_size, self.source_size)][::-1])
        matrix = rotation * self.extent_mm / self.extent_mm[:, None]  # from the patch's [-1, 1] to [-1, 1], through mm
        shares = (ratio[:, None] * matrix).to(device).T  # what X, Y and Z contribute
        steps = [(2 * torch.arange(n, device=device) + 1) / n - 1 for n in self.patch_size]
        z, y, x = (step[:, None] * share for step, share in zip(steps, shares.flip(0)))
        return (z[:, None, None] + (y[:, None] + x))[None]


def _noise_like(image: torch.Tensor, seed: int) -> torch.Tensor:
    """Standard normal noise, made where the image is: on a CPU that feeds a GPU it would take longer than a step."""
    random = torch.Generator(image.device).manual_seed(seed)
    return torch.randn(image.shape, generator=random, device=image.device)


def _centre(image: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    starts = [(n - m) // 2 for n, m in zip(image.shape[2:], size)]
    z, y, x = (slice(a, a + m) for a, m in zip(starts, size))
    return image[:, :, z, y, x]


def _rotation(angles: torch.Tensor) -> torch.Tensor:
    """Rotation matrix in X, Y, Z about the X, then the Y, then the Z axis (angles in radians)."""
    (sx, sy, sz), (cx, cy, cz) = angles.sin().tolist(), angles.cos().tolist()
    about_x = torch.tensor([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = torch.tensor([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = torch.tensor([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1.0]])
    return about_z @ about_y @ about_x
