"""The body in a CT: the patient without table, head holder, blankets and air."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ct2pet.errors import DatasetError
from ct2pet.resampling import AIR_HU, resample
from ct2pet.volume import Grid, Volume

STEP_MM = 4.0  # finds the body at this resolution; a table's shell mostly blurs away in it
BONE_HU = 220.0
_TISSUE_HU = -300.0  # between fat (-100) and blankets, foam or lung (below -500)
_PADDING_HU = -1500.0  # below air: where scanners write that they saw nothing
_TABLE_MM = 8.0  # what is thinner than twice this and lies apart is no body
_REGROWN_MM = 16.0  # noses and ears that lie at most so far from what is thicker are body
_SMALLEST_PART = 0.02  # of the largest part: legs and arms are larger, a tube or a bottle is not
_SMALLEST_BONY_ML = 15.0  # a part with a bone in it is a limb, however little the field of view shows of it
_BONY = 0.01
_SOLID_HU, _SOLID_SHARE = -150.0, 0.6  # of a limb; of a table's edge most is a mixture with air
_THICK_SHARE = 0.3  # of a part that the opening leaves: an arm of 4 cm has 0.36, a piece of the table less
_GAP_MM = 7.0  # air that is reached through a gap of twice this lies outside, though arms and trunk enclose it
_FINGERS_ML = 150.0
_LONG_SHARE = 0.5  # of the scan's length: what is thin and so long is table
_LUNG_HU = (-940.0, -500.0)
_LUNG_SHARE = 0.8  # of a lung is so dense; of air beside the patient, noise and streaks included, less
_LUNG_ML = 20.0  # without its rim
_GROWN = 2  # voxels from a lung without its rim to its wall
_THIN_WALL = 2  # voxels: a thicker wall at the side of the view is body by itself
_ENCLOSED = 0.7  # share of a lung's surface that is body; of air beside the patient or foam it is less
_AIRWAY_CM2 = 6.0  # a hole of a slice that is so small is airway or bowel, though it opens outwards elsewhere
_TOO_DENSE = 0.15  # of a body: no more of it is as dense as hard bone
_HARD_HU = 600.0

CROSS = ndimage.generate_binary_structure(3, 1)


@dataclass(frozen=True)
class Coarse:
    """A CT at 4 mm, its axes along the patient's (LPS), whatever the CT's are.

    Arrays (Z, Y, X): ``hu`` float32; ``dense``, the share (0 to 1) of every voxel that is bone, metal or contrast;
    ``seen``, where the CT has values; ``body``.
    """

    hu: np.ndarray
    dense: np.ndarray
    seen: np.ndarray
    body: np.ndarray
    grid: Grid


def find_body(ct_hu: Volume) -> Coarse:
    """The body in a CT (HU; any orientation). Raises DatasetError where there is none or the numbers are not HU."""
    oriented = ct_hu.to_canonical()
    factors = tuple(max(1, round(STEP_MM / size)) for size in oriented.grid.spacing)
    hu, dense = _reduced(oriented, factors)
    if not np.isfinite(hu.array).all():
        raise DatasetError("the CT holds values that are no numbers")
    grid = _aligned(oriented.grid)
    seen = resample(hu.with_array(np.ones(hu.array.shape, np.float32)), grid).array > 0.5
    seen &= resample(hu, grid, outside=0.0).array > _PADDING_HU
    array = np.maximum(resample(hu, grid, outside=AIR_HU).array, AIR_HU)
    share = resample(dense, grid).array
    body = _patient(array, share)
    _check(array, body)
    return Coarse(array, share, seen, body, grid)


def body_mask(ct_hu: Volume) -> np.ndarray:
    """True inside the patient, lungs and gas included; bool, of the CT's shape.

    ``ct_hu``: (Z, Y, X), HU. The CT is averaged to about 4 mm, where an opening removes the table and parts that are
    small go; the surface then follows the CT's own voxels. Parts of the body that touch the edge of the field of view
    stay. Raises DatasetError as ``find_body`` does.
    """
    coarse = find_body(ct_hu)
    return on_fine_grid(ct_hu, coarse, np.ones(coarse.body.shape, np.uint8)).array > 0


def on_fine_grid(ct_hu: Volume, coarse: Coarse, labels: np.ndarray) -> Volume:
    """uint8 ``labels`` (1 to 31, everywhere on the coarse grid) on the CT's own grid, 0 outside the body.

    The body's surface follows the CT's own voxels: those one coarse voxel from the coarse surface are body where they
    are tissue.
    """
    inside = ndimage.binary_erosion(coarse.body, CROSS, border_value=1)
    near = ndimage.binary_dilation(coarse.body, CROSS)
    code = np.where(near, labels + 32 * inside.astype(np.uint8), 0).astype(np.uint8)
    fine = resample(Volume(code, coarse.grid, "label"), ct_hu.grid, labels=True).array
    kept = fine > 32
    kept |= (fine > 0) & (ct_hu.array > _TISSUE_HU)
    return Volume(np.where(kept, fine & 31, 0).astype(np.uint8), ct_hu.grid, "label")


def _aligned(grid: Grid) -> Grid:
    """4 mm voxels along the patient's axes over the field of view."""
    if np.allclose(grid.direction, np.eye(3).ravel(), atol=1e-3):
        return grid.with_spacing((STEP_MM, STEP_MM, STEP_MM))
    low, high = grid.bounds
    shape = tuple(int(n) for n in np.ceil((high - low) / STEP_MM)[::-1])
    return Grid(shape, (STEP_MM,) * 3, tuple((low + STEP_MM / 2).tolist()))  # type: ignore[arg-type]


def _check(hu: np.ndarray, body: np.ndarray) -> None:
    advice = "is it in HU (air -1000, water 0)?"
    if not body.any():
        raise DatasetError(f"no body found in the CT: {advice}")
    if np.ptp(hu) < 50 or np.mean(hu[body] > _HARD_HU) > _TOO_DENSE:
        raise DatasetError(f"the CT's numbers are no body's: {advice}")


def _patient(hu: np.ndarray, dense: np.ndarray) -> np.ndarray:
    """The tissue without what is thin: eroded, grown back within the tissue, other parts dropped; filled slices."""
    tissue = hu > _TISSUE_HU
    core = ndimage.binary_erosion(tissue, ball(_TABLE_MM), border_value=1)
    grown = ndimage.binary_dilation(core, iterations=round(_REGROWN_MM / STEP_MM), mask=tissue)
    parts, _ = ndimage.label(grown)
    body = _wanted(parts, core, hu, dense)[parts]
    body |= _fingers(tissue & ~body, body, dense)
    return _filled(body, _cut_lungs(body, hu))


def _wanted(parts: np.ndarray, core: np.ndarray, hu: np.ndarray, dense: np.ndarray) -> np.ndarray:
    """bool by the part's number: the largest part, limbs that lie apart, and flesh that the field of view cuts off."""
    index, length = parts.ravel(), int(parts.max()) + 1
    sizes, thick = np.bincount(index), np.bincount(parts[core], minlength=length)
    bony = np.bincount(index, weights=dense.ravel()) > _BONY * sizes
    solid = np.bincount(index, weights=(hu > _SOLID_HU).ravel()) > _SOLID_SHARE * sizes
    at_side = np.zeros(length, dtype=bool)
    at_side[_at_sides(parts)] = True
    sizes[0] = 0
    limb = bony & (sizes * STEP_MM**3 / 1000 > _SMALLEST_BONY_ML)
    cut = at_side & (sizes >= _SMALLEST_PART * sizes.max()) & (thick >= _THICK_SHARE * sizes)
    wanted = solid & (limb | cut)
    wanted &= ~_beneath(parts, int(sizes.argmax()), wanted)
    wanted[sizes.argmax()] = True
    wanted[0] = False
    return wanted


def _beneath(parts: np.ndarray, main: int, candidates: np.ndarray) -> np.ndarray:
    """bool by the part's number: whether a candidate lies wholly behind the back of the main part: table, not limb."""
    beneath = np.zeros(len(candidates), dtype=bool)
    backs = np.array([np.flatnonzero(axial.any(axis=1))[-1:].sum() for axial in parts == main])
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        if candidates[number] and box is not None and number != main:
            beneath[number] = 0 < backs[box[0]].max() < box[1].start
    return beneath


def _filled(tissue: np.ndarray, lungs: np.ndarray) -> np.ndarray:
    """Axial slices filled, ``lungs`` included, but not with air that arms enclose: that is reached from the sides
    through wide gaps, and is wider than an airway."""
    tissue = tissue | lungs
    filled = np.stack([ndimage.binary_fill_holes(axial | _hole(axial)) for axial in tissue])
    wide = ndimage.binary_erosion(~tissue, ball(_GAP_MM), border_value=1)
    parts, count = ndimage.label(wide)
    outside = np.zeros(count + 1, dtype=bool)
    outside[_at_sides(parts)] = True
    outside[0] = False
    beside = ndimage.binary_dilation(outside[parts], ball(_GAP_MM)) & ~tissue
    return filled & ~(beside & ~_narrow_holes(filled & ~tissue))


def _cut_lungs(body: np.ndarray, hu: np.ndarray) -> np.ndarray:
    """Lungs that the side of the field of view cuts: no tissue closes them there, so that no slice encloses them."""
    parts, count = ndimage.label(ndimage.binary_erosion(~body & (hu < _LUNG_HU[1]), CROSS, border_value=1))
    large = np.bincount(parts.ravel(), minlength=count + 1) * STEP_MM**3 / 1000 > _LUNG_ML
    found, boxes = np.zeros_like(body), ndimage.find_objects(parts)
    for number in _at_sides(parts, _THIN_WALL + _GROWN):
        if number == 0 or not large[number]:
            continue
        box = tuple(slice(max(0, part.start - 3), part.stop + 3) for part in boxes[number - 1])
        core = parts[box] == number
        if np.mean(hu[box][core] > _LUNG_HU[0]) < _LUNG_SHARE:
            continue
        lung = ndimage.binary_dilation(core, CROSS, iterations=_GROWN, mask=~body[box])
        shell = ndimage.binary_dilation(lung, CROSS) & ~lung
        if np.mean(body[box][shell]) > _ENCLOSED:
            found[box] |= lung
    return found


def _at_sides(parts: np.ndarray, depth: int = 1) -> np.ndarray:
    """The numbers of the parts (0 too) among the outermost ``depth`` voxels at the sides of the field of view."""
    faces = (parts[:, :depth], parts[:, -depth:], parts[:, :, :depth], parts[:, :, -depth:])
    return np.unique(np.concatenate([np.unique(face) for face in faces]))


def _narrow_holes(holes: np.ndarray) -> np.ndarray:
    """Those holes of axial slices that are no larger than an airway."""
    in_plane = np.zeros((3, 3, 3), dtype=bool)
    in_plane[1] = ndimage.generate_binary_structure(2, 1)
    parts, _ = ndimage.label(holes, in_plane)
    return holes & (np.bincount(parts.ravel()) * STEP_MM**2 / 100 < _AIRWAY_CM2)[parts]


def _hole(axial: np.ndarray) -> np.ndarray:
    """What a slice of tissue encloses although its wall has a crack."""
    square = ndimage.generate_binary_structure(2, 2)
    closed = ndimage.binary_closing(np.pad(axial, 1), square)
    filled = ndimage.binary_fill_holes(closed)
    return (ndimage.binary_dilation(filled & ~closed, square) & filled)[1:-1, 1:-1]


def _fingers(rest: np.ndarray, body: np.ndarray, dense: np.ndarray) -> np.ndarray:
    """Thin parts that hang on the body and have bones in them; tables are too long, blankets have none."""
    parts, count = ndimage.label(rest)
    touches = np.unique(parts[ndimage.binary_dilation(body, CROSS)])
    boxes, wanted = ndimage.find_objects(parts), np.zeros(count + 1, dtype=bool)
    for index in touches[touches > 0]:
        box = boxes[index - 1]
        part = parts[box] == index
        small = part.sum() * STEP_MM**3 / 1000 < _FINGERS_ML
        short = part.shape[0] < max(_LONG_SHARE * rest.shape[0], 10)
        wanted[index] = small and short and dense[box][part].mean() > _BONY
    return wanted[parts]


def ball(radius_mm: float) -> np.ndarray:
    """A ball of 4 mm voxels."""
    reach = int(radius_mm / STEP_MM)
    offsets = np.mgrid[-reach : reach + 1, -reach : reach + 1, -reach : reach + 1] * STEP_MM
    return (offsets**2).sum(axis=0) <= radius_mm**2


def _reduced(volume: Volume, factors: tuple[int, ...]) -> tuple[Volume, Volume]:
    """The means of HU and of bone over blocks of ``factors`` voxels, float32. Blocks at the far edges may be smaller,
    but count as whole ones in space."""
    array = volume.array
    starts = [np.arange(0, n, factor) for n, factor in zip(array.shape, factors)]
    sizes = [np.diff([*start, n]) for start, n in zip(starts, array.shape)]
    counts = np.outer(sizes[1], sizes[2]).astype(np.float32)
    means: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for first, depth in zip(starts[0], sizes[0]):  # slab by slab, so that no copy of the whole is made
        slab = array[first : first + depth]
        for mean, summed in zip(means, (slab.sum(axis=0, dtype=np.float32), (slab > BONE_HU).sum(axis=0))):
            sums = np.add.reduceat(np.add.reduceat(summed, starts[1], axis=0), starts[2], axis=1)
            mean.append((sums / (counts * depth)).astype(np.float32))
    grid = volume.grid
    origin = grid.affine @ np.array([*((factor - 1) / 2 for factor in factors[::-1]), 1.0])
    spacing = tuple(size * factor for size, factor in zip(grid.spacing, factors))
    shape = tuple(len(start) for start in starts)
    small = Grid(shape, spacing, tuple(origin[:3].tolist()), grid.direction)  # type: ignore[arg-type]
    return Volume(np.stack(means[0]), small, "HU"), Volume(np.stack(means[1]), small)
