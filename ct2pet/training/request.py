"""From a user's request to the training of one configuration: its plans, cases and folder."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from ct2pet import distributed
from ct2pet.checkpoint import load_checkpoint
from ct2pet.dataset.splits import fold_cases
from ct2pet.errors import TrainingError
from ct2pet.files import copy_file, read_json
from ct2pet.inference.out_of_memory import reporting_out_of_memory
from ct2pet.layout import (
    CHECKPOINT_FINAL,
    CHECKPOINT_LATEST,
    DATASET,
    PLANS,
    fold_folder,
    model_folder,
)
from ct2pet.locks import folder_lock
from ct2pet.paths import results_folder
from ct2pet.planning.adoption import adopt_networks
from ct2pet.planning.plans import WHOLE_BODY, Plans
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.provenance import digest_of_json
from ct2pet.training.checkpoints import remove_training
from ct2pet.training.dose_mixing import check_doses
from ct2pet.training.options import TrainingOptions
from ct2pet.training.pretraining import check_outside, find_checkpoint, planned_networks
from ct2pet.training.record import recorded_start
from ct2pet.training.run import TrainingRun
from ct2pet.training.staged import train, validate

_NETWORKS_OF = "networks_of"  # in the provenance of a district that adopted the whole body's networks

_LESS_MEMORY = (
    "end other programs on this device, or plan again with a smaller -gpu_memory_target, or, by "
    "hand, a smaller batch_size or patch_size"
)


@dataclass(frozen=True)
class TrainingRequest:
    """The common settings of the trainings of several configurations. ``from_whole_body``: a district is initialized
    with the networks and weights of the trained whole body. ``results``: the folder of results (None: that of the
    environment)."""

    preprocessed: PreprocessedDataset
    plans: Plans
    model: str
    fold: int | str
    options: TrainingOptions
    only_validate: bool = False
    from_whole_body: bool = False
    results: Path | None = None

    def folder(self, configuration: str) -> Path:
        """The folder of a configuration's training."""
        plans = self.plans
        results = self.results or results_folder()
        parent = model_folder(results, plans.dataset_name, self.model, plans.plans_name, configuration)
        return fold_folder(parent, self.fold)

    def run_of(self, configuration: str, device: str) -> TrainingRun:
        """The training of one configuration. Raises TrainingError where no training case has the district, or where the
        planned doses do not fit the method or the dataset."""
        store, splits = self.preprocessed.store(self.plans, configuration), self.preprocessed.splits()
        recorded = store.recorded_cases()
        training, validation = fold_cases(splits, self.fold, recorded)
        left_out = sorted({*training, *validation} - {*recorded})
        if left_out and distributed.is_main_process():
            print(
                f"fold {self.fold}: left out because they are not preprocessed: {', '.join(left_out)}", file=sys.stderr
            )
        if not set(training) & set(store.cases):
            raise TrainingError(f"fold {self.fold}: none of its training cases contains the district {configuration}")
        fingerprint = digest_of_json(self.preprocessed.fingerprint_file)
        run = TrainingRun(
            self.model,
            configuration,
            self.plans,
            store,
            training,
            validation,
            self.folder(configuration),
            self._options(device),
            splits,
            {"fold": str(self.fold), "dataset_fingerprint_sha256": fingerprint},
            str(self.preprocessed.plans_file(self.plans.plans_name)),
        )
        check_doses(self.model, run.configuration, read_json(self.preprocessed.folder / DATASET), run.plans_source)
        return self._begun_with_whole_body(run) if self._begins_with_whole_body(configuration) else run

    def _options(self, device: str) -> TrainingOptions:
        """Progress is shown by the main process. The validation cases of the fold "all" are its training cases: they
        are predicted on request."""
        shown = self.options.show_progress and distributed.is_main_process()
        last = self.options.final_validation and str(self.fold) != "all"
        return replace(self.options, device=device, show_progress=shown, final_validation=last)

    def _begins_with_whole_body(self, configuration: str) -> bool:
        """Whether it is requested, or the training to continue or validate was started so."""
        if configuration == WHOLE_BODY or self.from_whole_body:
            return configuration != WHOLE_BODY
        goes_on = self.options.resume or self.only_validate
        return goes_on and recorded_start(self.folder(configuration)).get(_NETWORKS_OF) == WHOLE_BODY

    def _begun_with_whole_body(self, run: TrainingRun) -> TrainingRun:
        source = find_checkpoint(self.folder(WHOLE_BODY))
        adopted = adopt_networks(run.configuration, planned_networks(source))
        configurations = {**run.plans.configurations, run.configuration_name: adopted}
        return replace(
            run,
            plans=replace(run.plans, configurations=configurations),
            options=replace(run.options, pretrained_weights=source),
            origin={**run.origin, _NETWORKS_OF: WHOLE_BODY},
        )


def _training_lock(folder: Path) -> contextlib.AbstractContextManager[None]:
    """The lock of a training's folder, which one process of a group holds for all."""
    return folder_lock(folder, "a training") if distributed.is_main_process() else contextlib.nullcontext()


def _replace_old_training(run: TrainingRun) -> None:
    """Print which training is replaced. Raises TrainingError where it, or a stage of it, is finished and must not be
    replaced."""
    finished = (run.folder / CHECKPOINT_FINAL).exists()
    stages = [name for name in run.earlier_stages() if (run.folder / name / CHECKPOINT_FINAL).exists()]
    begun = _has_begun(run)
    distributed.barrier()  # all processes have checked before the main one removes files
    if finished and not run.options.overwrite:
        raise TrainingError(
            f"{run.folder}: this training is finished; --c continues with more epochs, --val only validates, "
            "--overwrite repeats it"
        )
    if stages and not run.options.overwrite:
        raise TrainingError(
            f"{run.folder}: not finished, but some of its stages are: {', '.join(stages)}; --c continues it, "
            "--overwrite repeats it"
        )
    if distributed.is_main_process():
        if finished:
            print(f"{run.folder}: this finished training is replaced", file=sys.stderr)
        elif begun:
            print(f"{run.folder}: this unfinished training is replaced (--c would continue it)", file=sys.stderr)
        if run.options.overwrite:
            remove_training(run.folder)
    distributed.barrier()


def _say_what_continues(run: TrainingRun) -> None:
    """Print where there is no checkpoint to continue from."""
    if distributed.is_main_process() and not _has_begun(run):
        print(f"{run.folder}: no checkpoint to continue from (--c); the training starts with epoch 1", file=sys.stderr)


def _has_begun(run: TrainingRun) -> bool:
    """Whether a stage of the training has a checkpoint to continue from."""
    folders = [run.folder, *(run.folder / name for name in run.earlier_stages())]
    return any((folder / name).exists() for folder in folders for name in (CHECKPOINT_FINAL, CHECKPOINT_LATEST))


def train_one(device: str, request: TrainingRequest, configuration: str) -> Path:
    """Train (or validate) one configuration; the folder of the training. Raises Ct2PetError where another process
    trains it."""
    run = request.run_of(configuration, device)
    with reporting_out_of_memory(device, configuration, _LESS_MEMORY), _training_lock(run.folder):
        if run.options.resume and not request.only_validate:
            _say_what_continues(run)
        elif not request.only_validate:
            if run.options.pretrained_weights is not None:
                start = find_checkpoint(run.options.pretrained_weights, configuration)
                check_outside(start, run.folder)
                load_checkpoint(start)  # before anything is removed
            _replace_old_training(run)
        if distributed.is_main_process():  # makes a model folder self-contained
            run.plans.save(run.folder.parent / PLANS)
            copy_file(request.preprocessed.folder / DATASET, run.folder.parent / DATASET)
        if request.only_validate:
            validate(run)
        else:
            train(run)
    return run.folder
