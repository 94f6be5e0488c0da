"""Trained models as one file: the commands ct2pet_export_model and ct2pet_install_model as functions."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ct2pet import __version__, layout
from ct2pet.checkpoint import load_checkpoint, save_checkpoint
from ct2pet.errors import CheckpointError, Ct2PetError, PluginError
from ct2pet.evaluation import read_summary
from ct2pet.files import check_writable, copy_file, read_json, remove_folder, write_json
from ct2pet.inference.trained_models import TrainedModel, choose, find_in, find_trained, own_plans
from ct2pet.models import load_model
from ct2pet.paths import results_folder
from ct2pet.planning.plans import WHOLE_BODY, Plans
from ct2pet.sharing import (
    FileFacts,
    Manifest,
    ModelFacts,
    TrainingFacts,
    ValidationFacts,
    facts_of,
    model_card,
    shared_checkpoint,
    shared_dataset_json,
    shared_plans,
    unpack,
    write_package,
)

_ABOUT = ("name", "licence", "license", "reference")
_VERSIONS = ("ct2pet", "torch", "python")
_VALIDATIONS = {layout.CHECKPOINT_FINAL: layout.VALIDATION, layout.CHECKPOINT_BEST: layout.VALIDATION_BEST}


@dataclass(frozen=True)
class ExportOptions:
    """Which model to export: ``model``, ``plans_name`` (not needed where only one is trained), ``configurations`` and
    ``folds`` (default: those that ``predict`` uses), ``checkpoint``; ``half_precision``: weights as float16, with 11
    bits of precision."""

    model: str | None = None
    plans_name: str | None = None
    configurations: Sequence[str] | None = None
    folds: Sequence[str | int] | None = None
    checkpoint: str = layout.CHECKPOINT_FINAL
    half_precision: bool = False


def export_model(dataset: str | int, output: str | Path, options: ExportOptions | None = None, **changes: Any) -> Path:
    """Write a trained model of a dataset (id or name) to the zip archive ``output``; returns its path.

    ``changes`` are ExportOptions by name. The archive contains weights, plans, dataset.json, the training's provenance,
    a model card, and checksums; no case, no name of a case, no path, no command. Raises CheckpointError that lists the
    trained models where none or several match, and Ct2PetError where a file of the model contains a path.
    """
    options, output = replace(options or ExportOptions(), **changes), Path(output)
    if output.suffix.lower() != ".zip":
        raise Ct2PetError(f"{output}: the name of an exported model must end in .zip")
    trained = choose(
        find_trained(results_folder(), options.checkpoint), str(dataset), options.model, options.plans_name
    )
    folds = None if options.folds is None else [str(fold) for fold in options.folds]
    checkpoints = trained.checkpoints(options.configurations, folds)
    check_writable(output.parent)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=output.parent) as temporary:
        facts = _collect(trained, checkpoints, Path(temporary), options.half_precision)
        (Path(temporary) / layout.MODEL_CARD).write_text(model_card(facts), encoding="utf-8", newline="\n")
        write_package(output, Path(temporary), facts.manifest)
    return output


def install_model(package: str | Path) -> list[Path]:
    """Install an exported model into the results folder; returns the folders of its configurations.

    All files are checked first. An existing folder with the same files is kept. Raises Ct2PetError where the archive is
    damaged, would write outside its folder or is not a model, and where another model of this name exists; then nothing
    is changed.
    """
    package, results = Path(package), results_folder()
    check_writable(results)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=results) as temporary:
        stage = Path(temporary).resolve()
        manifest = unpack(package, stage)
        trained = choose(find_in(stage, _checkpoint_of(stage, package)))
        _check_content(package, trained)
        folders = [trained.folder(name).relative_to(stage) for name in trained.folds]
        new = [folder for folder in folders if not _is_installed(results / folder, _files_in(folder, manifest))]
        for folder in new:
            copy_file(stage / layout.MODEL_CARD, stage / folder / layout.MODEL_CARD)
        _move([(stage / folder, results / folder) for folder in new])
    return [results / folder for folder in folders]


def _collect(
    trained: TrainedModel, checkpoints: dict[str, list[Path]], stage: Path, half_precision: bool
) -> ModelFacts:
    """Write the shared files into ``stage``; returns the facts of the card."""
    trainings, validations = [], []
    versions: dict[str, str] = {}
    plans, about = None, {}
    for configuration, paths in checkpoints.items():
        source = trained.folder(configuration)
        target = layout.model_folder(stage, trained.dataset_name, trained.model, trained.plans_name, configuration)
        description = shared_dataset_json(read_json(source / layout.DATASET), str(source / layout.DATASET))
        about = {key: str(description[key]) for key in _ABOUT if key in description}
        write_json(target / layout.DATASET, description)
        for path in paths:
            content = shared_checkpoint(load_checkpoint(path), str(path))
            plans = own_plans(content, path, trained.model, configuration)
            if half_precision:
                content["model"] = _halved(content["model"])
            save_checkpoint(target / path.parent.name / path.name, content)
            write_json(target / path.parent.name / layout.TRAINING_PROVENANCE, content["provenance"])
            trainings.append(_training(content, plans, path.parent.name))
            validations += _validation(path, configuration)
            versions = (content["provenance"].get("runs") or [{}])[-1].get("versions", versions)
        assert plans is not None
        write_json(target / layout.PLANS, shared_plans(plans.to_json(), str(source / layout.PLANS)))
    assert plans is not None
    folds = {name: [path.parent.name.removeprefix("fold_") for path in paths] for name, paths in checkpoints.items()}
    manifest = Manifest(trained.dataset_name, trained.model, trained.plans_name, trained.checkpoint, folds, __version__)
    known = {name: versions[name] for name in _VERSIONS if name in versions}
    return ModelFacts(manifest, plans.all_fields, plans.districts, trainings, validations, about, known)


def _halved(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights as float16. Several names of one tensor (a decoder contains its encoder) stay names of one tensor."""
    halves: dict[tuple[int, torch.Size], torch.Tensor] = {}
    for tensor in weights.values():
        half = tensor.half() if tensor.is_floating_point() else tensor
        halves.setdefault((tensor.data_ptr(), tensor.shape), half)
    return {name: halves[tensor.data_ptr(), tensor.shape] for name, tensor in weights.items()}


def _training(content: dict[str, Any], plans: Plans, fold: str) -> TrainingFacts:
    planned = plans.configuration(content["configuration_name"])
    cases = content["provenance"].get("num_training_cases")
    fold = fold.removeprefix("fold_")
    return TrainingFacts(
        content["configuration_name"], fold, cases, content.get("epoch"), planned.spacing, planned.patch_size
    )


def _validation(checkpoint: Path, configuration: str) -> list[ValidationFacts]:
    """The error of the validation cases of a numbered fold with this checkpoint; empty where they are, or may be,
    training cases, and for checkpoints that no training validates."""
    folder, fold = _VALIDATIONS.get(checkpoint.name), checkpoint.parent.name.removeprefix("fold_")
    if folder is None or fold == "all":
        return []
    path = checkpoint.parent / folder / layout.SUMMARY
    if not path.is_file():
        return []
    summary = read_summary(path)
    region = WHOLE_BODY if configuration == WHOLE_BODY else configuration
    found = summary["mean"].get(region) or summary["mean"].get("body") or {}
    mae = found.get("mae")
    if summary["provenance"].get("evaluated_training_cases", []) != [] or not mae or mae["mean"] is None:
        return []
    return [ValidationFacts(configuration, fold, mae["mean"], mae["n"])]


def _files_in(folder: Path, manifest: Manifest) -> dict[str, FileFacts]:
    prefix = f"{folder.as_posix()}/"
    return {name.removeprefix(prefix): facts for name, facts in manifest.files.items() if name.startswith(prefix)}


def _checkpoint_of(stage: Path, package: Path) -> str:
    names = {path.name for path in stage.glob("*/*/fold_*/*.pth")}
    if len(names) != 1:
        raise Ct2PetError(
            f"{package}: contains {len(names) or 'no'} kinds of checkpoints, not one; export the model again"
        )
    return names.pop()


def _check_content(package: Path, trained: TrainedModel) -> None:
    """Raise Ct2PetError where a checkpoint cannot be read or is of another model. Weights and plans are data; no code
    is loaded from them."""
    try:
        for configuration, folds in trained.folds.items():
            for path in trained.checkpoints([configuration], folds)[configuration]:
                own_plans(load_checkpoint(path), path, trained.model, configuration)
            Plans.load(trained.folder(configuration) / layout.PLANS)
    except Ct2PetError as error:
        reason = str(error).replace(f"{trained.results}/", "")
        raise CheckpointError(f"{package}: {reason}") from None
    try:
        load_model(trained.model)
    except PluginError as error:
        print(f"warning: {error}; install the package of this method before prediction", file=sys.stderr)


def _is_installed(target: Path, files: Mapping[str, FileFacts]) -> bool:
    """Whether a folder with these files (by path inside it) exists. Raises Ct2PetError where it differs."""
    if not target.exists():
        return False
    for name, facts in files.items():
        if not (target / name).is_file() or facts_of(target / name) != facts:
            raise Ct2PetError(f"{target}: another model has this name ({name} differs); remove or rename this folder")
    return True


def _move(folders: Sequence[tuple[Path, Path]]) -> None:
    """Move all folders to their targets, or none."""
    moved: list[Path] = []
    try:
        for source, target in folders:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
            moved.append(target)
    except BaseException:
        for target in moved:
            remove_folder(target)
        raise
