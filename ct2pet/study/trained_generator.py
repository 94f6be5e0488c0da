"""A trained generator of images of a class as the sampler of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ct2pet.errors import Ct2PetError
from ct2pet.inference.synthesis import SynthesisRequest, sample_volumes
from ct2pet.models.base import Synthesis
from ct2pet.planning.configuration import Configuration
from ct2pet.study.slices import SliceOptions, lesion_slices


@dataclass(frozen=True)
class TrainedGenerator:
    """A Sampler: images of a trained ``model``, resampled as the real slices of a study are.

    ``targets``: the model's target for each kind, in the order of the channels; ``condition`` and ``classes``: the
    model's condition and its classes in the order of the study's labels.
    """

    model: Synthesis
    configuration: Configuration
    targets: Mapping[str, str]
    condition: str
    classes: tuple[str, ...]
    options: SliceOptions

    def sample(self, label: int, number: int, seed: int) -> np.ndarray:
        """float32 (number, C, Y, X) of the class ``label``, in SUV or HU."""
        request = SynthesisRequest({self.condition: self.classes[label]}, number, seed)
        options = SliceOptions(self.options.size_mm, self.options.pixels, 1)
        made = [
            lesion_slices({kind: volumes[name] for kind, name in self.targets.items()}, None, options)[0]
            for _, volumes in sample_volumes(self.model, self.configuration, request)
        ]
        return np.stack(made)


def trained_generator(
    model: Synthesis,
    configuration: Configuration,
    kinds: Sequence[str],
    condition: tuple[str, Sequence[str]],
    options: SliceOptions,
) -> TrainedGenerator:
    """``model`` as the sampler of slices of these ``kinds`` ("pet", "ct"), with the classes of ``condition`` (its name
    and classes in a study).

    Raises Ct2PetError where the model makes no images of a kind or a class, has another condition, or makes smaller
    images than the slices.
    """
    name, classes = condition
    fields = model.fields
    if [one.name for one in fields.conditions] != [name]:
        there = ", ".join(one.name for one in fields.conditions) or "none"
        raise Ct2PetError(f"the generator was trained with the condition(s) {there}, the study needs {name} alone")
    unknown = [label for label in classes if label not in fields[name].labels]
    if unknown:
        known = ", ".join(fields[name].labels)
        raise Ct2PetError(f"the generator was not trained with the {name} {unknown[0]!r}; its classes are {known}")
    targets = {}
    for kind in kinds:
        found = [one.name for one in fields.targets if one.kind == kind]
        if not found:
            there = ", ".join(one.kind for one in fields.targets)
            raise Ct2PetError(f"the generator makes no image of the kind {kind!r} (it makes {there}); see --kinds")
        targets[kind] = found[0]
    size_mm = min(n * mm for n, mm in zip(model.planned.patch_size[1:], configuration.spacing[1:]))
    if size_mm < options.size_mm - 1e-6:
        raise Ct2PetError(
            f"the generator makes images of {size_mm:g} mm, slices have {options.size_mm:g} mm; see --size_mm"
        )
    return TrainedGenerator(model, configuration, targets, name, tuple(classes), options)
