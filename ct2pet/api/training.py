"""Training, as the command ct2pet_train does it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ct2pet import distributed
from ct2pet.api.at_once import done_or_raise, train_at_once
from ct2pet.api.device import choose_devices
from ct2pet.api.folders import PreprocessedDataset
from ct2pet.dataset.splits import fold_cases
from ct2pet.errors import TrainingError
from ct2pet.files import copy_file
from ct2pet.inference.trained_models import model_folder
from ct2pet.models import load_model
from ct2pet.parallel import map_cases
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
    num_gpus: int = 1,
) -> list[Path]:
    """Train ``model`` on one fold (0, 1, ... or "all") of every district, one after another; with ``num_gpus`` one on
    each GPU. Where torchrun started several processes, all of them train each district together.

    ``configurations``: only these (a district, or ``whole_body``). With ``options.resume`` districts that are
    finished are skipped. Returns the folders of the trainings. Raises Ct2PetError subclasses: unknown names, missing
    preprocessed data, losses that are not finite; of several districts CasesFailed after the others are trained.
    """
    devices = choose_devices(device, num_gpus)
    if len(devices) > 1 and distributed.launched():
        raise TrainingError("-num_gpus trains a district on each GPU, torchrun one on all of them: choose one of them")
    with distributed.joined(devices[0]) as own_device:
        load_model(model)  # an unknown name is told before any work
        plans = PreprocessedDataset.find(dataset).plans(plans_name)
        names = list(configurations or [name for name in plans.configurations if name != WHOLE_BODY])
        for name in names:
            plans.configuration(name)
        job = _Job(dataset, model, fold, plans_name, options or TrainingOptions(), only_validate)
        if len(names) == 1 or distributed.launched():
            return [_train_one(own_device, job, name) for name in names]
        if len(devices) == 1:
            folders = done_or_raise(map_cases(_train_one, {name: (own_device, job, name) for name in names}))
        else:
            folders = train_at_once(_train_one, {name: (job, name) for name in names}, devices)
        return [folders[name] for name in names]


@dataclass(frozen=True)
class _Job:
    """What the trainings of several districts have in common."""

    dataset: str
    model: str
    fold: int | str
    plans_name: str
    options: TrainingOptions
    only_validate: bool


def _train_one(device: str, job: _Job, configuration: str) -> Path:
    """Train one configuration; the folder of the training."""
    preprocessed = PreprocessedDataset.find(job.dataset)
    plans = preprocessed.plans(job.plans_name)
    parent = model_folder(results_folder(), plans.dataset_name, job.model, plans.plans_name, configuration)
    folder = parent / f"fold_{job.fold}"
    training = _training(preprocessed, plans, job, configuration, folder, _options(job, device))
    if distributed.is_main():
        _copy_descriptions(preprocessed, plans, parent)
    if job.only_validate:
        training.validate()
    else:
        training.run()
    return folder


def _options(job: _Job, device: str) -> TrainingOptions:
    """Progress is shown by the main process, as lines where a bar cannot be read. The validation cases of the fold
    "all" are its training cases: they are predicted on request."""
    shown = job.options.show_bar and distributed.is_main()
    bar = shown and sys.stderr.isatty()
    last = job.options.final_validation and str(job.fold) != "all"
    return replace(job.options, device=device, show_bar=bar, show_lines=shown and not bar, final_validation=last)


def _training(
    preprocessed: PreprocessedDataset,
    plans: Plans,
    job: _Job,
    configuration: str,
    folder: Path,
    options: TrainingOptions,
) -> StagedTraining:
    store = preprocessed.store(plans, configuration)
    splits = preprocessed.splits()
    cases = fold_cases(splits, job.fold, store.recorded_cases())
    left_out = sorted({*cases[0], *cases[1]} - {*store.recorded_cases()})
    if left_out and distributed.is_main():
        print(f"fold {job.fold}: not preprocessed and left out: {', '.join(left_out)}", file=sys.stderr)
    if not set(cases[0]) & set(store.cases):
        raise TrainingError(f"fold {job.fold}: none of its training cases contains the district {configuration}")
    origin = {"fold": str(job.fold), "dataset_fingerprint_sha256": digest_of_json(preprocessed.fingerprint_file)}
    return StagedTraining(job.model, configuration, plans, store, cases, splits, folder, options, origin)


def _copy_descriptions(preprocessed: PreprocessedDataset, plans: Plans, folder: Path) -> None:
    """A model folder says by itself what it was trained for."""
    plans.save(folder / "plans.json")
    copy_file(preprocessed.folder / "dataset.json", folder / "dataset.json")


def options_from(arguments: dict[str, Any]) -> TrainingOptions:
    """TrainingOptions from parsed command-line arguments of the same names."""
    names = set(TrainingOptions.__dataclass_fields__) - {"device"}
    known = {name: value for name, value in arguments.items() if name in names}
    return TrainingOptions(**known)
