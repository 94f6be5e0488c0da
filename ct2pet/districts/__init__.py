"""Where the districts of a body lie in a CT. The segmenters are plug-ins, one file each."""

from __future__ import annotations

from ct2pet.districts.base import Segmenter
from ct2pet.plugins import load_plugin, plugin_names

__all__ = ["Segmenter", "load_segmenter", "segmenter_names"]


def segmenter_names() -> list[str]:
    """The sorted names of the segmenters."""
    return plugin_names(__name__)


def load_segmenter(name: str) -> type[Segmenter]:
    """The class of a segmenter. Raises PluginError, which lists the names, where it is unknown."""
    return load_plugin(__name__, name, "SEGMENTER")
