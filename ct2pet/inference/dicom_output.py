"""Predicted PETs of DICOM CTs as DICOM series: where they lie, and when they are written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ct2pet.errors import Ct2PetError
from ct2pet.files import check_writable, remove_folder, remove_partial_files_of
from ct2pet.imageio import read_volume
from ct2pet.inference.input_files import Case

FOLDER = "dicom"  # beside the predictions


def dicom_folder(case: Case) -> Path:
    """Where the DICOM series of the predicted PET lies."""
    return case.output.parent / FOLDER / case.name_beside


def remove_series(case: Case) -> None:
    """Remove the DICOM series of a case, and what a run that was killed left of it."""
    folder = dicom_folder(case)
    remove_folder(folder)
    remove_partial_files_of(folder)


@dataclass(frozen=True)
class DicomOutput:
    """Writes the series of the target ``pet`` (None: no PET is predicted), where ``wanted``. ``how``: what made the
    PETs."""

    wanted: bool
    pet: str | None
    how: str = ""

    def by(self, how: str) -> DicomOutput:
        return replace(self, how=how)

    def check(self, source: Path, cases: Sequence[Case]) -> None:
        """Raise a Ct2PetError where there is no PET or a CT is no DICOM series. Says which cases are not called like
        their folders."""
        if self.wanted and self.pet is None:
            raise Ct2PetError("--dicom writes PETs, and this model predicts none. Leave out --dicom")
        files = [case for case in cases if not case.image.is_dir()]
        if self.wanted and files:
            raise Ct2PetError(
                f"{source}: --dicom needs the CTs as DICOM series, a folder each, for whose patients and studies they "
                f"are; {files[0].image.name} is none. Leave out --dicom"
            )
        if len(files) < len(cases):
            _say_which_are_renamed([case for case in cases if case.image.is_dir()])

    def has(self, case: Case) -> bool:
        """Whether nothing of a case is left to write."""
        return not self.wanted or dicom_folder(case).exists()

    def write(self, case: Case, note: str = "") -> None:
        """Write the series of a case whose prediction is finished; ``note``: what else is said of how it was made.
        Raises ImageError where that cannot be."""
        if self.has(case):
            return
        from ct2pet.dicom.source import read_source
        from ct2pet.dicom.writing import write_pet_series

        remove_series(case)
        folder = dicom_folder(case)
        check_writable(folder.parent)
        pet = read_volume(case.outputs[self.pet or ""], "SUV")
        write_pet_series(folder, pet, read_source(case.image), self.how + note)


def _say_which_are_renamed(cases: Sequence[Case]) -> None:
    """A warning where cases are not called like their folders of DICOM files."""
    from ct2pet.dicom.folders import is_renamed  # imports pydicom, which takes 0.3 s

    renamed = sorted((case.image.name, case.name) for case in cases if is_renamed(case.name, case.image))
    if renamed:
        names = ", ".join(name for _, name in renamed)
        print(
            f"warning: {len(renamed)} folder(s) are named after their patients; their cases are called, in the "
            f"order of the folders: {names}",
            file=sys.stderr,
        )
