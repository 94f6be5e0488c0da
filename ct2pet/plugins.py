"""Plug-ins: modules in a folder of ct2pet, or entry points of other installed packages."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ct2pet.errors import PluginError
from ct2pet.suggestions import did_you_mean


def plugin_names(package: str) -> list[str]:
    """Sorted names of the plug-ins of ``package`` (for example ``ct2pet.models``), without importing them.

    A plug-in is a module of the package other than ``base`` and names with a leading underscore, or an entry point
    in the group named like the package.
    """
    return sorted({*_module_names(package), *_foreign(package)})


def load_plugin(package: str, name: str, attribute: str) -> Any:
    """The object ``attribute`` of the module ``package.name``, or the entry point ``name`` of the group ``package``.

    Raises PluginError that lists the valid names where ``name`` is unknown, and one with the reason where a foreign
    plug-in cannot be imported.
    """
    if name in _module_names(package):
        return getattr(importlib.import_module(f"{package}.{name}"), attribute)
    foreign = _foreign(package)
    if name in foreign:
        try:
            return foreign[name].load()
        except Exception as error:
            raise PluginError(f"the plug-in {name!r} ({foreign[name].value}) cannot be loaded: {error}") from error
    kind = package.rsplit(".", 1)[-1]
    names = plugin_names(package)
    raise PluginError(f"unknown name {name!r}; {kind}: {', '.join(names)}{did_you_mean(name, names)}")


def _module_names(package: str) -> set[str]:
    path = importlib.import_module(package).__path__
    names = {module.name for module in pkgutil.iter_modules(path)}
    return {name for name in names if name != "base" and not name.startswith("_")}


def _foreign(package: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=package)}
