"""Where the districts of a body lie in a CT. The segmenters are plug-ins, one file each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ct2pet.districts.base import Segmentation, Segmenter, SegmenterIdentity
from ct2pet.districts.merging import MergedSegmenter
from ct2pet.districts.segment import check_districts, segment_ct, segmenter_labels
from ct2pet.errors import PluginError
from ct2pet.plugins import load_plugin, plugin_names

__all__ = [
    "DEFAULT_SEGMENTER",
    "Segmentation",
    "Segmenter",
    "SegmenterIdentity",
    "check_districts",
    "load_segmenter",
    "make_segmenter",
    "segment_ct",
    "segmenter_labels",
    "segmenter_names",
]


_PLUGINS = "ct2pet.districts.segmenters"
DEFAULT_SEGMENTER = "rules"


def segmenter_names() -> list[str]:
    """The sorted names of the segmenters."""
    return plugin_names(_PLUGINS)


def load_segmenter(name: str) -> type[Segmenter]:
    """The class of a segmenter. Raises PluginError, which lists the names, where it is unknown."""
    if name not in segmenter_names():
        raise PluginError(f"there is no segmenter {name!r}; there are: {', '.join(segmenter_names())}")
    return load_plugin(_PLUGINS, name, "SEGMENTER")


def make_segmenter(
    name: str, *, device: str | None = None, merge: Mapping[str, Sequence[str]] | None = None, **options: Any
) -> Segmenter:
    """The segmenter ``name`` with the options that a user gave; None is no option.

    ``device`` is used by segmenters with networks alone. ``merge``: see MergedSegmenter. Raises PluginError for an
    unknown name and for any other option that this segmenter does not take, and what its constructor raises where it
    cannot work.
    """
    segmenter = load_segmenter(name)
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in segmenter.options:
            raise PluginError(f"the segmenter {name} takes no {option}")
    if device is not None and "device" in segmenter.options:
        given["device"] = device
    made = segmenter(**given)
    return made if merge is None else MergedSegmenter(made, merge)
