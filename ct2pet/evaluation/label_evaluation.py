"""Predicted label maps against the true ones, as regions of a summary."""

from __future__ import annotations

from ct2pet.dataset import Field
from ct2pet.dataset.fields import ORGANS
from ct2pet.evaluation.label_metrics import label_metrics
from ct2pet.evaluation.names import ORGAN
from ct2pet.evaluation.results import Regions
from ct2pet.resampling import resample
from ct2pet.volume import Volume


def label_regions(predicted: Volume, reference: Volume, field: Field) -> Regions:
    """``{region: {metric: value or None}}``: Dice, IoU, HD95 and ASD of every label of ``field``, on the reference's
    grid (the prediction comes there by nearest neighbour)."""
    reference = reference.to_canonical()
    on_reference = resample(predicted.to_canonical(), reference.grid, labels=True)
    found = label_metrics(on_reference.array, reference.array, field.labels, reference.grid.spacing)
    return {region_of(field, name): metrics for name, metrics in found.items()}


def region_of(field: Field, label: str) -> str:
    """The name of the region of a label: that of the organ where the field holds organs."""
    return f"{ORGAN}{label}" if field.name == ORGANS else f"{field.name}:{label}"
