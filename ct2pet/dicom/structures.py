"""The lesions of an examination, from RT structure sets and segmentations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydicom.dataset import Dataset

from ct2pet.dicom import contours, segmentations
from ct2pet.dicom.headers import RT_STRUCTURE_SET, Header
from ct2pet.dicom.meaning import Region
from ct2pet.dicom.pairing import Placed
from ct2pet.dicom.reading import quiet, read_dataset
from ct2pet.dicom.tree import LeftOut
from ct2pet.errors import Ct2PetError, ImageError
from ct2pet.resampling import resample
from ct2pet.volume import Volume

_PET, _CT, _ELSEWHERE = "the PET", "the CT", "another series"
_UNUSED = re.compile(r"structure object (\d+) of \d+ is not used: (.+)", re.DOTALL)


@dataclass(frozen=True)
class Lesions:
    """``mask``: uint8, 1 in every lesion, on the grid of the PET or of the CT; None where no object marks lesions.
    ``notes``: used and unused regions with reasons, without names from the objects."""

    mask: Volume | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Marked:
    """The ``masks`` of the lesions of one object on the grid of ``placed``, and what it was ``drawn`` on."""

    label: str
    drawn: str
    placed: Placed
    masks: list[np.ndarray]
    regions: list[Region]


@dataclass
class _Notes:
    taken: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def read_lesions(structures: Sequence[Header], pet: Placed, ct: Placed, pattern: str | None = None) -> Lesions:
    """The union of all lesions that the ``structures`` of an examination mark on its PET, or else on its CT.

    An object belongs to the series whose images it references; one that references no image to the PET or the CT whose
    frame of reference it shares. Objects that were drawn on other series (MR, another reconstruction) are used where
    ``pattern`` is given and no object on the PET or the CT has a region that fits it. ``pattern``: which ROIs (by name)
    and segments (by label) are lesions; None: by codes, types and names, see ct2pet.dicom.meaning. An object that
    cannot be used is noted; the others are used.
    """
    notes = _Notes()
    found: dict[str, list[_Marked]] = {_PET: [], _CT: [], _ELSEWHERE: []}
    headers = _in_order(structures)
    for number, header in enumerate(headers, 1):
        label = f"structure object {number} of {len(headers)}"
        try:
            with quiet():
                marked = _marked(label, header, pet, ct, pattern)
            found[marked.drawn].append(marked)
        except Ct2PetError as error:
            notes.unused.append(f"{label} is not used: {error}")
        except MemoryError:
            raise
        except Exception as error:  # a damaged object raises various errors, which may quote its content
            notes.unused.append(f"{label} is not used: it is damaged ({type(error).__name__})")
    chosen = next((drawn for drawn in found if found[drawn]), None)
    for drawn, objects in found.items():
        if drawn != chosen:
            reason = f"it is drawn on {drawn}; others are drawn on {chosen}"
            notes.unused += [f"{marked.label} is not used: {reason}" for marked in objects]
    if chosen is None:
        return Lesions(None, tuple(notes.unused))
    return _together(found[chosen], notes)


def unused_structures(structures: Sequence[Header], notes: Iterable[str]) -> list[LeftOut]:
    """The unused objects in the notes of an examination's lesions, with the reason."""
    headers = _in_order(structures)
    matches = [match for note in notes if (match := _UNUSED.fullmatch(note))]
    return [LeftOut(headers[int(match[1]) - 1].path, f"a structure object: {match[2]}") for match in matches]


def _in_order(structures: Sequence[Header]) -> list[Header]:
    return sorted(structures, key=lambda item: item.sop_instance)


def _together(objects: Sequence[_Marked], notes: _Notes) -> Lesions:
    """The union of the lesions of objects that were drawn on one series, as far as they are on one grid."""
    placed = objects[0].placed
    used = [marked for marked in objects if marked.placed is placed]
    notes.taken += [_said(marked) for marked in used]
    reason = "its regions are in slices of another series than those of the others"
    notes.unused += [f"{marked.label} is not used: {reason}" for marked in objects if marked.placed is not placed]
    if len(used) > 1:
        notes.taken.append(f"the lesions of {len(used)} structure objects are taken together")
    mask = np.logical_or.reduce([mask for marked in used for mask in marked.masks]).astype(np.uint8)
    if not mask.any():
        notes.taken.append("the lesion mask is empty")
    return Lesions(Volume(mask, placed.stack.grid, "label"), (*notes.taken, *notes.unused))


def _said(marked: _Marked) -> str:
    """The regions that are lesions, and the others."""
    taken = f"lesions: {marked.label}, drawn on {marked.drawn}: {_listed(marked.regions, taken=True)}"
    left = _listed(marked.regions, taken=False)
    return f"{taken}; not lesions: {left}" if left else taken


def _listed(regions: Sequence[Region], *, taken: bool) -> str:
    """The numbers of regions by reason: regions 1, 3 (of the type GTV), regions 2 (coded as a lesion)."""
    by_reason: dict[str, list[str]] = {}
    for region in regions:
        if region.taken == taken:
            by_reason.setdefault(region.why, []).append(str(region.number))
    return ", ".join(f"regions {', '.join(numbers)} ({why})" for why, numbers in by_reason.items())


def _marked(label: str, header: Header, pet: Placed, ct: Placed, pattern: str | None) -> _Marked:
    """The lesions of one object on the series that it belongs to. Raises Ct2PetError where there are none."""
    drawn, candidates = _belongs_to(header, pet, ct)
    if drawn == _ELSEWHERE and pattern is None:
        raise ImageError(f"it is drawn on {_other_series(header)}; --lesion_rois uses its regions with matching names")
    dataset = read_dataset(header.path, pixels=True)
    is_set = str(dataset.SOPClassUID) == RT_STRUCTURE_SET
    regions = (contours if is_set else segmentations).regions(dataset, pattern)
    numbers = {region.number for region in regions if region.taken}
    if not numbers:
        regions_left = _listed(regions, taken=False)
        raise ImageError(
            f"none of its regions is a lesion{f': {regions_left}' if regions_left else ''} (see --lesion_rois)"
        )
    make = _contour_masks if is_set else _segment_masks
    for placed in candidates:
        try:
            masks = list(make(dataset, placed, numbers))
        except ImageError:
            if placed is candidates[-1]:
                raise
            continue
        return _Marked(label, _drawn_on(placed, pet) if drawn == "" else drawn, placed, masks, regions)
    raise AssertionError(label)


def _drawn_on(placed: Placed, pet: Placed) -> str:
    return _PET if placed is pet else _CT


def _belongs_to(header: Header, pet: Placed, ct: Placed) -> tuple[str, list[Placed]]:
    """What an object was drawn on (empty: it references nothing), and the series of its possible grids, the most likely
    first."""
    if header.references:
        own = [placed for placed in (pet, ct) if _names(header, placed)]
        if own:
            return "", own
    frames = {header.frame_of_reference, *header.references.frames} - {""}
    sharing = [placed for placed in (pet, ct) if placed.first.frame_of_reference in frames]
    if not sharing:
        raise ImageError("it belongs to neither the PET nor the CT (by series and frame of reference)")
    return (_ELSEWHERE if header.references else ""), sharing


def _names(header: Header, placed: Placed) -> bool:
    """Whether an object references a series, or images of it, on which it was drawn."""
    return header.references.name_any(placed.first.series, (image.sop_instance for image in placed.series.headers))


def _other_series(header: Header) -> str:
    kinds = " and ".join(header.references.modalities)
    return f"another series{f' ({kinds})' if kinds else ''} than the PET and the CT of the case"


def _contour_masks(dataset: Dataset, placed: Placed, numbers: set[int]) -> Iterator[np.ndarray]:
    for number in sorted(numbers):
        try:
            yield contours.rasterise(contours.closed_contours(dataset, number), placed.stack.grid)
        except ImageError as error:
            raise ImageError(f"ROI {number}: {error}") from None


def _segment_masks(dataset: Dataset, placed: Placed, numbers: set[int]) -> Iterator[np.ndarray]:
    volume = segmentations.segmentation_volume(dataset, numbers)
    yield resample(volume, placed.stack.grid, labels=True).array > 0
