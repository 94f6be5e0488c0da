"""The report's data from a raw dataset: the images of a case, the segmenters' warnings, and the title."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ct2pet.dataset import Field, Fields, RawDataset
from ct2pet.dataset.fields import DISTRICTS, LESIONS, PET
from ct2pet.dataset.predictions import prediction_name
from ct2pet.districts.records import maps_of_predictions, read_record
from ct2pet.report.case_pictures import CaseFiles, LabelFiles
from ct2pet.report.projections import image_title


def title_of(fields: Fields) -> str:
    """The title, for example "Synthetic PET and organs from CT"."""
    targets = ["synthetic PET" if one.kind == PET else image_title(one) for one in fields.targets]
    inputs = [image_title(one) for one in fields.inputs]
    words = f"{_listed(dict.fromkeys(targets))} from {_listed(inputs)}"
    return words[:1].upper() + words[1:]


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def district_maps_of(dataset: RawDataset, cases: Iterable[str], split: str, predictions: Path) -> dict[str, Path]:
    """The district maps of cases: those of the dataset; of cases without one there, those made by ct2pet_predict."""
    if not dataset.districts:
        return {}
    made = maps_of_predictions(predictions, dataset.districts)
    found = {case: dataset.file(DISTRICTS, case, split) or made.get(case) for case in cases}
    return {case: path for case, path in found.items() if path is not None}


def files_of(
    dataset: RawDataset, case: str, split: str, predictions: Mapping[str, Path], district_map: Path | None
) -> CaseFiles:
    """The first input image, and the reference and prediction of the first PET and of every label map."""

    def predicted(target: Field) -> Path | None:
        return predictions.get(prediction_name(case, target.name, dataset.fields))

    fields = dataset.fields
    labels = tuple(LabelFiles(one, predicted(one), dataset.file(one, case, split)) for one in fields.label_maps)
    shown = fields.inputs[0]
    image, pet = dataset.file(shown, case, split), next((one for one in fields.targets if one.kind == PET), None)
    if pet is None:
        return CaseFiles(image, shown, has_pet=False, labels=labels)
    return CaseFiles(
        image,
        shown,
        True,
        dataset.file(pet, case, split),
        predicted(pet),
        labels,
        district_map,
        dataset.districts,
        dataset.file(LESIONS, case, split),
    )


def doubts_of(district_maps: Mapping[str, Path]) -> dict[str, list[str]]:
    """The segmenters' warnings on district maps to check, by case."""
    records = {case: read_record(path) for case, path in district_maps.items()}
    return {
        case: [*record.warnings, *(f"low confidence in {name}" for name in record.low)]
        for case, record in records.items()
        if record is not None and record.is_doubtful
    }
