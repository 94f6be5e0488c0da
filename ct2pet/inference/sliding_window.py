"""Overlapping windows over a district, averaged: PET = sum over windows / number of windows (arXiv 2503.15555)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd

from ct2pet.preprocessing.normalization import AIR
from ct2pet.volume import Box

_WINDOWS_ON_A_CPU = 2  # faster than 1 and than 8
_VOXELS_ON_A_GPU = 2**20  # as many as in a window of about 100 cubed; smaller ones do not fill it one by one
Translation = Callable[[torch.Tensor], torch.Tensor]
Position = tuple[int, int, int]


def windows_at_once(patch_size: Sequence[int], device: str | torch.device) -> int:
    """How many windows a device translates together."""
    if torch.device(device).type == "cpu":
        return _WINDOWS_ON_A_CPU
    return max(1, _VOXELS_ON_A_GPU // math.prod(patch_size))


@dataclass(frozen=True)
class SlidingWindow:
    """Windows of ``patch_size`` voxels (Z, Y, X) that overlap by at least the share ``tile_overlap``.

    They are fitted to the box around the district: the first begins with it, the last ends with it, the steps between
    are even. ``batch_size`` windows are translated together: see ``windows_at_once``.
    """

    patch_size: Sequence[int]
    tile_overlap: float
    batch_size: int = 2

    def positions(self, mask: np.ndarray) -> list[Position]:
        """The first voxels of the windows that touch a true voxel of ``mask`` (Z, Y, X).

        They are negative where the volume is smaller than a window.
        """
        box = Box.around(mask)
        if box is None:
            return []
        axes = [
            _positions(start, stop, size, patch, self.tile_overlap)
            for start, stop, size, patch in zip(box.start, box.stop, mask.shape, self.patch_size)
        ]
        return [(z, y, x) for z, y, x in itertools.product(*axes) if mask[self._inside((z, y, x), mask.shape)].any()]

    def translate(
        self,
        ct: np.ndarray,
        mask: np.ndarray,
        function: Translation,
        progress: Callable[[float], None] | None = None,
    ) -> np.ndarray:
        """Apply ``function`` to a normalised CT (Z, Y, X) window by window: PET (Z, Y, X) float32, 0 outside ``mask``.

        ``function`` gets and gives float tensors (N, 1, Z, Y, X) of any device; beyond the volume it sees air.
        ``progress`` is told the share of the work that each batch was. Raises ValueError for another shape.
        """
        positions = self.positions(mask)
        image = torch.from_numpy(np.ascontiguousarray(ct, dtype=np.float32))
        inside = torch.from_numpy(np.ascontiguousarray(mask))
        box = Box.around(mask) or Box((0, 0, 0), (0, 0, 0))
        average = _RunningAverage(box)
        for first in range(0, len(positions), self.batch_size):
            some = positions[first : first + self.batch_size]
            windows = torch.stack([self._cut(image, position) for position in some])[:, None]
            translated = function(windows)
            if translated.shape != windows.shape:
                raise ValueError(f"windows of {tuple(windows.shape)} were translated to {tuple(translated.shape)}")
            for position, window in zip(some, translated[:, 0].to("cpu", torch.float32)):
                average.add(position, window)
            if progress is not None:
                progress(len(some) / len(positions))
        pet = torch.zeros(image.shape)
        pet[box.slices] = torch.where(inside[box.slices], average.mean, 0.0)
        return pet.numpy()

    def _inside(self, position: Position, shape: Sequence[int]) -> tuple[slice, ...]:
        """The part of a window that lies inside the volume."""
        return tuple(slice(max(0, a), min(n, a + p)) for a, p, n in zip(position, self.patch_size, shape))

    def _cut(self, image: torch.Tensor, position: Position) -> torch.Tensor:
        return crop_and_pad_nd(image, [[a, a + p] for a, p in zip(position, self.patch_size)], pad_value=AIR)


def _positions(start: int, stop: int, size: int, patch: int, overlap: float) -> list[int]:
    """Where windows of ``patch`` voxels begin, so that they cover ``start`` to ``stop`` of an axis of ``size``."""
    room = stop - start - patch
    if room <= 0:
        centred = start + room // 2
        return [min(max(0, centred), size - patch) if size >= patch else (size - patch) // 2]
    step = max(1.0, patch * (1 - overlap))
    count = math.ceil(room / step - 1e-9) + 1
    return [start + round(index * room / (count - 1)) for index in range(count)]


class _RunningAverage:
    """Sum / count of the windows inside a box, updated window by window: where all windows agree, it is exactly what
    they say, which a sum in float32 would round."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.mean = torch.zeros(box.shape)
        self.count = torch.zeros(box.shape)

    def add(self, position: Position, window: torch.Tensor) -> None:
        here, there = [], []
        for first, length, start, stop in zip(position, window.shape, self.box.start, self.box.stop):
            low, high = max(first, start), min(first + length, stop)
            here.append(slice(low - start, high - start))
            there.append(slice(low - first, high - first))
        count, mean = self.count[tuple(here)], self.mean[tuple(here)]
        count += 1
        mean += (window[tuple(there)] - mean) / count
