"""Weights to begin with: those of another training, network by network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ct2pet.checkpoint import load_checkpoint
from ct2pet.errors import CheckpointError, PlansError
from ct2pet.inference.trained_models import choose, find_in
from ct2pet.layout import CHECKPOINT_FINAL
from ct2pet.models.base import Method
from ct2pet.planning.adoption import counterpart
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.plans import Plans

Weights = Mapping[str, torch.Tensor]


def find_checkpoint(source: Path, configuration: str = "") -> Path:
    """A checkpoint file itself, or the final one in the folder of a training or of a model (``fold_all``, or the only
    fold there is); in a folder of models of several configurations that of ``configuration``, or its counterpart
    (``planning.adoption``). Raises CheckpointError where there is none or several."""
    if not source.is_dir():
        return source
    if (source / CHECKPOINT_FINAL).exists():
        return source / CHECKPOINT_FINAL
    if configuration and any(source.glob(f"*/*__*__*/fold_*/{CHECKPOINT_FINAL}")):
        trained = choose(find_in(source))
        source = trained.folder(counterpart(configuration, trained.folds))
    folds = {path.parent.name: path for path in sorted(source.glob(f"fold_*/{CHECKPOINT_FINAL}"))}
    if "fold_all" in folds:
        return folds["fold_all"]
    if len(folds) == 1:
        return next(iter(folds.values()))
    if folds:
        raise CheckpointError(f"{source}: there are several folds; name one of them: {', '.join(folds)}")
    raise CheckpointError(f"{source}: no {CHECKPOINT_FINAL} there, nor in folders fold_*")


def planned_networks(path: Path) -> Configuration:
    """The configuration that a checkpoint was trained with. Raises CheckpointError, naming the file."""
    content = load_checkpoint(path)
    try:
        return Plans.from_json(content.get("plans", {}), str(path)).configuration(content["configuration_name"])
    except (PlansError, KeyError) as error:
        raise CheckpointError(f"{path}: its plans cannot be read ({error})") from None


def take_weights(method: Method, path: Path) -> tuple[dict[str, Any], str]:
    """Give each network of ``method`` the weights of the network of that name in a checkpoint, where all names and
    shapes agree; the others keep their own.

    Returns what the provenance says of it, and what was taken and what not, in words. Raises CheckpointError where
    nothing fits.
    """
    content = load_checkpoint(path)
    there, own = _by_network(content.get("model", {})), _by_network(method.state_dict())
    differences = {name: _difference(there.get(name), weights) for name, weights in own.items()}
    taken = [name for name, difference in differences.items() if difference is None]
    left = [f"{name} ({difference})" for name, difference in differences.items() if difference is not None]
    if not taken:
        raise CheckpointError(
            f"{path}: none of its networks fits: {'; '.join(left)}; give both the same networks in their plans "
            "(those of the model in the box: ct2pet_plan_and_preprocess -p box)"
        )
    for name in taken:
        for weight, value in own[name].items():
            value.copy_(there[name][weight])
    said = f"{path}: weights taken of {', '.join(taken)}" + (f"; not of {'; '.join(left)}" if left else "")
    return {**_origin(content), "networks": taken}, said


def _by_network(weights: Weights) -> dict[str, dict[str, torch.Tensor]]:
    networks: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in weights.items():
        networks.setdefault(_network_of(name), {})[name] = tensor
    return networks


def _network_of(weight: str) -> str:
    """The network that a weight belongs to: the first part of its name, in a method of stages the third."""
    parts = weight.split(".")
    return ".".join(parts[:3]) if parts[0] == "parts" else parts[0]


def _difference(there: Weights | None, own: Weights) -> str | None:
    """The first thing in which two networks differ; None where they fit."""
    if there is None:
        return "not in the checkpoint"
    for name in own:
        if name not in there:
            return f"{name} is not in the checkpoint"
        if there[name].shape != own[name].shape:
            return f"{name} is {_shape(there[name])} there, {_shape(own[name])} here"
    extra = [name for name in there if name not in own]
    return f"{extra[0]} is in the checkpoint alone" if extra else None


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def _origin(content: Mapping[str, Any]) -> dict[str, Any]:
    """Which training a checkpoint is of, as far as it says."""
    provenance = content.get("provenance")
    provenance = provenance if isinstance(provenance, dict) else {}
    names = ("dataset_name", "model", "configuration", "plans", "fold", "training_cases")
    return {**{name: provenance.get(name) for name in names}, "epoch": content.get("epoch")}
