"""Training, as the command ct2pet_train does it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ct2pet.api.device import choose_device
from ct2pet.api.folders import PreprocessedDataset
from ct2pet.dataset.splits import fold_cases
from ct2pet.errors import TrainingError
from ct2pet.files import copy_file
from ct2pet.inference.trained_models import model_folder
from ct2pet.models import load_model
from ct2pet.paths import results_folder
from ct2pet.planning.plans import WHOLE_BODY, Plans
from ct2pet.provenance import digest_of_json
from ct2pet.training import StagedTraining, TrainingOptions


def train(
    dataset: str,
    model: str,
    fold: int | str,
    *,
    configurations: Sequence[str] | None = None,
    plans_name: str = "ct2petPlans",
    device: str | None = None,
    options: TrainingOptions | None = None,
    only_validate: bool = False,
) -> list[Path]:
    """Train ``model`` on one fold (0, 1, ... or "all") of every district, one after another.

    ``configurations``: only these (a district, or ``whole_body``). With ``options.resume`` districts that are
    finished are skipped. Returns the folders of the trainings. Raises Ct2PetError subclasses: unknown names, missing
    preprocessed data, losses that are not finite.
    """
    load_model(model)  # an unknown name is told before any work
    preprocessed = PreprocessedDataset.find(dataset)
    plans = preprocessed.plans(plans_name)
    names = list(configurations or [name for name in plans.configurations if name != WHOLE_BODY])
    for name in names:
        plans.configuration(name)
    options = replace(options or TrainingOptions(), device=choose_device(device))
    if str(fold) == "all":  # its validation cases are its training cases
        options = replace(options, final_validation=False)
    folders = []
    for name in names:
        folder = model_folder(results_folder(), plans.dataset_name, model, plans_name, name) / f"fold_{fold}"
        training = _training(preprocessed, plans, model, name, fold, folder, options)
        _copy_descriptions(preprocessed, plans, folder.parent)
        if only_validate:
            training.validate()
        else:
            training.run()
        folders.append(folder)
    return folders


def _training(
    preprocessed: PreprocessedDataset,
    plans: Plans,
    model: str,
    configuration: str,
    fold: int | str,
    folder: Path,
    options: TrainingOptions,
) -> StagedTraining:
    store = preprocessed.store(plans, configuration)
    splits = preprocessed.splits()
    cases = fold_cases(splits, fold, store.recorded_cases())
    left_out = sorted({*cases[0], *cases[1]} - {*store.recorded_cases()})
    if left_out:
        print(f"fold {fold}: not preprocessed and left out: {', '.join(left_out)}", file=sys.stderr)
    if not set(cases[0]) & set(store.cases):
        raise TrainingError(f"fold {fold}: none of its training cases contains the district {configuration}")
    origin = {"fold": str(fold), "dataset_fingerprint_sha256": digest_of_json(preprocessed.fingerprint_file)}
    return StagedTraining(model, configuration, plans, store, cases, splits, folder, options, origin)


def _copy_descriptions(preprocessed: PreprocessedDataset, plans: Plans, folder: Path) -> None:
    """A model folder says by itself what it was trained for."""
    plans.save(folder / "plans.json")
    copy_file(preprocessed.folder / "dataset.json", folder / "dataset.json")


def options_from(arguments: dict[str, Any]) -> TrainingOptions:
    """TrainingOptions from parsed command-line arguments of the same names."""
    names = set(TrainingOptions.__dataclass_fields__) - {"device"}
    known = {name: value for name, value in arguments.items() if name in names}
    return TrainingOptions(**known)
