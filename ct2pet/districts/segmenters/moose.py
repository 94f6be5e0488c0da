"""MOOSE, the segmenter of the paper: the package moosez with its model clin_ct_body.

Shiyam Sundar LK et al., "Fully automated, semantic segmentation of whole-body 18F-FDG PET/CT images based on
data-centric artificial intelligence", J Nucl Med 2022;63:1941-1948. https://github.com/ENHANCE-PET/MOOSE
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ct2pet.districts.base import Segmentation
from ct2pet.districts.foreign.segmenter import ForeignSegmenter, relabelled
from ct2pet.errors import PluginError
from ct2pet.volume import Volume

_MODEL = "clin_ct_body"
_DISTRICT = {"head": "head", "body": "trunk", "arms": "arms", "legs": "legs"}
"""The district of each label, by the name that the model gives it (its numbers are read, not known)."""


class MooseSegmenter(ForeignSegmenter):
    """Runs clin_ct_body. ``weights`` is the folder that holds its Dataset001_body; see ForeignSegmenter."""

    name = "moose"
    package = module = "moosez"
    runner = "run_moose"
    models: ClassVar[tuple[str, ...]] = ("Dataset001_body",)

    @classmethod
    def own_weights(cls) -> Path:
        spec = importlib.util.find_spec(cls.module)
        return Path(spec.origin).parent / "models" / "nnunet_trained_models"  # type: ignore[union-attr, arg-type]

    def settings(self) -> dict[str, Any]:
        return {"model": _MODEL}

    def segment(self, case: str, ct_hu: Volume, districts: Mapping[str, int]) -> Segmentation:
        """The districts by the model; without a confidence. Raises PluginError where moosez fails, or its
        model has other labels than those of clin_ct_body."""
        labels, labelled, warnings = self.run_model(ct_hu, _MODEL)
        found = relabelled(labelled.array, _mapping(labels, districts), self.package)
        return Segmentation(labelled.with_array(found), {}, warnings)

    def run_model(self, ct_hu: Volume, model: str) -> tuple[dict[str, Any], Volume, tuple[str, ...]]:
        """The labels of a model (name: number) whose weights are in the only folder of ``models``, its map, and
        warnings."""
        reply, maps = self.run(ct_hu, ("map",), model=model, model_folder=self.models[0])
        if reply["release"] in (None, reply["expected"]):
            return reply["labels"], maps["map"], ()
        warning = f"the weights come from {reply['release']}, moosez {self.version} knows {reply['expected']}"
        return reply["labels"], maps["map"], (warning,)


def _mapping(labels: Mapping[str, Any], districts: Mapping[str, int]) -> dict[int, int]:
    """The dataset's label for each label of the model (``labels`` as in its dataset.json: name to number)."""
    numbers = {name.strip().lower(): number for name, number in labels.items()}
    numbers.pop("background", None)
    if set(numbers) != set(_DISTRICT):
        raise PluginError(
            f"the model in {MooseSegmenter.models[0]} has the labels {', '.join(labels)}; those of {_MODEL} are "
            f"{', '.join(_DISTRICT)}: put that model there"
        )
    return {int(number): districts.get(_DISTRICT[name], 0) for name, number in numbers.items()}


SEGMENTER = MooseSegmenter
