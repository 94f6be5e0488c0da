"""Axial sections of a body, cut where it is narrow: trunk, head, arms and legs are in different sections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ct2pet.districts.body import STEP_MM
from ct2pet.districts.segmenters.rules.scene import Scene
from ct2pet.volume import Box

_NARROWER = 0.75  # width of the body at the border of two sections, as a share of the thinner section
_LEAST_CM2 = 1.5
_CM2 = STEP_MM**2 / 100


@dataclass(frozen=True)
class Sections:
    """``labels`` (Z, Y, X; int32): the number (from 1) of the section of each voxel of the body; ``depth``: mm to the
    body's surface within the slice.

    By number (0 stands for none): ``area`` (cm2), ``x`` (voxels, the centre), ``piece`` (the pieces of a slice are
    separated by air; sections of one piece touch) and ``cut`` (0 to 1), about the share of the outline that is at the
    sides of the field of view. The numbers of slice ``z`` are ``range(first[z], first[z + 1])``.
    """

    labels: np.ndarray
    depth: np.ndarray
    area: np.ndarray
    x: np.ndarray
    piece: np.ndarray
    cut: np.ndarray
    first: np.ndarray

    def numbers(self, z: int) -> np.ndarray:
        """The sections of a slice."""
        return np.arange(self.first[z], self.first[z + 1])

    def share_of(self, mask: np.ndarray) -> np.ndarray:
        """By number: the share (0 to 1) of the section that a mask covers."""
        covered = np.bincount(self.labels[mask], minlength=len(self.area)) * _CM2
        return covered / np.maximum(self.area, 1e-6)


def cut_sections(scene: Scene) -> Sections:
    """All sections of the scene's body."""
    labels = np.zeros(scene.body.shape, dtype=np.int32)
    depth = np.zeros(scene.body.shape, dtype=np.float32)
    first, box = [1], Box.around(scene.body)
    rows, columns = box.slices[1:] if box else (slice(0), slice(0))
    for z, (body, seen) in enumerate(zip(scene.body, scene.coarse.seen)):
        count = 0
        if body.any():
            depth[z] = _depth(body, seen)
            cut = _cut(body[rows, columns], depth[z, rows, columns])
            labels[z, rows, columns] = np.where(cut > 0, cut + first[-1] - 1, 0)
            count = int(cut.max())
        first.append(first[-1] + count)
    occupied = np.nonzero(labels)
    numbers, length = labels[occupied], first[-1]
    in_plane = np.zeros((3, 3, 3), dtype=bool)
    in_plane[1] = ndimage.generate_binary_structure(2, 1)
    pieces, _ = ndimage.label(scene.body, in_plane)
    piece = np.zeros(length, dtype=int)
    piece[numbers] = pieces[occupied]
    size = np.bincount(numbers, minlength=length)
    at_edge = np.bincount(labels[edge(scene.coarse.seen) & scene.body], minlength=length)
    return Sections(
        labels,
        depth,
        area=size * _CM2,
        x=np.bincount(numbers, weights=occupied[2], minlength=length) / np.maximum(size, 1),
        piece=piece,
        cut=at_edge / np.maximum(np.sqrt(4 * np.pi * size), 1),
        first=np.array(first),
    )


def edge(seen: np.ndarray) -> np.ndarray:
    """The outermost voxels of the CT's field of view, in the axial plane."""
    plus = ndimage.generate_binary_structure(2, 1)[None]
    return seen & ~ndimage.binary_erosion(seen, plus, border_value=0)


def _depth(body: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """mm to the surface; the edge of the field of view is no surface."""
    padded = np.pad(body | ~seen, 1, constant_values=True)
    if padded.all():
        return np.where(body, float(max(body.shape)) * STEP_MM / 2, 0).astype(np.float32)
    distance = ndimage.distance_transform_edt(padded)[1:-1, 1:-1] * STEP_MM
    return np.where(body, distance, 0).astype(np.float32)


def _cut(body: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """The sections of one slice, numbered from 1: a watershed of the depth, on a logarithmic scale so that what counts
    is by how much a body is narrower, not by how many mm."""
    smooth = ndimage.gaussian_filter(depth, 0.7)
    relief = np.where(body, -np.log(np.maximum(smooth, STEP_MM / 2)), 10.0).astype(np.float32)
    padded = sitk.GetImageFromArray(np.pad(relief, 1, constant_values=10.0))
    basins = sitk.MorphologicalWatershed(padded, -np.log(_NARROWER), False, False)
    found = sitk.GetArrayFromImage(basins)[1:-1, 1:-1]
    parts, _ = ndimage.label(body)
    numbers = np.where(body, found.astype(np.int64) * (parts.max() + 1) + parts, 0)  # no basin crosses air
    _, index = np.unique(numbers, return_inverse=True)
    index = index.reshape(body.shape)
    index = index if (numbers == 0).any() else index + 1
    return _without_fragments(index)


def _without_fragments(index: np.ndarray) -> np.ndarray:
    """Very small sections are merged with the section that they touch most."""
    sizes = np.bincount(index.ravel()) * _CM2
    fragments = np.flatnonzero((sizes > 0) & (sizes < _LEAST_CM2))
    for fragment in fragments[fragments > 0]:
        ring = index[ndimage.binary_dilation(index == fragment) & (index != fragment)]
        ring = ring[ring > 0]
        if ring.size:
            index[index == fragment] = np.bincount(ring).argmax()
    _, packed = np.unique(np.r_[0, index.ravel()], return_inverse=True)
    return packed[1:].reshape(index.shape)
