"""Methods: one file each, found by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ct2pet.plugins import load_plugin, plugin_names

if TYPE_CHECKING:
    from ct2pet.models.base import Model, StagedMethod


def model_names() -> list[str]:
    """The names of all methods, those of other installed packages included."""
    return plugin_names(__name__)


def load_model(name: str) -> type[Model] | type[StagedMethod]:
    """The method called ``name``. Raises PluginError that lists the valid names."""
    return load_plugin(__name__, name, "MODEL")
