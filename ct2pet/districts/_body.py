"""The body in a CT: patient without table, blankets and air."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ct2pet.volume import Volume

_TISSUE_HU = -300.0  # between fat (-100) and blankets, foam or lung (below -500)
_COARSE_MM = 4.0  # finds the body at this resolution; a table's shell mostly blurs away in it
_TABLE_MM = 8.0  # what is thinner than twice this and lies apart is no body
_REGROWN_MM = 16.0  # fingers and ears that lie at most so far from what is thicker are body
_SMALLEST_PART = 0.02  # of the largest part: legs and arms are larger, a tube or a bottle is not
_THICK_SHARE = 0.3  # of a part that the opening leaves: an arm of 4 cm has 0.36, a piece of the table less


def body_mask(ct_hu: Volume) -> np.ndarray:
    """True inside the patient, lungs and gas included; bool, of the CT's shape.

    ``ct_hu`` (Z, Y, X, HU) is in the house's order (Volume.oriented()), so that axial slices are filled. The CT is
    averaged to about 4 mm, where an opening removes the table and parts that are small go; the surface then follows
    the CT's own voxels. Parts of the body that touch the edge of the field of view stay.
    """
    factors = tuple(max(1, round(_COARSE_MM / size)) for size in ct_hu.grid.spacing)
    spacing = tuple(size * factor for size, factor in zip(ct_hu.grid.spacing, factors))
    tissue = _block_mean(ct_hu.array, factors) > _TISSUE_HU
    coarse = _filled(_large_parts(tissue, spacing))
    cross = ndimage.generate_binary_structure(3, 1)
    near = _repeated(ndimage.binary_dilation(coarse, cross), factors, ct_hu.array.shape)
    inside = _repeated(ndimage.binary_erosion(coarse, cross, border_value=1), factors, ct_hu.array.shape)
    body = ct_hu.array > _TISSUE_HU
    body &= near
    body |= inside
    return body


def _large_parts(tissue: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """The tissue without what is thin: eroded, grown back within the tissue, small parts dropped."""
    core = ndimage.binary_erosion(tissue, _ball(_TABLE_MM, spacing), border_value=1)
    grown = ndimage.binary_dilation(core, iterations=round(_REGROWN_MM / min(spacing)), mask=tissue)
    parts, _ = ndimage.label(grown)
    sizes, thick = np.bincount(parts.ravel()), np.bincount(parts[core], minlength=parts.max() + 1)
    sizes[0] = 0
    wanted = (sizes >= _SMALLEST_PART * sizes.max()) & (thick >= _THICK_SHARE * sizes)
    return grown & wanted[parts]


def _filled(mask: np.ndarray) -> np.ndarray:
    return np.stack([ndimage.binary_fill_holes(axial) for axial in mask])


def _ball(radius_mm: float, spacing: tuple[float, ...]) -> np.ndarray:
    reach = [int(radius_mm / size) for size in spacing]
    offsets = np.meshgrid(*(np.arange(-n, n + 1) * size for n, size in zip(reach, spacing)), indexing="ij")
    return np.sum([offset**2 for offset in offsets], axis=0) <= radius_mm**2


def _block_mean(array: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """The mean over blocks of ``factors`` voxels, float32. Blocks at the far edges may be smaller."""
    starts = [np.arange(0, n, factor) for n, factor in zip(array.shape, factors)]
    sizes = [np.diff([*start, n]) for start, n in zip(starts, array.shape)]
    in_plane = np.outer(sizes[1], sizes[2])
    slices = []
    for first, depth in zip(starts[0], sizes[0]):  # slab by slab, so that no copy of the whole is made
        slab = array[first : first + depth].sum(axis=0, dtype=np.float32)
        sums = np.add.reduceat(np.add.reduceat(slab, starts[1], axis=0), starts[2], axis=1)
        slices.append(sums / (in_plane * depth))
    return np.stack(slices).astype(np.float32)


def _repeated(mask: np.ndarray, factors: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    for axis, (factor, length) in enumerate(zip(factors, shape)):
        mask = mask.take(np.arange(length) // factor, axis=axis)
    return mask
