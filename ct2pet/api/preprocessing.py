"""Preprocessing, as the command ct2pet_preprocess does it. Without torch, which takes longer to load than the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ct2pet.dataset import open_dataset
from ct2pet.layout import DEFAULT_PLANS
from ct2pet.parallel import default_processes
from ct2pet.preprocessing import preprocess_dataset
from ct2pet.preprocessing.folder import PreprocessedDataset


def preprocess(
    dataset: str,
    *,
    plans_name: str = DEFAULT_PLANS,
    configurations: Sequence[str] | None = None,
    num_processes: int | None = None,
) -> None:
    """Write the districts' stores. Interrupted and started again, it goes on; unchanged cases are not done again."""
    preprocessed = PreprocessedDataset.find(dataset)
    plans = preprocessed.plans(plans_name)
    if configurations:
        chosen = {name: plans.configuration(name) for name in configurations}
        plans = replace(plans, configurations=chosen)
    raw = open_dataset(plans.dataset_name)
    preprocess_dataset(raw, plans, preprocessed.folder, num_processes or default_processes())
