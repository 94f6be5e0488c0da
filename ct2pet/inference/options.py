"""The options of a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ct2pet.errors import Ct2PetError
from ct2pet.layout import CHECKPOINT_FINAL

GRIDS = ("pet", "ct")


@dataclass(frozen=True)
class PredictionOptions:
    """``dataset``, ``model``, ``plans_name``, ``configurations``, ``folds``, ``checkpoint`` choose the trained model;
    they are optional where there is only one, and where there is none: the built-in model is used then.
    ``model_paths``: instead of the results folder, folders of trained models, archives of ct2pet_export_model, or "box"
    (the built-in model); ``ensemble``: names of trained models, MODEL__PLANS or MODEL__PLANS__CONFIGURATION. The mean
    of several models is predicted. ``lesion_model``: the name (as in ``ensemble``) or path of a further model, whose
    SUV replaces theirs where it is clearly higher (``ensemble.with_lesions``).

    ``districts``: folder of the district maps CASE; ``segmenter``, ``weights``: of maps to make. Without both, maps in
    districtsTs next to imagesTs are used, and images without one are segmented as those of the training; new maps are
    written to districts/ in the folder of the predictions.

    ``step_size``: the step of the sliding window as a share of the window; ``mirror``: average over mirrored inputs;
    ``float32``: compute in float32 only; ``blend_mm``: the width over which districts are blended. ``grid``: "pet" (the
    plans' spacing over the field of view of the first input) or "ct" (that input's own); ``like``: an image with the
    grid to use instead, or a folder with one per case.

    ``dicom``: also write each PET of a DICOM CT as a DICOM series, into dicom/CASE in the folder of the predictions.
    ``patient_map``: the table of ct2pet_convert_dicom by which cases of DICOM folders are named. Districts without a
    model are omitted with a warning: ``require_all_districts`` fails such cases instead, ``fill_with_whole_body``
    predicts them with the model of the whole body. ``continue_prediction``: keep finished predictions. ``pictures``: a
    PNG next to each predicted PET. ``num_parts``, ``part_id``: predict a share of the cases. ``num_readers``,
    ``num_writers``: numbers of threads that read and write cases during the prediction; 0: none."""

    dataset: str | None = None
    model: str | None = None
    plans_name: str | None = None
    configurations: Sequence[str] | None = None
    folds: Sequence[str | int] | None = None
    checkpoint: str = CHECKPOINT_FINAL
    model_paths: Sequence[str | Path] | None = None
    ensemble: Sequence[str] | None = None
    lesion_model: str | Path | None = None
    districts: str | Path | None = None
    segmenter: str | None = None
    weights: str | Path | None = None
    device: str | None = None
    step_size: float | None = None
    mirror: bool = True
    float32: bool = False
    blend_mm: float | None = None
    grid: str = "pet"
    like: str | Path | None = None
    dicom: bool = False
    patient_map: str | Path | None = None
    continue_prediction: bool = False
    pictures: bool = False
    require_all_districts: bool = False
    fill_with_whole_body: bool = False
    num_parts: int = 1
    part_id: int = 0
    num_readers: int = 0
    num_writers: int = 0

    def __post_init__(self) -> None:
        if self.grid not in GRIDS:
            raise Ct2PetError(f"grid {self.grid!r}: must be one of {', '.join(GRIDS)}")
        if self.model_paths and self.ensemble:
            raise Ct2PetError(
                "use either --model (folders or archives) or --ensemble (models of the results folder), not both"
            )
