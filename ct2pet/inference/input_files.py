"""Which CTs to predict, and what the predictions are called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ct2pet.dataset.raw import CT_CHANNEL
from ct2pet.errors import DatasetError, ImageError
from ct2pet.evaluation.references import image_files
from ct2pet.imageio import image_suffixes, strip_suffix

_SEVERAL_FILES = ".mhd"  # its voxels lie in a second file: predictions are one file a case


@dataclass(frozen=True)
class Case:
    """A CT and the file of its prediction."""

    name: str
    ct: Path
    output: Path


def find_cases(source: Path, target: Path) -> list[Case]:
    """The cases of a folder of CTs, or of one CT, sorted by name.

    The folder holds files (CASE_0000.nii.gz or CASE.nii.gz), or else a folder of DICOM files for each case, or the
    DICOM files of one CT. Predictions are ``target``/CASE in the format of the CT, those of DICOM as NIfTI; for one CT
    ``target`` may be the prediction's file. Raises DatasetError where there is no CT, where two files are the same
    case, or where a prediction would replace a CT.
    """
    source = Path(source)
    files = _files(source, target)
    if [*files.values()] == [source] and target.name.lower().endswith(image_suffixes()):
        cases = [Case(name, ct, target) for name, ct in files.items()]
    else:
        cases = [Case(name, ct, target / (name + _ending(ct))) for name, ct in sorted(files.items())]
    for case in cases:
        if case.output.exists() and case.output.samefile(case.ct):
            raise DatasetError(f"{case.ct}: the output would replace this CT; choose another -o")
    return cases


def part(cases: list[Case], num_parts: int, part_id: int) -> list[Case]:
    """Every ``num_parts``-th case, from ``part_id`` (0 ...) on: several machines share the work, as with nnU-Net.

    Raises DatasetError where there is no such part.
    """
    if not 0 <= part_id < num_parts:
        raise DatasetError(f"-part_id {part_id}: of -num_parts {num_parts} the parts are 0 to {num_parts - 1}")
    return cases[part_id::num_parts]


def beside(images: Path, kind: str) -> Path:
    """The folder ``kind`` + Ts (Tr) of a raw dataset beside its folder imagesTs (imagesTr).

    Raises DatasetError where ``images`` is not such a folder or there is none beside it.
    """
    folder = (images if images.is_dir() else images.parent).resolve()
    found = folder.with_name(folder.name.replace("images", kind, 1))
    if found == folder or not found.is_dir():
        raise DatasetError(f"{images}: no folder of {kind} beside it; name one with --{kind}")
    return found


def _files(source: Path, target: Path) -> dict[str, Path]:
    if source.is_file():
        if not source.name.lower().endswith(image_suffixes()):
            raise ImageError(f"{source}: unknown image format; known are {', '.join(image_suffixes())}")
        return {_case(strip_suffix(source)): source}
    files: dict[str, Path] = {}
    for name, path in image_files(source).items():
        if _case(name) in files:
            raise DatasetError(f"{source}: {files[_case(name)].name} and {path.name} are the same case; remove one")
        files[_case(name)] = path
    if not files:
        from ct2pet.dicom.folders import dicom_cases  # pydicom takes its time

        files = dicom_cases(source, target)
    if not files:
        raise DatasetError(f"{source}: no CT in it; known image formats are {', '.join(image_suffixes())} and DICOM")
    return files


def _case(name: str) -> str:
    return name.removesuffix(CT_CHANNEL)


def _ending(ct: Path) -> str:
    if ct.is_dir():
        return ".nii.gz"
    ending = ct.name[len(strip_suffix(ct)) :]
    return ".nii.gz" if ending.lower() == _SEVERAL_FILES else ending
