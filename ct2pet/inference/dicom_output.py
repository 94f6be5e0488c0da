"""Predicted PETs of DICOM CTs as DICOM series: their folder and when they are written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ct2pet.errors import Ct2PetError
from ct2pet.files import check_writable, remove_folder, remove_partial_files_of
from ct2pet.imageio import read_volume
from ct2pet.inference.input_files import Case

FOLDER = "dicom"  # in the folder of the predictions


def dicom_folder(case: Case) -> Path:
    """The folder of the DICOM series of the predicted PET."""
    return case.output.parent / FOLDER / case.name_beside


def remove_series(case: Case) -> None:
    """Remove the DICOM series of a case, and temporary files of a killed run."""
    folder = dicom_folder(case)
    remove_folder(folder)
    remove_partial_files_of(folder)


@dataclass(frozen=True)
class DicomOutput:
    """Writes the series of the target ``pet`` (None: no PET is predicted), where ``wanted``. ``how``: the method of the
    PETs."""

    wanted: bool
    pet: str | None
    how: str = ""

    def by(self, how: str) -> DicomOutput:
        return replace(self, how=how)

    def check(self, source: Path, cases: Sequence[Case]) -> None:
        """Raise a Ct2PetError without a PET or where a CT is not a DICOM series. Prints the cases whose names differ
        from their folders."""
        if self.wanted and self.pet is None:
            raise Ct2PetError("--dicom writes PETs, but this model predicts none; run without --dicom")
        files = [case for case in cases if not case.image.is_dir()]
        if self.wanted and files:
            raise Ct2PetError(
                f"{source}: --dicom needs each CT as a folder with a DICOM series, which has the data of patient "
                f"and study; {files[0].image.name} is not one; run without --dicom"
            )
        if len(files) < len(cases):
            _say_which_are_renamed([case for case in cases if case.image.is_dir()])

    def has(self, case: Case) -> bool:
        """Whether all files of a case are written."""
        return not self.wanted or dicom_folder(case).exists()

    def write(self, case: Case, note: str = "") -> None:
        """Write the series of a case with a finished prediction; ``note``: more text on how it was made. Raises
        ImageError where it cannot be written."""
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
            f"warning: {len(renamed)} folder name(s) contain patient names; their cases are named, in the "
            f"order of the folders: {names}",
            file=sys.stderr,
        )
