"""The plans of one dataset for another: the command ct2pet_move_plans_between_datasets as a function."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ct2pet.dataset import open_dataset
from ct2pet.errors import PlansError
from ct2pet.layout import DATASET, DEFAULT_PLANS
from ct2pet.paths import preprocessed_folder
from ct2pet.planning.planner import planned_fields
from ct2pet.preprocessing.folder import PreprocessedDataset


def move_plans_between_datasets(
    source: str | int, target: str | int, plans_name: str = DEFAULT_PLANS, new_name: str | None = None
) -> Path:
    """Write the plans of the dataset ``source`` for the dataset ``target``, under ``new_name`` (default: the same
    name); returns their file.

    Both datasets are then preprocessed in the same way, and a model of one can be fine-tuned on the other. Raises
    PlansError where their inputs, targets or districts differ, and where other plans of this name exist.
    """
    plans = PreprocessedDataset.find(str(source)).plans(plans_name)
    raw = open_dataset(target)
    moved = replace(plans, dataset_name=raw.name, plans_name=new_name or plans_name)
    for what, one, two in (
        ("inputs and targets", plans.fields, planned_fields(raw.fields)),
        ("districts", plans.districts, raw.districts),
    ):
        if one != two:
            raise PlansError(f"{raw.folder / DATASET}: other {what} than the plans of {plans.dataset_name}")
    path = PreprocessedDataset(preprocessed_folder() / raw.name).plans_file(moved.plans_name)
    if path.exists():
        raise PlansError(f"{path}: already exists; choose another name (-tp)")
    moved.save(path)
    return path
