"""The images on which an RT structure set or a segmentation was drawn (PS3.3 C.8.8.5, C.8.8.6 and C.7.6.16)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import UID

TAGS = (
    *(
        "ReferencedFrameOfReferenceSequence",
        "StructureSetROISequence",
        "ROIContourSequence",
        "ReferencedSeriesSequence",
    ),
    *("SourceImageSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
"""The top-level tags with references."""

_MODALITIES = {"CT": "CT", "MR": "MR", "Positron Emission Tomography": "PET", "PET": "PET", "Ultrasound": "ultrasound"}


@dataclass(frozen=True, slots=True)
class References:
    """The ``series`` and ``instances`` (UIDs) that an object references, the ``frames`` of reference of its regions,
    and the kinds of the images (``modalities``: CT, PET, MR, ultrasound)."""

    series: frozenset[str] = frozenset()
    instances: frozenset[str] = frozenset()
    frames: frozenset[str] = frozenset()
    modalities: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether any image is referenced."""
        return bool(self.series or self.instances)

    def name_any(self, series: str, instances: Iterable[str]) -> bool:
        """Whether they include a series or one of its images."""
        return series in self.series or not self.instances.isdisjoint(instances)


def references_of(dataset: Dataset) -> References:
    """The references of a data set with at least ``TAGS``, from all places where these objects have them."""
    series = set(_series(dataset))
    images = list(_images(dataset))
    instances = {str(item.get("ReferencedSOPInstanceUID", "") or "") for item in images}
    classes = {str(item.get("ReferencedSOPClassUID", "") or "") for item in images}
    frames = {str(item.get("FrameOfReferenceUID", "") or "") for item in _items(dataset, _FRAME_OF_REFERENCE)}
    rois = _items(dataset, "StructureSetROISequence")
    frames |= {str(item.get("ReferencedFrameOfReferenceUID", "") or "") for item in rois}
    modalities = {known for sop_class in classes for known in _modality(sop_class)}
    return References(
        frozenset(series - {""}), frozenset(instances - {""}), frozenset(frames - {""}), tuple(sorted(modalities))
    )


_FRAME_OF_REFERENCE = "ReferencedFrameOfReferenceSequence"


def _items(dataset: Dataset, *keywords: str) -> Iterator[Dataset]:
    """The items of sequences that are nested in this order."""
    for item in dataset.get(keywords[0]) or []:
        if len(keywords) == 1:
            yield item
        else:
            yield from _items(item, *keywords[1:])


def _series(dataset: Dataset) -> Iterator[str]:
    for keywords in (
        (_FRAME_OF_REFERENCE, "RTReferencedStudySequence", "RTReferencedSeriesSequence"),
        ("ReferencedSeriesSequence",),
    ):
        for item in _items(dataset, *keywords):
            yield str(item.get("SeriesInstanceUID", "") or "")


def _images(dataset: Dataset) -> Iterator[Dataset]:
    nested = (_FRAME_OF_REFERENCE, "RTReferencedStudySequence", "RTReferencedSeriesSequence", "ContourImageSequence")
    yield from _items(dataset, *nested)
    yield from _items(dataset, "ROIContourSequence", "ContourSequence", "ContourImageSequence")
    yield from _items(dataset, "ReferencedSeriesSequence", "ReferencedInstanceSequence")
    yield from _items(dataset, "SourceImageSequence")
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        yield from _items(dataset, groups, "DerivationImageSequence", "SourceImageSequence")


def _modality(sop_class: str) -> Iterator[str]:
    name = UID(sop_class).name if sop_class else ""
    for start, modality in _MODALITIES.items():
        if name.removeprefix("Enhanced ").removeprefix("Legacy Converted Enhanced ").startswith(f"{start} "):
            yield modality
