"""The demonstrations of ``ct2pet_demo``: one module per method, found by the method's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ct2pet.plugins import load_plugin, plugin_names

if TYPE_CHECKING:
    from ct2pet.api.demonstrations.base import Demonstration


def demonstrated_methods() -> list[str]:
    """The names of the methods that have a demonstration, without importing them."""
    return plugin_names(__name__)


def load_demonstration(method: str) -> Demonstration:
    """The demonstration of a method. Raises PluginError that lists the valid names."""
    return load_plugin(__name__, method, "DEMONSTRATION")
