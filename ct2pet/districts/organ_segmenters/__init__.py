"""Programs that label organs in a CT: plug-ins, one file each. Each is a Segmenter whose districts are organs."""

from __future__ import annotations

import os

from ct2pet.districts.base import Segmenter
from ct2pet.plugins import load_plugin, plugin_names


def organ_segmenter_names() -> list[str]:
    """The sorted names of the segmenters of organs."""
    return plugin_names(__name__)


def make_organ_segmenter(
    name: str, *, weights: str | os.PathLike | None = None, device: str | None = None
) -> Segmenter:
    """The segmenter ``name``; see ForeignSegmenter for ``weights`` and ``device``. Raises PluginError for an unknown
    name, and where the package or its weights are missing."""
    return load_plugin(__name__, name, "SEGMENTER")(weights=weights, device=device)
