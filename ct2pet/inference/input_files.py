"""The input images of a prediction, and the names of the predictions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ct2pet.dataset import Fields
from ct2pet.dataset.fields import CT, Field
from ct2pet.dataset.predictions import prediction_name
from ct2pet.dataset.raw import CT_CHANNEL
from ct2pet.errors import DatasetError, ImageError
from ct2pet.imageio import image_files, image_suffixes, read_volume, strip_suffix
from ct2pet.volume import Volume

_SEVERAL_FILES = ".mhd"  # has its voxels in a second file; predictions are one file per case


@dataclass(frozen=True)
class ImageFile:
    """An image, and the output file made from it."""

    name: str
    image: Path
    output: Path


@dataclass(frozen=True)
class Case:
    """A case to predict: its input images and the files of its predictions, by field."""

    name: str
    images: Mapping[str, Path]
    outputs: Mapping[str, Path]

    @property
    def image(self) -> Path:
        """The first input."""
        return next(iter(self.images.values()))

    @property
    def output(self) -> Path:
        """The prediction of the first target."""
        return next(iter(self.outputs.values()))

    @property
    def name_beside(self) -> str:
        """The name of other files of its predictions: that of the prediction, or of the case for several targets."""
        return strip_suffix(self.output) if len(self.outputs) == 1 else self.name

    @property
    def picture(self) -> Path:
        """The path of its picture, next to its first prediction."""
        return self.output.parent / f"{self.name_beside}.png"

    @property
    def is_done(self) -> bool:
        """Whether every prediction exists."""
        return all(path.exists() for path in self.outputs.values())


def find_cases(source: Path, target: Path, fields: Fields, patient_map: Path | None = None) -> list[Case]:
    """The cases of a folder of input images, or of one image, sorted by name.

    With one input the folder contains files (CASE_0000.nii.gz or CASE.nii.gz), or else the DICOM files of CTs (see
    ``dicom_cases``); with several inputs files CASE_0000.nii.gz, CASE_0001.nii.gz, ... Predictions
    are ``target``/CASE, or CASE_TARGET for several targets, in the format of the first input (NIfTI for DICOM); for one
    image, also in a folder, and one target ``target`` may be the prediction's file. ``patient_map``: names DICOM
    folders as ct2pet_convert_dicom named their examinations (see ``mapped_names``). Raises DatasetError without images,
    where an input is missing, where two files have the same case name, where a prediction would replace an input, or
    where ``target`` is a file for several predictions.
    """
    if len(fields.inputs) > 1:
        if patient_map is not None:
            raise DatasetError("--patient_map needs DICOM folders of one input; this model has several inputs")
        found = _several_inputs(source, fields.inputs)
    else:
        files = find_images(source, target, patient_map)
        _check_dicom(source, files, fields.inputs[0])
        found = {one.name: {fields.inputs[0].name: one.image} for one in files}
        if len(fields.targets) == 1:
            return [Case(one.name, found[one.name], {fields.targets[0].name: one.output}) for one in files]
    if target.name.lower().endswith(image_suffixes()):
        raise DatasetError(f"{target}: -o must be a folder, because there are several inputs or targets")
    cases = []
    for name, images in found.items():
        ending = _ending(next(iter(images.values())))
        outputs = {one.name: target / (prediction_name(name, one.name, fields) + ending) for one in fields.targets}
        cases.append(Case(name, images, outputs))
    _refuse_to_replace(
        [(image, path) for case in cases for image in case.images.values() for path in case.outputs.values()]
    )
    return cases


def find_images(source: Path, target: Path, patient_map: Path | None = None) -> list[ImageFile]:
    """The images of a folder, or one image, sorted by name, and the output of each: see find_cases. Raises DatasetError
    where ``target`` is a file for several images."""
    source = Path(source)
    files = _files(source, target)
    if patient_map is not None:
        if not all(path.is_dir() for path in files.values()):
            raise DatasetError(f"--patient_map needs folders of DICOM files; {source} contains image files")
        from ct2pet.inference.mapped_names import named_as_converted  # imports pydicom, which takes 0.3 s

        files = named_as_converted(files, patient_map)
    if target.name.lower().endswith(image_suffixes()) and not target.is_dir():
        if len(files) > 1:
            raise DatasetError(f"{target}: -o must be a folder: there are {len(files)} images in {source}")
        found = [ImageFile(name, image, target) for name, image in files.items()]
    else:
        found = [ImageFile(name, image, target / (name + _ending(image))) for name, image in sorted(files.items())]
    _refuse_to_replace([(one.image, one.output) for one in found])
    return found


def part(cases: list[Case], num_parts: int, part_id: int) -> list[Case]:
    """Every ``num_parts``-th case, from ``part_id`` (0 ...) on, to share the work among machines as in nnU-Net.

    Raises DatasetError for a part that does not exist.
    """
    if not 0 <= part_id < num_parts:
        raise DatasetError(f"-part_id {part_id}: with -num_parts {num_parts} the parts are 0 to {num_parts - 1}")
    return cases[part_id::num_parts]


def beside(images: Path, kind: str) -> Path:
    """The folder ``kind`` + Ts (Tr) of a raw dataset next to its folder imagesTs (imagesTr), which may be a link, or
    the target of one.

    Raises DatasetError where ``images`` is not such a folder or the other one does not exist.
    """
    folder = images if images.is_dir() else images.parent
    for place in (Path(os.path.abspath(folder)), folder.resolve()):
        found = place.with_name(place.name.replace("images", kind, 1))
        if found != place and found.is_dir():
            return found
    raise DatasetError(f"{images}: no folder of {kind} next to it; give one with --{kind}")


def read_input(path: Path, field: Field) -> Volume:
    """The image of an input field. Raises ImageError where it cannot be read or its values do not fit its kind; the
    message does not contain the name of a DICOM folder, which may be a patient's name."""
    try:
        volume = read_volume(path, field.rules.unit)
        problems = field.problems(volume.array)
        if problems:
            raise ImageError(f"{path}: {problems[0]}")
    except ImageError as error:
        if path.is_dir():
            raise ImageError(str(error).removeprefix(f"{path}: ")) from None
        raise
    return volume


def _several_inputs(source: Path, inputs: Sequence[Field]) -> dict[str, dict[str, Path]]:
    endings = ", ".join(f"CASE{one.suffix}" for one in inputs)
    if not source.is_dir():
        raise DatasetError(f"{source}: the model takes {len(inputs)} inputs: give the folder with {endings}")
    found: dict[str, dict[str, Path]] = {}
    for name, path in image_files(source).items():
        for one in inputs:
            if name.endswith(one.suffix):
                found.setdefault(name.removesuffix(one.suffix), {})[one.name] = path
    for case, images in found.items():
        missing = [one for one in inputs if one.name not in images]
        if missing:
            raise DatasetError(f"{source}: {case} has no {missing[0].name} ({case}{missing[0].suffix})")
    if not found:
        raise DatasetError(f"{source}: no cases; the model takes {len(inputs)} inputs: {endings}")
    return {case: {one.name: found[case][one.name] for one in inputs} for case in sorted(found)}


def _check_dicom(source: Path, files: Sequence[ImageFile], field: Field) -> None:
    """Raise DatasetError for DICOM folders as images of another kind than CT, because only CTs are read from them."""
    if field.kind != CT and any(one.image.is_dir() for one in files):
        raise DatasetError(
            f"{source}: only CTs are read from DICOM, and the model's input is {field.name}; give files (NIfTI)"
        )


def _refuse_to_replace(pairs: Sequence[tuple[Path, Path]]) -> None:
    for image, output in pairs:
        if output.exists() and output.samefile(image):
            raise DatasetError(f"{image}: the output would replace this image; choose another -o")


def _files(source: Path, target: Path) -> dict[str, Path]:
    if not source.exists():
        raise DatasetError(f"{source}: no such file or folder")
    if source.is_file():
        if not source.name.lower().endswith(image_suffixes()):
            raise ImageError(f"{source}: unknown image format; known are {', '.join(image_suffixes())}")
        return {_case(strip_suffix(source)): source}
    files: dict[str, Path] = {}
    for name, path in image_files(source).items():
        if _case(name) in files:
            raise DatasetError(
                f"{source}: {files[_case(name)].name} and {path.name} have the same case name; remove one"
            )
        files[_case(name)] = path
    if not files:
        from ct2pet.dicom.folders import dicom_cases  # pydicom loads slowly

        files = dicom_cases(source, target)
    if not files:
        known = f"known formats are {', '.join(image_suffixes())} and DICOM"
        nested = "; image files in its subfolders are not read" if any(map(Path.is_dir, source.iterdir())) else ""
        raise DatasetError(f"{source}: no images; {known}{nested}")
    return files


def _case(name: str) -> str:
    return name.removesuffix(CT_CHANNEL)


def _ending(image: Path) -> str:
    if image.is_dir():
        return ".nii.gz"
    ending = image.name[len(strip_suffix(image)) :]
    return ".nii.gz" if ending.lower() == _SEVERAL_FILES else ending
