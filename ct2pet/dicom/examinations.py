"""The examinations of a folder tree: PET, CT, and the RT structure sets and segmentations that belong to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ct2pet.dicom.headers import Header
from ct2pet.dicom.pairing import Exam, pair_images
from ct2pet.dicom.tree import LeftOut, Tree

_NO_CASE = "a structure object that belongs to no case (by referenced images, study or frame of reference)"


def pair(tree: Tree) -> tuple[list[Exam], list[LeftOut]]:
    """The examinations of a tree, by patient and time, and every series and every structure object that is not used,
    with the reason.

    A structure object belongs to the examination of its referenced images, independent of its own study and patient:
    objects are often made and de-identified separately from the images. One without such references belongs to those of
    its study, or else of its frame of reference.
    """
    exams, left_out = pair_images(tree)
    index = _Index(exams)
    own: dict[int, list[Header]] = defaultdict(list)
    for structure in tree.structures:
        numbers = index.find(structure)
        for number in numbers:
            own[number].append(structure)
        if not numbers:
            left_out.append(LeftOut(structure.path, _NO_CASE))
    return [_with(exam, own[number]) for number, exam in enumerate(exams)], left_out


class _Index:
    """The examinations (by number) of each UID of an image, a study or a frame of reference."""

    def __init__(self, exams: Sequence[Exam]) -> None:
        self._images: dict[str, set[int]] = defaultdict(set)
        self._studies: dict[tuple[str, str], set[int]] = defaultdict(set)
        self._frames: dict[str, set[int]] = defaultdict(set)
        for number, exam in enumerate(exams):
            self._studies[exam.patient, exam.study].add(number)
            for placed in (exam.pet, exam.ct):
                for uid in (placed.first.series, *(header.sop_instance for header in placed.series.headers)):
                    self._images[uid].add(number)
                if placed.first.frame_of_reference:
                    self._frames[placed.first.frame_of_reference].add(number)

    def find(self, structure: Header) -> list[int]:
        """The examinations that an object belongs to."""
        references = structure.references
        named = _all(self._images, (*references.series, *references.instances))
        study = self._studies.get((structure.patient, structure.study), set())
        sharing = _all(self._frames, (structure.frame_of_reference, *references.frames))
        return sorted(named or study or sharing)


def _all(index: dict[str, set[int]], uids: Iterable[str]) -> set[int]:
    return set().union(*(index[uid] for uid in uids if uid in index))


def _with(exam: Exam, structures: Sequence[Header]) -> Exam:
    strange = sum((item.patient, item.study) != (exam.patient, exam.study) for item in structures)
    note = (
        f"{strange} structure object(s) of another study or patient (StudyInstanceUID, PatientID) reference its images"
    )
    return replace(exam, structures=tuple(structures), notes=(*exam.notes, note) if strange else exam.notes)
