"""The trained models of a prediction: one, or several with averaged predictions; and one for lesions."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ct2pet.dataset.fields import PET
from ct2pet.errors import CheckpointError
from ct2pet.inference.coverage import filled_with_whole_body, without_model
from ct2pet.inference.options import PredictionOptions
from ct2pet.inference.trained_models import LoadedModel, TrainedModel, choose, find_in, find_trained, load_trained
from ct2pet.layout import CHECKPOINT_FINAL
from ct2pet.paths import results_folder
from ct2pet.sharing import unpacked
from ct2pet.sharing.box import ABOUT_BOX, BOX, box_file, is_box
from ct2pet.suggestions import did_you_mean


@dataclass(frozen=True)
class Member:
    """A trained model with its weights. ``folds``: the requested ones (None: all). ``for_lesions``: it is not averaged
    with the others, but predicts their lesions; the last one."""

    trained: TrainedModel
    loaded: LoadedModel
    folds: Sequence[str] | None
    for_lesions: bool = False

    @property
    def name(self) -> str:
        """MODEL__PLANS, and the configurations where they are not the districts of the plans."""
        names = [district.name for district in self.loaded.districts]
        planned = self.loaded.plans.default_configurations
        own = [] if {*planned} <= {*names} else ["+".join(names)]
        return "__".join([self.trained.model, self.trained.plans_name, *own])


@contextlib.contextmanager
def chosen_members(options: PredictionOptions) -> Iterator[list[Member]]:
    """The models chosen by ``options``, loaded; inside the block their files exist.

    If no model is chosen and none is trained, the built-in model (``sharing.box``) is used, with a line on standard
    error. Raises CheckpointError where they are not trained, or cannot be averaged: they must have the same inputs,
    targets and districts, predict the same districts, and predict only images. A model for lesions must
    predict PETs from the same inputs; its districts that the others do not predict are left out.
    """
    with contextlib.ExitStack() as stack:
        members = [_load(trained, configurations, options) for trained, configurations in _chosen(options, stack)]
        _check_together(members)
        if options.lesion_model is not None:
            members.append(_lesion_member(members[0], options.lesion_model, options, stack))
        yield members


def _chosen(options: PredictionOptions, stack: contextlib.ExitStack) -> list[tuple[TrainedModel, Sequence[str] | None]]:
    if options.model_paths:
        return [_of_path(Path(path), options, stack) for path in options.model_paths]
    everything = find_trained(results_folder(), options.checkpoint)
    if options.ensemble:
        return [_named(name, everything, options, f"--ensemble {name}: ") for name in options.ensemble]
    if not everything and _chooses_no_model(options):
        return [_of_path(Path(BOX), options, stack)]
    return [(choose(everything, options.dataset, options.model, options.plans_name), options.configurations)]


def _of_path(
    path: Path, options: PredictionOptions, stack: contextlib.ExitStack
) -> tuple[TrainedModel, Sequence[str] | None]:
    """The model in a folder or in an archive, or the built-in model."""
    if is_box(path):
        print(f"model: {ABOUT_BOX}", file=sys.stderr)
        path = box_file()
    elif not path.exists():
        raise CheckpointError(f"--model {path}: no such file or folder{did_you_mean(str(path), [BOX])}")
    folder = path if path.is_dir() else stack.enter_context(unpacked(path))
    trained = _choose_in(folder, path, options)
    only = [*trained.folds] if len(trained.folds) == 1 else None
    return trained, options.configurations or only


def _chooses_no_model(options: PredictionOptions) -> bool:
    chosen = (options.dataset, options.model, options.plans_name, options.folds)
    return all(one is None for one in chosen) and options.checkpoint == CHECKPOINT_FINAL


def _choose_in(folder: Path, path: Path, options: PredictionOptions) -> TrainedModel:
    try:
        return choose(find_in(folder, options.checkpoint), options.dataset, options.model, options.plans_name)
    except CheckpointError as error:
        raise CheckpointError(str(error).replace(str(folder), str(path))) from None


def _named(
    name: str, trained: Sequence[TrainedModel], options: PredictionOptions, problem: str
) -> tuple[TrainedModel, Sequence[str] | None]:
    """MODEL__PLANS, or MODEL__PLANS__CONFIGURATION with several joined by +."""
    parts = name.split("__")
    if len(parts) not in (2, 3):
        raise CheckpointError(f"{problem}expected MODEL__PLANS or MODEL__PLANS__CONFIGURATION")
    configurations = parts[2].split("+") if len(parts) == 3 else options.configurations
    return choose(trained, options.dataset, parts[0], parts[1]), configurations


def _lesion_member(first: Member, name: str | Path, options: PredictionOptions, stack: contextlib.ExitStack) -> Member:
    """The model for lesions, from its path or its name, of districts that ``first`` predicts. Raises CheckpointError
    where it does not fit ``first``."""
    options = replace(options, configurations=None, fill_with_whole_body=False)
    if is_box(name) or Path(name).exists():
        options = replace(options, dataset=None, model=None, plans_name=None, folds=None)
        found = _of_path(Path(name), options, stack)
    else:
        everything = find_trained(results_folder(), options.checkpoint)
        found = _named(str(name), everything, options, f"--lesion_model {name}: no such file or folder; ")
    member = _load(*found, options)
    _check_fields((first, member), "their predictions cannot be combined")
    plans = first.loaded.plans
    others = [one.name for one in plans.all_fields.targets if one.kind != PET]
    if others:
        raise CheckpointError(f"--lesion_model {name}: {first.trained} predicts {', '.join(others)}, which is no PET")
    missing = {*without_model(plans, first.loaded.districts).values()}
    own = [one for one in member.loaded.districts if missing.isdisjoint(one.configuration.labels)]
    if not own:
        raise CheckpointError(f"--lesion_model {name}: it has no model of a district that {first.trained} predicts")
    return Member(member.trained, replace(member.loaded, districts=own), member.folds, for_lesions=True)


def _load(trained: TrainedModel, configurations: Sequence[str] | None, options: PredictionOptions) -> Member:
    folds = None if options.folds is None else [str(fold) for fold in options.folds]
    loaded = load_trained(trained, configurations, folds)
    if options.fill_with_whole_body:
        loaded = filled_with_whole_body(trained, loaded, folds)
    return Member(trained, loaded, folds)


def _check_together(members: Sequence[Member]) -> None:
    first, *others = members
    plans = first.loaded.plans
    labels = [one.name for one in plans.all_fields.targets if one.rules.is_labels]
    if others and labels:
        raise CheckpointError(
            f"{', '.join(labels)}: a label map, which cannot be averaged over several models. Predict with one model"
        )
    for other in others:
        _check_fields((first, other), "their predictions cannot be averaged")
        missing = [without_model(one.loaded.plans, one.loaded.districts) for one in (first, other)]
        if missing[0] != missing[1]:
            raise CheckpointError(
                f"{first.trained} and {other.trained} have different districts without a model: their predictions "
                "cannot be averaged"
            )


def _check_fields(pair: tuple[Member, Member], consequence: str) -> None:
    """Raise CheckpointError where two models have other inputs, targets or districts."""
    one, other = (member.loaded.plans for member in pair)
    for what, here, there in (
        ("inputs", one.all_fields.inputs, other.all_fields.inputs),
        ("targets", one.all_fields.targets, other.all_fields.targets),
        ("districts", one.districts, other.districts),
    ):
        if here != there:
            raise CheckpointError(f"{pair[0].trained} and {pair[1].trained} have different {what}: {consequence}")
