"""Rotations and scalings of all fields of a sample together, on the training device."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from ct2pet.planning.configuration import Configuration

Tensors = dict[str, torch.Tensor]
_STREAM = 0x7363616C  # separates the random numbers of the scaling from the others of a seed


class AffineTransforms:
    """Draws the planned rotations and scalings, and samples patches of the planned size from larger ones.

    ``margin``: voxels (Z, Y, X) that the source has more on each side, so that no voxel from outside is needed.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.plan = configuration.augmentation
        self.patch_size, self.spacing = tuple(configuration.patch_size), configuration.spacing
        self.extent_mm = torch.tensor([n * s for n, s in zip(self.patch_size, self.spacing)][::-1])  # X, Y, Z
        ends = [(n - 1) / 2 * s for n, s in zip(self.patch_size, self.spacing)][::-1]
        self.corners_mm = torch.cartesian_prod(*[torch.tensor([-mm, mm]) for mm in ends])  # centres of voxels
        self.rotates = self.plan.rotation_probability > 0 and any(self.plan.rotation_degrees)
        self.scales = self.plan.scaling_probability > 0 and {*self.plan.scaling_range} != {1.0}
        self.margin = self._margin()
        self.source_size = tuple(n + 2 * m for n, m in zip(self.patch_size, self.margin))

    def _margin(self) -> tuple[int, ...]:
        """Of the planned angles, and of the smallest body."""
        limits = [math.radians(a) if self.rotates else 0.0 for a in self.plan.rotation_degrees[::-1]]
        angles = torch.cartesian_prod(*[torch.linspace(-limit, limit, 5) for limit in limits])
        smallest = self._scaled(self.plan.scaling_range[0] if self.scales else 1.0)
        margins = [self.margin_for(matrix) for matrix in (*map(rotation, angles), smallest)]
        return tuple(max(axis) for axis in zip(*margins))

    def margin_for(self, matrix: torch.Tensor | None) -> tuple[int, ...]:
        """The voxels (Z, Y, X) on each side of the patch from which a sample with this matrix takes values."""
        if matrix is None:
            return (0, 0, 0)
        reach = (self.corners_mm @ matrix.T).abs().amax(0).flip(0).tolist()
        voxels = [mm / s - (n - 1) / 2 for mm, s, n in zip(reach, self.spacing, self.patch_size)]
        return tuple(max(0, math.ceil(number - 1e-5)) for number in voxels)

    def matrix(self, angles: torch.Tensor | None, seed: int) -> torch.Tensor | None:
        """From X, Y, Z in the patch to X, Y, Z in the source, for a sample of this seed that is rotated by ``angles``
        about these axes (radians) or not rotated (None), but perhaps scaled. None for neither.

        No sample is both, so that none needs a larger margin than either does.
        """
        if self.rotates and angles is not None:
            return rotation(angles)
        factor = self.scaling(seed)
        return None if factor == 1.0 else self._scaled(factor)

    def scaling(self, seed: int) -> float:
        """The factor of the size of the body in the sample of this seed, if it is not rotated; 1: not scaled. Its
        logarithm is uniform."""
        if not self.scales:
            return 1.0
        chance, place = torch.rand(2, generator=torch.Generator().manual_seed(seed ^ _STREAM)).tolist()
        smallest, largest = self.plan.scaling_range
        return smallest * (largest / smallest) ** place if chance < self.plan.scaling_probability else 1.0

    def _scaled(self, factor: float) -> torch.Tensor:
        """The matrix of a factor of the size; 1 along an axis on which the patch has a single voxel, as slices have."""
        return torch.diag(torch.tensor([1 / factor if n > 1 else 1.0 for n in self.patch_size[::-1]]))

    def sample(self, source: Tensors, matrices: torch.Tensor) -> Tensors:
        """Patches (N, 1, *patch_size) of sources (N, 1, *source_size) for matrices (N, 3, 3): linear in images, of the
        nearest voxel in labels and masks."""
        images = {name: image for name, image in source.items() if image.is_floating_point()}
        grid = self._sampling_grid(matrices, next(iter(source.values())).device)
        moved: Tensors = {}
        if images:
            together = functional.grid_sample(torch.cat([*images.values()], dim=1), grid, "bilinear", "border", False)
            moved = dict(zip(images, together.split(1, dim=1)))
        for name, labels in source.items():
            if name not in images:
                nearest = functional.grid_sample(labels.float(), grid, "nearest", "border", False)
                moved[name] = nearest > 0.5 if labels.dtype == torch.bool else nearest.round().to(labels.dtype)
        return moved

    def _sampling_grid(self, matrices: torch.Tensor, device: torch.device) -> torch.Tensor:
        """(N, *patch_size, 3): the position in the source (in [-1, 1], as X, Y, Z) of each voxel of the patches.

        As torch's affine_grid, six times as fast: the contributions of the axes are added.
        """
        ratio = torch.tensor([p / s for p, s in zip(self.patch_size, self.source_size)][::-1])
        matrix = matrices * self.extent_mm / self.extent_mm[:, None]  # from the patch's [-1, 1] to [-1, 1], through mm
        shares = _without_waiting(ratio[:, None] * matrix, device).permute(2, 0, 1)  # contributions of X, Y and Z
        steps = [(2 * torch.arange(n, device=device) + 1) / n - 1 for n in self.patch_size]
        z, y, x = (step[:, None] * share[:, None] for step, share in zip(steps, shares.flip(0)))
        return z[:, :, None, None] + (y[:, :, None] + x[:, None])[:, None]


def rotation(angles: torch.Tensor) -> torch.Tensor:
    """Rotation matrix in X, Y, Z about the X, then the Y, then the Z axis (angles in radians)."""
    (sx, sy, sz), (cx, cy, cz) = angles.sin().tolist(), angles.cos().tolist()
    about_x = torch.tensor([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = torch.tensor([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = torch.tensor([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1.0]])
    return about_z @ about_y @ about_x


def _without_waiting(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the CPU on ``device``. A copy to a GPU from memory that is not pinned would wait for its work."""
    pinned = tensor.pin_memory() if device.type == "cuda" else tensor
    return pinned.to(device, non_blocking=True)
