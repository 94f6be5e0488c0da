"""The references of predictions: real PETs and label maps, and the evaluated regions, by case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ct2pet.dataset import Field, Fields, RawDataset
from ct2pet.dataset.fields import DISTRICTS, LESIONS, ORGANS, PET, ct_to_pet
from ct2pet.districts.records import maps_of_predictions
from ct2pet.districts.whole_body import BODY_LABEL
from ct2pet.errors import DatasetError
from ct2pet.imageio import image_files

BODY = "body"  # of a dataset without districts: the name of the one region, which is the whole body


@dataclass(frozen=True)
class Reference:
    """The files of one case: PET in SUV, district map, and optional lesion mask and organ map, each on its own grid.
    ``labels``: the reference label maps by target. ``body``: in a dataset without districts the image for finding the
    body.

    ``pet``, ``district_map`` and ``body`` are None where the file is missing; the evaluation of the case then fails
    with this reason.
    """

    pet: Path | None
    district_map: Path | None
    lesions: Path | None = None
    organs: Path | None = None
    labels: Mapping[str, Path | None] = field(default_factory=dict)
    body: Path | None = None


@dataclass(frozen=True)
class References:
    """The reference cases. ``districts`` (may be empty) and ``organs`` map names to labels; ``training``: the cases
    whose body voxels give the constant of the baseline ``body_median`` (empty: the evaluated cases), ``diagnoses`` the
    diagnosis of each case that has one. ``fields``: those of the dataset. ``body``: in a dataset without districts the
    field for finding the body (None: all voxels). ``lesion_groups``: the labels in the lesion masks by group."""

    cases: Mapping[str, Reference]
    districts: Mapping[str, int]
    training: Mapping[str, Reference] = field(default_factory=dict)
    diagnoses: Mapping[str, str] = field(default_factory=dict)
    dataset_name: str = ""
    organs: Mapping[str, int] = field(default_factory=dict)
    fields: Fields = field(default_factory=ct_to_pet)
    body: Field | None = None
    lesion_groups: Mapping[str, int] = field(default_factory=dict)

    @property
    def has_districts(self) -> bool:
        """Whether the cases have district maps; otherwise the body is the only region."""
        return bool(self.districts)

    @property
    def regions(self) -> Mapping[str, int]:
        """The districts, or the body, and their labels."""
        return self.districts or {BODY: BODY_LABEL}

    @property
    def has_pet(self) -> bool:
        """Whether a PET is predicted."""
        return any(one.kind == PET for one in self.fields.targets)

    @property
    def label_targets(self) -> tuple[Field, ...]:
        """The label maps that are predicted."""
        return self.fields.label_maps

    def with_maps_of(self, predictions: Path) -> tuple[References, list[str]]:
        """Cases without a district map get the map that ct2pet_predict made of their CT, where it has the same
        districts; also returns the names of these cases."""
        lacking = [case for case, one in self.cases.items() if self.has_districts and one.district_map is None]
        maps = maps_of_predictions(predictions, self.districts) if lacking else {}
        made = {case: replace(self.cases[case], district_map=maps[case]) for case in lacking if case in maps}
        return replace(self, cases={**self.cases, **made}), sorted(made)

    @classmethod
    def from_dataset(
        cls, dataset: RawDataset, split: str = "Ts", *, lesions: Path | None = None, organs: Path | None = None
    ) -> References:
        """The cases of a split ("Tr" or "Ts") of a raw dataset; its training cases give the body median.

        The folders ``lesions`` and ``organs``, where given, replace the split's own, also as the references of
        predicted label maps of these names.
        """
        cases = {case: _of_dataset(dataset, case, split) for case in dataset.cases(split)}
        for kind, folder in ((LESIONS, lesions), (ORGANS, organs)):
            if folder is not None:
                files = image_files(folder)
                cases = {case: _with_map(r, kind, files.get(case)) for case, r in cases.items()}
        training = {case: _of_dataset(dataset, case, "Tr") for case in dataset.cases("Tr")}
        training = {case: r for case, r in training.items() if r.pet is not None and _has_regions(dataset, r)}
        description = dataset.description
        return cls(
            cases,
            dataset.districts,
            training,
            dataset.diagnoses(),
            dataset.name,
            description.organs,
            dataset.fields,
            None if description.body_mask is None else dataset.fields[description.body_mask],
            description.lesion_groups,
        )

    @classmethod
    def from_folder(cls, folder: Path, *, lesions: Path | None = None, organs: Path | None = None) -> References:
        """The real PETs (SUV) of a folder, CASE with any image ending: no dataset and no districts; the body is found
        in each real PET. The folders ``lesions`` and ``organs`` have masks and maps by case. Raises DatasetError for a
        folder without images."""
        pets = image_files(folder)
        if not pets:
            raise DatasetError(f"{folder}: no images")
        found = {kind: image_files(own) if own else {} for kind, own in ((LESIONS, lesions), (ORGANS, organs))}
        cases = {
            case: Reference(pet, None, found[LESIONS].get(case), found[ORGANS].get(case), body=pet)
            for case, pet in pets.items()
        }
        return cls(cases, {}, body=ct_to_pet()["PET"])


def _of_dataset(dataset: RawDataset, case: str, split: str) -> Reference:
    fields, description = dataset.fields, dataset.description
    pet = next((one for one in fields.targets if one.kind == PET), None)
    if pet is None and not fields.label_maps:
        raise DatasetError(
            f"{dataset.folder}: the dataset has no PET or label map as a target; nothing can be evaluated"
        )
    body = None if dataset.districts else dataset.file(description.body_mask or dataset.leading, case, split)
    return Reference(
        None if pet is None else dataset.file(pet, case, split),
        dataset.file(DISTRICTS, case, split),
        dataset.file(LESIONS, case, split),
        dataset.file(ORGANS, case, split),
        dataset.files(fields.label_maps, case, split),
        body,
    )


def _with_map(reference: Reference, kind: str, path: Path | None) -> Reference:
    """With another file of lesions or organs, also as the reference of a predicted label map of this name."""
    labels = {name: path if name == kind else own for name, own in reference.labels.items()}
    return replace(reference, labels=labels, **{kind: path})  # type: ignore[arg-type]


def _has_regions(dataset: RawDataset, reference: Reference) -> bool:
    return (reference.district_map if dataset.districts else reference.body) is not None
