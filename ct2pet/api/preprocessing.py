"""Preprocessing: the command ct2pet_preprocess as a function. It does not load torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ct2pet.console import say
from ct2pet.dataset import open_dataset
from ct2pet.layout import DEFAULT_PLANS
from ct2pet.parallel import default_processes
from ct2pet.preprocessing import preprocess_dataset
from ct2pet.preprocessing.folder import PreprocessedDataset


@dataclass(frozen=True)
class PreprocessingOptions:
    """``configurations``: only these districts, or the whole body (default: all of the plans)."""

    plans_name: str = DEFAULT_PLANS
    configurations: Sequence[str] | None = None
    num_processes: int | None = None


def preprocess(dataset: str | int, options: PreprocessingOptions | None = None, **changes: Any) -> None:
    """Write the districts' stores. An interrupted run continues; unchanged cases are skipped.

    ``changes`` are PreprocessingOptions by name.
    """
    options = replace(options or PreprocessingOptions(), **changes)
    preprocessed = PreprocessedDataset.find(str(dataset))
    plans = preprocessed.plans(options.plans_name)
    if options.configurations:
        chosen = {name: plans.configuration(name) for name in options.configurations}
        plans = replace(plans, configurations=chosen)
    raw = open_dataset(plans.dataset_name)
    count = preprocess_dataset(raw, plans, preprocessed.folder, options.num_processes or default_processes())
    say(f"{preprocessed.folder}: {count} case(s) preprocessed, {len(raw.cases('Tr')) - count} finished before")
