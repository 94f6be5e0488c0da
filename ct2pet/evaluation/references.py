"""What predictions are compared with: real PETs, district maps, lesions and organs, by case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ct2pet.dataset import RawDataset
from ct2pet.errors import DatasetError
from ct2pet.imageio import image_suffixes, strip_suffix


@dataclass(frozen=True)
class Reference:
    """The files of one case: PET in SUV, district map, and lesion mask and organ map where there are any, each on its
    own grid.

    ``pet`` and ``district_map`` are None where the file is missing; evaluating the case then fails and says so.
    """

    pet: Path | None
    district_map: Path | None
    lesions: Path | None = None
    organs: Path | None = None


@dataclass(frozen=True)
class References:
    """The cases to compare with. ``districts`` and ``organs`` map names to labels; ``training`` holds the cases whose
    body voxels give the constant of the baseline ``body_median`` (empty: the evaluated cases give it), ``diagnoses``
    the diagnosis of each case that has one; ``dataset_name`` is empty for plain folders."""

    cases: Mapping[str, Reference]
    districts: Mapping[str, int]
    training: Mapping[str, Reference] = field(default_factory=dict)
    diagnoses: Mapping[str, str] = field(default_factory=dict)
    dataset_name: str = ""
    organs: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_dataset(
        cls, dataset: RawDataset, split: str = "Ts", *, lesions: Path | None = None, organs: Path | None = None
    ) -> References:
        """The cases of a split ("Tr" or "Ts") of a raw dataset; its training cases give the body median.

        The folders ``lesions`` and ``organs``, where given, replace the split's own.
        """
        cases = {case: _of_dataset(dataset, case, split) for case in dataset.cases(split)}
        for kind, folder in (("lesions", lesions), ("organs", organs)):
            if folder is not None:
                files = image_files(folder)
                cases = {case: replace(r, **{kind: files.get(case)}) for case, r in cases.items()}
        training = {case: _of_dataset(dataset, case, "Tr") for case in dataset.cases("Tr")}
        training = {case: r for case, r in training.items() if r.pet is not None and r.district_map is not None}
        organ_names = dict(dataset.description.organs)
        return cls(cases, dataset.districts, training, dataset.diagnoses(), dataset.name, organ_names)

    @classmethod
    def from_folders(
        cls, real_pets: Path, district_maps: Path, districts: Mapping[str, int], lesions: Path | None = None
    ) -> References:
        """The cases of plain folders: a file CASE.nii.gz (or another image format) in each. Every PET is a case."""
        maps, masks = image_files(district_maps), image_files(lesions) if lesions else {}
        cases = {case: Reference(pet, maps.get(case), masks.get(case)) for case, pet in image_files(real_pets).items()}
        return cls(cases, dict(districts))


def _of_dataset(dataset: RawDataset, case: str, split: str) -> Reference:
    return Reference(
        dataset.target(case, split),
        dataset.district_map(case, split),
        dataset.lesions(case, split),
        dataset.organs(case, split),
    )


def image_files(folder: Path) -> dict[str, Path]:
    """The images of a folder by case (the file name without its image suffix). Raises DatasetError where the folder
    does not exist, or where two files are the same case."""
    if not Path(folder).is_dir():
        raise DatasetError(f"{folder}: no such folder")
    files: dict[str, Path] = {}
    for path in sorted(Path(folder).iterdir()):
        if not path.name.lower().endswith(image_suffixes()) or path.name.startswith("."):
            continue
        case = strip_suffix(path.name)
        if case in files:
            raise DatasetError(f"{folder}: {files[case].name} and {path.name} are the same case; remove one")
        files[case] = path
    return files
