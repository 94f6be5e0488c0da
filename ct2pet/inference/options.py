"""What a user may say about a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ct2pet.errors import Ct2PetError
from ct2pet.layout import CHECKPOINT_FINAL

GRIDS = ("pet", "ct")


@dataclass(frozen=True)
class PredictionOptions:
    """``dataset``, ``model``, ``plans_name``, ``configurations``, ``folds``, ``checkpoint`` choose what was trained;
    none is needed where there is one, or none at all: then the model in the box predicts. ``model_paths``: instead of
    the results folder, folders of trained models, archives of ct2pet_export_model, or "box"; ``ensemble``: names of
    trained models, MODEL__PLANS or MODEL__PLANS__CONFIGURATION. Of several models the mean is predicted.

    ``districts``: folder of the district maps CASE; ``segmenter``, ``weights``: what makes them. Without both,
    districtsTs beside imagesTs serves, and images that have no map there are segmented as those of the training were;
    the maps that are made go to districts/ beside the predictions.

    ``step_size``: the share of a window from one to the next; ``mirror``: average over mirrored inputs; ``float32``:
    never compute in bfloat16; ``blend_mm``: the width over which districts are blended. ``grid``: "pet" (the plans'
    spacing over the field of view of the first input) or "ct" (that input's own); ``like``: an image whose grid to use
    instead, or a folder with one for each case.

    ``dicom``: write each PET of a DICOM CT as a DICOM series, too, into dicom/CASE beside the predictions.
    ``patient_map``: the table of ct2pet_convert_dicom by which cases of DICOM folders are named. Districts without a
    model are left out, and a warning names them: ``require_all_districts`` lets such cases fail instead,
    ``fill_with_whole_body`` predicts them with the model of the whole body. With ``continue_prediction`` cases that are
    predicted already are left as they are. ``pictures``: a PNG beside each predicted PET. ``num_parts``, ``part_id``:
    predict a share of the cases. ``num_readers``, ``num_writers``: threads that read cases ahead of the network and
    write behind it; 0: none."""

    dataset: str | None = None
    model: str | None = None
    plans_name: str | None = None
    configurations: Sequence[str] | None = None
    folds: Sequence[str | int] | None = None
    checkpoint: str = CHECKPOINT_FINAL
    model_paths: Sequence[str | Path] | None = None
    ensemble: Sequence[str] | None = None
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
            raise Ct2PetError(f"grid {self.grid!r}: it is one of {', '.join(GRIDS)}")
        if self.model_paths and self.ensemble:
            raise Ct2PetError(
                "--model names files, --ensemble trained models of the results folder: choose one of them"
            )
