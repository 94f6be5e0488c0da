"""Which labels of a segmenter make up an organ of a dataset."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ct2pet.errors import PluginError

_SIDES = ("left", "right")


def parts_of(organ: str, names: Collection[str]) -> list[str]:
    """The names of a segmenter that ``organ`` comprises: its own name (liver), otherwise its left and right side
    (kidney_left, kidney_right), otherwise all names that begin with it (lung_upper_lobe_left, vertebrae_L5)."""
    if organ in names:
        return [organ]
    sides = [name for name in names if name in {f"{organ}_{side}" for side in _SIDES}]
    return sides or [name for name in names if name.startswith(f"{organ}_")]


def organ_mapping(organs: Mapping[str, int], labels: Mapping[str, int], package: str) -> dict[int, int]:
    """The dataset's label (0 where it has none) for each label of the segmenter ``package``, both by name.

    Raises PluginError for an organ that the segmenter does not have, and for two organs that share a label.
    """
    mapping = dict.fromkeys(labels.values(), 0)
    for organ, label in organs.items():
        parts = parts_of(organ, labels)
        if not parts:
            raise PluginError(f"{package} knows no {organ}; it knows {', '.join(labels)}")
        for part in parts:
            if mapping[labels[part]]:
                raise PluginError(f"{part} of {package} belongs to two organs of dataset.json, {organ} is one of them")
            mapping[labels[part]] = label
    return mapping
