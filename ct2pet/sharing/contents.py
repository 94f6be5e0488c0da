"""The shared content of a trained model: only listed keys, so that keys added by a user are not exported.

The digests of the training cases are not exported: a guessed case name could be confirmed with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ct2pet.errors import Ct2PetError

_DATASET_KEYS = (
    *("name", "channel_names", "kinds", "target", "targets", "conditions", "districts", "organs", "body_mask"),
    *("dose_fraction", "segmenter", "numTraining", "file_ending", "licence", "license", "reference"),
)
_PLANS_SETTINGS = ("device", "memory_target_gib", "sized_for", "target_spacing")
_PROVENANCE_KEYS = (
    *("dataset_name", "model", "configuration", "plans", "num_training_cases", "fold", "dataset_fingerprint_sha256"),
    *("networks_of", "stages_learn_from", "training_cases_known"),
)
_RUN_KEYS = (
    *("versions", "commit", "date", "system", "device", "processes", "seed", "deterministic"),
    *("num_epochs", "iterations_per_epoch"),
)
_CHECKPOINT_KEYS = ("model_name", "configuration_name", "epoch", "log", "model")
_PATH = re.compile(r"(^|[\s'\"=])(~?/[^/\s]+/|~/|[A-Za-z]:[\\/]|\\\\)")
_URL = re.compile(r"[a-z]+://\S+")


def shared_dataset_json(content: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The keys of dataset.json that a model needs, its name, licence and reference. Raises Ct2PetError as
    ``check_no_path``."""
    return _checked({key: content[key] for key in _DATASET_KEYS if key in content}, source)


def shared_plans(content: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Plans (as JSON), only with settings of the planner. Raises Ct2PetError as ``check_no_path``."""
    settings = content.get("settings", {})
    kept = {key: settings[key] for key in _PLANS_SETTINGS if key in settings}
    return _checked({**content, "settings": kept}, source)


def shared_provenance(content: Any, source: str) -> dict[str, Any]:
    """The provenance of a checkpoint's training, without commands, file names and cases; empty unless a dict. Raises
    Ct2PetError as ``check_no_path``."""
    if not isinstance(content, dict):
        return {}
    kept = {key: content[key] for key in _PROVENANCE_KEYS if key in content}
    if isinstance(content.get("runs"), list):
        kept["runs"] = [{key: run[key] for key in _RUN_KEYS if key in run} for run in content["runs"]]
    weights = content.get("pretrained_weights")
    if isinstance(weights, dict):
        kept["pretrained_weights"] = shared_provenance(weights, source)
    return _checked(kept, source)


def shared_checkpoint(content: Mapping[str, Any], source: str) -> dict[str, Any]:
    """A checkpoint's weights, the numbers of its epochs, its plans and its provenance. Raises Ct2PetError as
    ``check_no_path``."""
    kept = {key: content[key] for key in _CHECKPOINT_KEYS if key in content}
    kept["plans"] = shared_plans(content["plans"], source)
    kept["provenance"] = shared_provenance(content.get("provenance"), source)
    return kept


def check_no_path(value: Any, source: str, where: str = "") -> None:
    """Raise Ct2PetError, which names the key, where a text in JSON content is a file path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            check_no_path(key, source, where)
            check_no_path(item, source, f"{where}.{key}" if where else str(key))
    elif isinstance(value, (list, tuple)):
        for item in value:
            check_no_path(item, source, where)
    elif isinstance(value, str) and _PATH.search(_URL.sub("", value)):
        raise Ct2PetError(f"{source}: {where} contains a path of this machine ({value!r}); remove it before sharing")


def _checked(content: dict[str, Any], source: str) -> dict[str, Any]:
    check_no_path(content, source)
    return content
