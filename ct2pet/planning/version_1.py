"""Converts plans of schema_version 1 (paired CT and PET only) to the current version."""

from __future__ import annotations

from typing import Any

from ct2pet.dataset.fields import ct_to_pet

_CHANNELS = ("input_channels", "num_classes", "in_channels")
_ROLES = ("generator", "discriminator")


def translate_version_1(content: dict[str, Any]) -> dict[str, Any]:
    """The parsed JSON of plans of version 1, with ``inherits_from`` resolved, converted to version 2.

    Values that cannot be converted are not changed, so that parsing reports the wrong key.
    """
    translated = {**content, "schema_version": 2, "fields": ct_to_pet().to_json()}
    if isinstance(configurations := content.get("configurations"), dict):
        translated["configurations"] = {name: _configuration(one) for name, one in configurations.items()}
    return translated


def _configuration(content: Any) -> Any:
    if not isinstance(content, dict):
        return content
    content = _with_networks(content)
    if isinstance(content.get("slices"), dict):
        content["slices"] = _with_networks(content["slices"])
    windows = {}
    for name, key, unit, target_range in (("CT", "ct", "hu", [-1.0, 1.0]), ("PET", "pet", "suv", [0.0, 1.0])):
        old = content.pop(f"{key}_normalization", None)
        if isinstance(old, dict):
            new = {"clip": True, "range": target_range, **old}
            windows[name] = {end.removesuffix(f"_{unit}"): value for end, value in new.items()}
    return {**content, "normalization": windows}


def _with_networks(content: dict[str, Any]) -> dict[str, Any]:
    networks = {role: _without_channels(content[role]) for role in _ROLES if role in content}
    return {**{key: value for key, value in content.items() if key not in _ROLES}, "networks": networks}


def _without_channels(network: Any) -> Any:
    if not isinstance(network, dict) or not isinstance(network.get("arguments"), dict):
        return network
    return {**network, "arguments": {k: v for k, v in network["arguments"].items() if k not in _CHANNELS}}
