"""From the plans' network descriptions to nn.Modules."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from typing import Any

from torch import nn

from ct2pet.errors import PlansError
from ct2pet.planning.configuration import NetworkPlan

# Plans and checkpoints come from other people: nothing outside these packages is imported by name, and nothing but
# an nn.Module is called (a function of these packages could write files).
_PACKAGES = ("dynamic_network_architectures.", "ct2pet.", "torch.nn.")


_IN_CHANNELS, _OUT_CHANNELS = ("input_channels", "in_channels"), ("num_classes", "out_channels")


def build_network(plan: NetworkPlan, in_channels: int, out_channels: int | Sequence[int]) -> nn.Module:
    """The network that ``plan`` describes, with so many channels in and out (out: of each decoder, where there are
    several; a discriminator gives one score and takes no number).

    Strings among the arguments that are dotted names (``torch.nn.InstanceNorm3d``) become the classes that they name.
    Raises PlansError where a class does not exist, is no nn.Module or does not take the arguments.
    """
    network_class = _imported(plan.network_class)
    arguments = {name: _named(value) for name, value in plan.arguments.items()}
    takes = inspect.signature(network_class).parameters
    for names, channels in ((_IN_CHANNELS, in_channels), (_OUT_CHANNELS, out_channels)):
        arguments |= {name: channels for name in names if name in takes}
    try:
        return network_class(**arguments)
    except MemoryError:
        raise
    except Exception as error:  # classes of other packages check arguments in many ways, or not at all
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise PlansError(f"{plan.network_class} cannot be built from the plans' arguments: {reason}") from error


def _named(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_PACKAGES):
        return _imported(value)
    return value


def _imported(name: str) -> Any:
    if not name.startswith(_PACKAGES):
        raise PlansError(f"the plans name {name!r}; networks come from {', '.join(p[:-1] for p in _PACKAGES)}")
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PlansError(f"the plans name {name!r}, which cannot be imported: {error}") from None
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise PlansError(f"the plans name {name!r}, which is not a class of networks or layers (nn.Module)")
    return found
