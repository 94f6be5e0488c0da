"""The augmentation that the default planner chooses."""

from __future__ import annotations

import re
from dataclasses import replace

from ct2pet.dataset import Fields
from ct2pet.dataset.fields import CT
from ct2pet.planning.configuration import Augmentation, ValueChanges

_SIDES = re.compile(r"(^|[_-])(left|right|l|r)([_-]|$)", re.IGNORECASE)
_LARGEST_SCALING = 1.4
# The table of benchmarks/rivals.py in documentation/explanation/experiments.md has what these change.
_CT_VALUES = ValueChanges(probability=0.3, blur_voxels=[0.3, 1.0], contrast=[0.8, 1.25], shift=0.075, gamma=[0.7, 1.4])


def planned_augmentation(fields: Fields) -> Augmentation:
    """Strong where CTs are the only input images. An input PET keeps its noise, which interpolation would smooth, and
    without inputs the size of a lesion can be a property of its class."""
    images = [one for one in fields.inputs if not one.rules.is_labels]
    careful = Augmentation(
        rotation_degrees=[10.0] * 3,
        rotation_probability=0.3,
        flip_axes=planned_flip_axes(fields),
        flip_probability=0.5,
        noise_std=0.01,
        noise_probability=0.3,
    )
    if not images or any(one.kind != CT for one in images):
        return careful
    return replace(
        careful,
        rotation_degrees=[20.0] * 3,
        rotation_probability=0.4,
        scaling_range=[round(1 / _LARGEST_SCALING, 2), _LARGEST_SCALING],
        scaling_probability=0.5,
        ct_values=_CT_VALUES,
    )


def planned_flip_axes(fields: Fields) -> list[int]:
    """The axes to mirror: only left-right, which is nearly symmetric, and only without labels of a side."""
    sided = any(_SIDES.search(name) for one in fields.label_maps for name in one.labels)
    return [] if sided else [2]
