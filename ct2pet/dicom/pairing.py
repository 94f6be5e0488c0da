"""Pairing of PET and CT. One examination per study: of its attenuation-corrected PETs with a CT the one that shows the
largest part of the body."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ct2pet.dicom.frames import series_stack
from ct2pet.dicom.headers import CT, PET, Header
from ct2pet.dicom.kernels import is_sharp
from ct2pet.dicom.reading import NOT_DICOM
from ct2pet.dicom.series import Series, Stack
from ct2pet.dicom.tree import LeftOut, Tree
from ct2pet.errors import GeometryError, ImageError

LEAST_OVERLAP = 0.25  # of the smaller field of view; less means another patient or a wrong position
_MOVING = {"DYNAMIC": "a dynamic series", "GATED": "a gated series"}
_MOVING |= {word: "a gated series" for word in ("CARDIAC_GATED", "RESP_GATED", "CARDRESP_GATED")}
_SUV_UNITS = ("BQML", "GML", "CNTS", "")  # enhanced objects have their units in other tags
_SYNTHETIC = "SYNTHETIC"  # the mark of images written by ct2pet
_A_DAY = 86400.0
_CT_KINDS = 7  # parts of a CT's rank for its kind; followed by time and series number


@dataclass(frozen=True)
class Placed:
    """A series that forms one volume, with its geometry."""

    series: Series
    stack: Stack

    @property
    def first(self) -> Header:
        return self.series.first


@dataclass(frozen=True)
class Exam:
    """A PET with its CT. ``notes``: remarks on the choice, without identifiers. ``incomplete``: those on possibly
    missing ends of a series. ``other_pets``: the series UIDs of the other PETs of the study."""

    pet: Placed
    ct: Placed
    structures: tuple[Header, ...]
    notes: tuple[str, ...]
    incomplete: tuple[str, ...] = ()
    other_pets: tuple[str, ...] = ()

    @property
    def patient(self) -> str:
        """The patient's identifier in the hospital or archive; never written to a file of the dataset."""
        return self.pet.first.patient

    @property
    def study(self) -> str:
        return self.pet.first.study


def pair_images(tree: Tree) -> tuple[list[Exam], list[LeftOut]]:
    """The examinations of a tree, by patient and time, and every series that is not used, with the reason. They have no
    structures yet, see ct2pet.dicom.examinations."""
    left_out: list[LeftOut] = []
    placed = _place(tree, left_out)
    exams: list[Exam] = []
    used: set[str] = set()
    pets = [item for item in placed if item.series.kind == PET]
    cts = [item for item in placed if item.series.kind == CT]
    for study in _by_study(pets):
        best, ct, notes = _choose(study, cts, tree, left_out)
        if ct is None:
            continue
        used.add(ct.first.series)
        incomplete = [*_missing_slices(best), *_damage_notes(tree, best, ct)]
        exams.append(Exam(best, ct, (), (*notes, *incomplete), tuple(incomplete), _other_pets(best, tree)))
    left_out += [_unused(ct) for ct in cts if ct.first.series not in used]
    return sorted(exams, key=_chronological), left_out


def _choose(
    study: Sequence[Placed], cts: Sequence[Placed], tree: Tree, left_out: list[LeftOut]
) -> tuple[Placed, Placed | None, list[str]]:
    """The best PET of a study that has a CT, with this CT and the notes on it; without one the CT is None. A synthetic
    PET does not take the place of a measured one."""
    others = sorted(study, key=_pet_rank)
    num_measured = sum(not _is_synthetic(pet) for pet in others)
    for _ in range(num_measured or len(others)):
        pet = others.pop(0)
        ct, notes = _choose_ct(pet, cts)
        if ct is not None:
            reason = f"{pet.series.label} was chosen from the same study"
            left_out += [LeftOut(one.series.folder, f"{one.series.label}: {reason}") for one in others]
            return pet, ct, [*notes, *_pet_notes(pet, others)]
        reason = notes[0] if notes else _why_no_ct(pet, tree)
        left_out.append(LeftOut(pet.series.folder, f"{pet.series.label}: {reason}"))
    reason = "it is synthetic, and the study has a measured PET, which has no CT"
    left_out += [LeftOut(one.series.folder, f"{one.series.label}: {reason}") for one in others]
    return pet, None, []


def _other_pets(chosen: Placed, tree: Tree) -> tuple[str, ...]:
    """The series UIDs of the other PETs of its study."""
    own = chosen.first
    first = [series.first for series in tree.series if series.kind == PET]
    return tuple(
        sorted({one.series for one in first if (one.patient, one.study) == (own.patient, own.study)} - {own.series})
    )


def _place(tree: Tree, left_out: list[LeftOut]) -> list[Placed]:
    placed = []
    for series in tree.series:
        reason = _unsuitable(series)
        if not reason:
            try:
                placed.append(Placed(series, series_stack(series)))
                continue
            except (GeometryError, ImageError) as error:
                reason = str(error)
        left_out.append(LeftOut(series.folder, f"{series.label}: {reason}"))
    return placed


def _unsuitable(series: Series) -> str | None:
    """Why a series is not a candidate."""
    first = series.first
    if not any(header.position or header.enhanced for header in series.headers):
        return "its images have no position in space (ImagePositionPatient)"
    if series.kind == PET:
        for word in (*first.series_type[:1], *first.image_type[2:]):
            if word in _MOVING:
                return f"{_MOVING[word]}: several images of one position"
        if first.attenuation_corrected is False:
            return "not attenuation-corrected (CorrectedImage)"
    return None


def _by_study(pets: Iterable[Placed]) -> list[list[Placed]]:
    studies: dict[tuple[str, str], list[Placed]] = {}
    for pet in pets:
        studies.setdefault((pet.first.patient, pet.first.study), []).append(pet)
    return list(studies.values())


def _is_synthetic(pet: Placed) -> bool:
    return _SYNTHETIC in pet.first.image_type


def _pet_rank(pet: Placed) -> tuple:
    """The best first."""
    first, grid = pet.first, pet.stack.grid
    extent_mm = grid.shape[0] * grid.spacing[0]
    return (
        _is_synthetic(pet),
        first.attenuation_corrected is None,
        first.units not in _SUV_UNITS,
        -round(extent_mm, -1),
        "ORIGINAL" not in first.image_type,
        first.lossy,
        *_in_order(pet),
    )


def _in_order(item: Placed) -> tuple:
    number = item.first.series_number
    return (np.inf if number is None else number, item.first.series)


def _pet_notes(pet: Placed, others: Sequence[Placed]) -> list[str]:
    notes = []
    if _is_synthetic(pet):
        notes.append("the PET is synthetic (Image Type): computed, not measured")
    elif pet.first.attenuation_corrected is None:
        notes.append("the PET has no information on attenuation correction (CorrectedImage)")
    if pet.first.lossy:
        notes.append("the PET was compressed with loss")
    alike = [other for other in others if _pet_rank(other)[:-2] == _pet_rank(pet)[:-2]]
    if alike:
        notes.append(f"the study has {len(alike)} more PET(s) of this kind; the lowest series number was chosen")
    return notes


def _missing_slices(pet: Placed) -> list[str]:
    stated, found = pet.first.num_slices, len(pet.stack.slices)
    if stated is None or pet.first.enhanced or stated <= found:
        return []
    return [f"the header of the PET states {stated} slices, but {found} exist: its ends may be missing"]


def _damage_notes(tree: Tree, *used: Placed) -> list[str]:
    """A damaged slice in the middle of a series leaves a gap; one at an end can only be suspected: from damaged files,
    and from other files with names like those of the images."""
    names = {(header.path.parent, _form(header.path)) for placed in used for header in placed.series.headers}
    folders = {folder for folder, _ in names}
    count = sum(
        item.path.parent in folders
        and (item.damaged or (item.reason == NOT_DICOM and (item.path.parent, _form(item.path)) in names))
        for item in tree.left_out
    )
    return [f"{count} damaged file(s) next to its images: the ends of a series may be missing"] if count else []


def _form(path: Path) -> str:
    """The common part of the image names of a series: the suffix, or the name without its numbers."""
    suffix = path.suffix.lower()
    return suffix if suffix.strip(".0123456789") else re.sub("[0-9]+", "#", path.name)


def _choose_ct(pet: Placed, cts: Iterable[Placed]) -> tuple[Placed | None, list[str]]:
    """The best CT and notes about it, or None and, where there is a CT, the reason."""
    of_patient = [ct for ct in cts if ct.first.patient == pet.first.patient]
    near = [ct for ct in of_patient if _near(ct.first, pet.first)]
    if not near:
        return None, []
    fitting = [ct for ct in near if _overlap(pet, ct) >= LEAST_OVERLAP]
    if not fitting:
        return None, ["no CT of the same region (they hardly overlap)"]
    best = min(fitting, key=lambda ct: _ct_rank(ct, pet))
    notes = []
    alike = [ct for ct in fitting if _ct_rank(ct, pet)[:_CT_KINDS] == _ct_rank(best, pet)[:_CT_KINDS]]
    if len(alike) > 1:
        notes.append(
            f"there are {len(alike) - 1} more CT(s) of this kind, such as phases of a gated one: the nearest in time, "
            "or with the lowest series number, was chosen"
        )
    if not _same_frame(best, pet):
        notes.append("CT and PET do not share a frame of reference; check their alignment")
    if best.first.study != pet.first.study:
        notes.append("the CT is of another study")
    if best.first.lossy:
        notes.append("the CT was compressed with loss")
    return best, notes


def _why_no_ct(pet: Placed, tree: Tree) -> str:
    near = [item for item in tree.series if item.kind == CT and _near(item.first, pet.first)]
    unusable = [item.label for item in near if item.first.patient == pet.first.patient]
    if unusable:
        return f"its CT cannot be used (see {', '.join(unusable)})"
    if near:
        return "the CT of its study or its frame of reference is of another patient (PatientID)"
    return "no CT in its study or its frame of reference"


def _near(ct: Header, pet: Header) -> bool:
    return ct.study == pet.study or ct.frame_of_reference == pet.frame_of_reference != ""


def _same_frame(a: Placed, b: Placed) -> bool:
    return a.first.frame_of_reference == b.first.frame_of_reference != ""


def _overlap(pet: Placed, ct: Placed) -> float:
    return max(pet.stack.grid.overlap(ct.stack.grid), ct.stack.grid.overlap(pet.stack.grid))


def _ct_rank(ct: Placed, pet: Placed) -> tuple:
    """The best first: the CT used for the PET's attenuation correction shares its frame, study, position and time."""
    grid = ct.stack.grid
    return (
        not _same_frame(ct, pet),
        ct.first.study != pet.first.study,
        abs(grid.direction[8]) < 0.7,  # a sagittal or coronal reformation
        -round(pet.stack.grid.overlap(grid), 1),
        "ORIGINAL" not in ct.first.image_type,
        is_sharp(ct.first.kernel),
        ct.first.lossy,
        _seconds_between(ct.series, pet.series),
        *_in_order(ct),
    )


def _seconds_between(a: Series, b: Series) -> float:
    """The shorter difference across midnight: some systems do not change the date."""
    if not (a.time and b.time):
        return _A_DAY
    apart = abs((a.time - b.time).total_seconds())
    return min(apart, abs(_A_DAY - apart))


def _unused(ct: Placed) -> LeftOut:
    return LeftOut(ct.series.folder, f"{ct.series.label}: no PET was paired with it")


def _chronological(exam: Exam) -> tuple:
    return (exam.patient, exam.pet.series.time is None, exam.pet.series.time or 0, exam.study)
