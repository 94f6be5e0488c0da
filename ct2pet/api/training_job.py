"""The training of one configuration: its plans, cases and folder."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from ct2pet import distributed
from ct2pet.api.folders import PreprocessedDataset
from ct2pet.dataset.splits import fold_cases
from ct2pet.errors import TrainingError
from ct2pet.files import copy_file, read_json
from ct2pet.inference.out_of_memory import reporting_out_of_memory
from ct2pet.inference.trained_models import model_folder
from ct2pet.paths import results_folder
from ct2pet.planning.adoption import adopt_networks
from ct2pet.planning.plans import WHOLE_BODY, Plans
from ct2pet.provenance import TRAINING_FILE, digest_of_json
from ct2pet.training import StagedTraining, TrainingOptions
from ct2pet.training.pretraining import find_checkpoint, planned_networks

_NETWORKS_OF = "networks_of"  # in the provenance of a district that adopted the whole body's networks

_LESS_MEMORY = (
    "end what else computes there, or plan again with a smaller -gpu_memory_target (ct2pet_plan_and_preprocess) or, by "
    "hand, a smaller batch_size or patch_size"
)


@dataclass(frozen=True)
class TrainingJob:
    """What the trainings of several configurations have in common. ``from_whole_body``: a district begins with the
    networks and weights of the whole body, which is trained."""

    dataset: str
    model: str
    fold: int | str
    plans_name: str
    options: TrainingOptions
    only_validate: bool = False
    from_whole_body: bool = False

    def folder(self, plans: Plans, configuration: str) -> Path:
        """Where the training of a configuration lies."""
        parent = model_folder(results_folder(), plans.dataset_name, self.model, plans.plans_name, configuration)
        return parent / f"fold_{self.fold}"


def train_one(device: str, job: TrainingJob, configuration: str) -> Path:
    """Train one configuration; returns the folder of the training."""
    preprocessed = PreprocessedDataset.find(job.dataset)
    plans = preprocessed.plans(job.plans_name)
    job = replace(job, options=_options(job, device), from_whole_body=_from_whole_body(job, plans, configuration))
    if job.from_whole_body:
        source = find_checkpoint(job.folder(plans, WHOLE_BODY))
        adopted = adopt_networks(plans.configuration(configuration), planned_networks(source))
        plans = replace(plans, configurations={**plans.configurations, configuration: adopted})
        job = replace(job, options=replace(job.options, pretrained_weights=source))
    folder = job.folder(plans, configuration)
    with reporting_out_of_memory(device, configuration, _LESS_MEMORY):
        training = _training(preprocessed, plans, job, configuration, folder)
        if distributed.is_main_process():
            _copy_descriptions(preprocessed, plans, folder.parent)
        if job.only_validate:
            training.validate()
        else:
            training.run()
    return folder


def _options(job: TrainingJob, device: str) -> TrainingOptions:
    """Progress is shown by the main process, as lines where a bar cannot be read. The validation cases of the fold
    "all" are its training cases: they are predicted on request."""
    shown = job.options.show_bar and distributed.is_main_process()
    bar = shown and sys.stderr.isatty()
    last = job.options.final_validation and str(job.fold) != "all"
    return replace(job.options, device=device, show_bar=bar, show_lines=shown and not bar, final_validation=last)


def _from_whole_body(job: TrainingJob, plans: Plans, configuration: str) -> bool:
    """Whether a user asks for it, or the training to go on with or to validate was begun so."""
    if configuration == WHOLE_BODY or job.from_whole_body:
        return configuration != WHOLE_BODY
    record = job.folder(plans, configuration) / TRAINING_FILE
    goes_on = (job.options.resume or job.only_validate) and record.exists()
    return goes_on and read_json(record).get(_NETWORKS_OF) == WHOLE_BODY


def _training(
    preprocessed: PreprocessedDataset, plans: Plans, job: TrainingJob, configuration: str, folder: Path
) -> StagedTraining:
    store = preprocessed.store(plans, configuration)
    splits = preprocessed.splits()
    cases = fold_cases(splits, job.fold, store.recorded_cases())
    left_out = sorted({*cases[0], *cases[1]} - {*store.recorded_cases()})
    if left_out and distributed.is_main_process():
        print(f"fold {job.fold}: not preprocessed and left out: {', '.join(left_out)}", file=sys.stderr)
    if not set(cases[0]) & set(store.cases):
        raise TrainingError(f"fold {job.fold}: none of its training cases contains the district {configuration}")
    origin = {"fold": str(job.fold), "dataset_fingerprint_sha256": digest_of_json(preprocessed.fingerprint_file)}
    if job.from_whole_body:
        origin[_NETWORKS_OF] = WHOLE_BODY
    return StagedTraining(job.model, configuration, plans, store, cases, splits, folder, job.options, origin)


def _copy_descriptions(preprocessed: PreprocessedDataset, plans: Plans, folder: Path) -> None:
    """A model folder says by itself what it was trained for."""
    plans.save(folder / "plans.json")
    copy_file(preprocessed.folder / "dataset.json", folder / "dataset.json")
