"""The lesions of an examination: which RT structure sets and SEG objects mark them, and on which grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydicom.dataset import Dataset

from ct2pet.dicom.contours import lesion_rois, rasterise
from ct2pet.dicom.headers import Header
from ct2pet.dicom.pairing import Placed
from ct2pet.dicom.reading import quiet, read_dataset
from ct2pet.dicom.segmentations import lesion_segments, segmentation_volume
from ct2pet.errors import Ct2PetError, ImageError
from ct2pet.resampling import resample
from ct2pet.volume import Volume

_SEG = "1.2.840.10008.5.1.4.1.1.66.4"


@dataclass(frozen=True)
class Lesions:
    """``mask``: uint8, 1 in every lesion, on the grid of the PET or of the CT; None where no object marks lesions.
    ``notes``: what was left out and why, without names out of the objects."""

    mask: Volume | None
    notes: tuple[str, ...] = ()


@dataclass
class _Found:
    masks: list[np.ndarray] = field(default_factory=list)
    objects: int = 0


def read_lesions(structures: Sequence[Header], pet: Placed, ct: Placed, pattern: str | None = None) -> Lesions:
    """The union of all lesions that the ``structures`` of a study mark on its PET; where none does, on its CT.

    An object belongs to the series that it references. One that references neither, but shares their frame of
    reference, is tried on the PET, then on the CT. ``pattern``: which ROIs (by name) and segments (by label) are
    lesions, see ``lesion_rois``. An object that cannot be used is noted; the others count.
    """
    notes: list[str] = []
    found = {id(pet): _Found(), id(ct): _Found()}
    for number, header in enumerate(sorted(structures, key=lambda item: item.sop_instance), 1):
        label = f"structure object {number} of {len(structures)}"
        try:
            with quiet():
                _add(header, pet, ct, pattern, found)
        except Ct2PetError as error:
            notes.append(f"{label} is not used: {error}")
    for placed, others in ((pet, found[id(ct)]), (ct, None)):
        marked = found[id(placed)]
        if not marked.objects:
            continue
        if others is not None and others.objects:
            notes.append(f"{others.objects} structure object(s) on the CT not used: others are on the PET")
        if marked.objects > 1:
            notes.append(f"the lesions of {marked.objects} structure objects are taken together")
        mask = np.logical_or.reduce(marked.masks).astype(np.uint8)
        if not mask.any():
            notes.append("the lesion mask is empty")
        return Lesions(Volume(mask, placed.stack.grid, "label"), tuple(notes))
    return Lesions(None, tuple(notes))


def _add(header: Header, pet: Placed, ct: Placed, pattern: str | None, found: dict[int, _Found]) -> None:
    """Add the masks of one object to the series that it belongs to. Raises Ct2PetError where there are none."""
    dataset = read_dataset(header.path, pixels=True)
    candidates = _belongs_to(dataset, header, pet, ct)
    make = _segment_masks if str(dataset.SOPClassUID) == _SEG else _contour_masks
    for placed in candidates:
        try:
            masks = list(make(dataset, placed, pattern))
        except ImageError:
            if placed is candidates[-1]:
                raise
            continue
        if not masks:
            raise ImageError("none of its regions is a lesion (see --lesion_rois)")
        found[id(placed)].masks += masks
        found[id(placed)].objects += 1
        return


def _belongs_to(dataset: Dataset, header: Header, pet: Placed, ct: Placed) -> list[Placed]:
    """The series that an object may belong to, the likeliest first."""
    referenced = set(_series_in(dataset))
    for placed in (pet, ct):
        if placed.first.series in referenced:
            return [placed]
    frames = {header.frame_of_reference, *_frames_in(dataset)} - {""}
    candidates = [placed for placed in (pet, ct) if placed.first.frame_of_reference in frames]
    if not candidates:
        raise ImageError("it belongs to neither the PET nor the CT (by series and frame of reference)")
    return candidates


def _series_in(dataset: Dataset) -> Iterator[str]:
    for frame in dataset.get("ReferencedFrameOfReferenceSequence") or []:
        for study in frame.get("RTReferencedStudySequence") or []:
            for series in study.get("RTReferencedSeriesSequence") or []:
                yield str(series.get("SeriesInstanceUID", ""))
    for series in dataset.get("ReferencedSeriesSequence") or []:
        yield str(series.get("SeriesInstanceUID", ""))


def _frames_in(dataset: Dataset) -> Iterator[str]:
    for frame in dataset.get("ReferencedFrameOfReferenceSequence") or []:
        yield str(frame.get("FrameOfReferenceUID", ""))
    for roi in dataset.get("StructureSetROISequence") or []:
        yield str(roi.get("ReferencedFrameOfReferenceUID", ""))


def _contour_masks(dataset: Dataset, placed: Placed, pattern: str | None) -> Iterator[np.ndarray]:
    for name, contours in lesion_rois(dataset, pattern):
        try:
            yield rasterise(contours, placed.stack.grid)
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from None


def _segment_masks(dataset: Dataset, placed: Placed, pattern: str | None) -> Iterator[np.ndarray]:
    segments = lesion_segments(dataset, pattern)
    if segments:
        volume = segmentation_volume(dataset, segments)
        yield resample(volume, placed.stack.grid, labels=True).array > 0
