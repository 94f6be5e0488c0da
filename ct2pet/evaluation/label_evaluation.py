"""Evaluation of predicted label maps, as regions of a summary."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ct2pet.dataset import Field
from ct2pet.dataset.fields import ORGANS
from ct2pet.errors import ImageError
from ct2pet.evaluation.label_metrics import label_metrics
from ct2pet.evaluation.names import BIAS, ORGAN, PREDICTED_ORGAN
from ct2pet.evaluation.organ_uptake import PetWithLabels, organ_uptake
from ct2pet.evaluation.results import Regions
from ct2pet.imageio import read_volume
from ct2pet.resampling import resample
from ct2pet.volume import Volume


def read_labels(path: Path, field: Field) -> Volume:
    """A label map of ``field`` as integers. Raises ImageError, naming the file, where it contains other values than its
    labels."""
    volume = read_volume(path, unit=field.rules.unit)
    problems = field.problems(volume.array)
    if problems:
        raise ImageError(f"{path}: {problems[0]}")
    return volume.with_array(volume.array.astype(np.uint16, copy=False))


def label_regions(predicted: Volume, reference: Volume, field: Field) -> Regions:
    """``{region: {metric: value or None}}``: Dice, IoU, HD95 and ASD of every label of ``field``, on the reference's
    grid (the prediction is resampled by nearest neighbour)."""
    reference = reference.to_canonical()
    on_reference = resample(predicted.to_canonical(), reference.grid, labels=True)
    found = label_metrics(on_reference.array, reference.array, field.labels, reference.grid.spacing)
    return {region_of(field, name): metrics for name, metrics in found.items()}


def uptake_regions(predicted: tuple[Volume, Volume], reference: tuple[Volume, Volume], field: Field) -> Regions:
    """The uptake of every organ measured with predicted labels only (see ``organ_uptake``); ``predicted`` and
    ``reference`` are a PET and a label map, which is resampled to the PET's grid by nearest neighbour.

    ``fake_suv_mean_predicted_organ``, ``predicted_organ_suv_mean_bias`` (%) and the same of SUVmax.
    """
    fake, real = (_with_labels(pet, labels) for pet, labels in (predicted, reference))
    found = organ_uptake(fake, real, field.labels)
    return {
        region_of(field, label): {
            **{f"fake_{name}_predicted_organ": metrics[f"fake_{name}"] for name in ("suv_mean", "suv_max")},
            **{f"{PREDICTED_ORGAN}{name}{BIAS}": metrics[f"{name}{BIAS}"] for name in ("suv_mean", "suv_max")},
        }
        for label, metrics in found.items()
    }


def _with_labels(pet: Volume, labels: Volume) -> PetWithLabels:
    pet = pet.to_canonical()
    return PetWithLabels(pet.array, resample(labels.to_canonical(), pet.grid, labels=True).array)


def region_of(field: Field, label: str) -> str:
    """The name of the region of a label: that of the organ where the field is of organs."""
    return f"{ORGAN}{label}" if field.name == ORGANS else f"{field.name}:{label}"
