"""Methods: one file each, found by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ct2pet.errors import PlansError
from ct2pet.plugins import load_plugin, plugin_names

if TYPE_CHECKING:
    from ct2pet.models.base import Method, Model, StagedMethod
    from ct2pet.planning.plans import Plans


def model_names() -> list[str]:
    """The names of all methods, those of other installed packages included."""
    return plugin_names(__name__)


def load_model(name: str) -> type[Model] | type[StagedMethod]:
    """The method called ``name``. Raises PluginError that lists the valid names."""
    return load_plugin(__name__, name, "MODEL")


def build_method(name: str, plans: Plans, configuration: str, source: str) -> Method:
    """The method ``name`` as planned for ``configuration``, with new weights, on the CPU.

    Raises PlansError that begins with ``source``, the file of the plans, where they have no such method: numbers or
    networks that cannot be, fields that it does not take.
    """
    method = load_model(name)
    try:
        return method(plans.configuration(configuration), plans.all_fields, plans.hyperparameters(name))
    except PlansError as error:
        raise PlansError(f"{source}: {error}") from error
