"""Initial weights from another training, network by network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ct2pet.checkpoint import load_checkpoint
from ct2pet.errors import CheckpointError, PlansError, TrainingError
from ct2pet.inference.trained_models import choose, find_in
from ct2pet.layout import CHECKPOINT_FINAL
from ct2pet.models.base import Method
from ct2pet.networks import count_input_windows
from ct2pet.planning.adoption import counterpart
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.plans import Plans
from ct2pet.provenance import training_cases_of

Weights = Mapping[str, torch.Tensor]


def find_checkpoint(source: Path, configuration: str = "") -> Path:
    """A checkpoint file, or the final one in the folder of a training or of a model (``fold_all``, or the only fold).
    In a folder of models of several configurations: that of ``configuration``, or of its counterpart
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
        raise CheckpointError(f"{source}: several folds; give the folder of one of them: {', '.join(folds)}")
    raise CheckpointError(f"{source}: no {CHECKPOINT_FINAL} in it or in its folders fold_*")


def check_outside(checkpoint: Path, folder: Path) -> None:
    """Raises TrainingError where initial weights are in the folder of the training that would replace them."""
    if checkpoint.resolve().is_relative_to(folder.resolve()):
        raise TrainingError(
            f"{checkpoint}: these initial weights are in the folder of the training that would replace them; copy the "
            "file to another folder, and name the copy"
        )


def planned_networks(path: Path) -> Configuration:
    """The configuration that a checkpoint was trained with. Raises CheckpointError, naming the file."""
    content = load_checkpoint(path)
    try:
        return Plans.from_json(content.get("plans", {}), str(path)).configuration(content["configuration_name"])
    except (PlansError, KeyError) as error:
        raise CheckpointError(f"{path}: its plans cannot be read ({error})") from None


def take_weights(method: Method, path: Path) -> tuple[dict[str, Any], str]:
    """Load the weights of each network of ``method`` from the network of this name in a checkpoint, where all names and
    shapes agree; the others keep their weights. Windows that a network adds to its input, but not that of the
    checkpoint, get zero weights: its predictions are at first those of the other network.

    Returns the entry for the provenance, and a text with the loaded and other networks. Raises CheckpointError where no
    network fits.
    """
    content = load_checkpoint(path)
    there, own = _by_network(content.get("model", {})), _by_network(method.state_dict())
    for name, weights in there.items():
        if added := _count_added(method, name):
            there[name] = {key: _widened(value, own[name].get(key), added) for key, value in weights.items()}
    differences = {name: _difference(there.get(name), weights) for name, weights in own.items()}
    taken = [name for name, difference in differences.items() if difference is None]
    left = [f"{name} ({difference})" for name, difference in differences.items() if difference is not None]
    if not taken:
        raise CheckpointError(
            f"{path}: none of its networks fits: {'; '.join(left)}; use the same networks in both plans "
            "(those of the built-in model: ct2pet_plan_and_preprocess -p box)"
        )
    for name in taken:
        for weight, value in own[name].items():
            value.copy_(there[name][weight])
    said = f"{path}: weights loaded: {', '.join(taken)}" + (f"; not loaded: {'; '.join(left)}" if left else "")
    return {**_origin(content), "networks": taken}, said


def _by_network(weights: Weights) -> dict[str, dict[str, torch.Tensor]]:
    networks: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in weights.items():
        networks.setdefault(network_of(name), {})[name] = tensor
    return networks


def network_of(weight: str) -> str:
    """The network that a weight belongs to: the first part of its name, or the third in a method of several stages."""
    parts = weight.split(".")
    return ".".join(parts[:3]) if parts[0] == "parts" else parts[0]


def _count_added(method: Method, network: str) -> int:
    """The input channels that a network of ``method`` adds by itself; 0 where it has no such network."""
    try:
        return count_input_windows(method.get_submodule(network))
    except AttributeError:
        return 0


def _widened(weight: torch.Tensor, own: torch.Tensor | None, added: int) -> torch.Tensor:
    """The weight of a convolution whose shape is that of ``own`` without the last ``added`` input channels, with zeros
    for these; any other weight unchanged."""
    if own is None or own.ndim < 3 or weight.shape != own[:, : own.shape[1] - added].shape:
        return weight
    return torch.cat([weight, weight.new_zeros(own[:, -added:].shape)], dim=1)


def _difference(there: Weights | None, own: Weights) -> str | None:
    """The first difference between two networks; None where they agree."""
    if there is None:
        return "not in the checkpoint"
    for name in own:
        if name not in there:
            return f"{name} is not in the checkpoint"
        if there[name].shape != own[name].shape:
            return f"{name} is {_shape(there[name])} in the checkpoint, {_shape(own[name])} here"
    extra = [name for name in there if name not in own]
    return f"{extra[0]} is only in the checkpoint" if extra else None


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def _origin(content: Mapping[str, Any]) -> dict[str, Any]:
    """The training of a checkpoint, as far as recorded; ``training_cases_known`` (False) where its cases are not."""
    provenance = content.get("provenance")
    provenance = provenance if isinstance(provenance, dict) else {}
    names = ("dataset_name", "model", "configuration", "plans", "fold", "training_cases")
    unknown = {"training_cases_known": False} if training_cases_of(provenance) is None else {}
    return {**{name: provenance.get(name) for name in names}, "epoch": content.get("epoch"), **unknown}
