"""A volume through the stages of a method: each translates it whole, window by window, for the next one."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import torch

from ct2pet.inference.bfloat16 import FastTranslation
from ct2pet.inference.sliding_window import SlidingWindow, windows_at_once
from ct2pet.models.base import Model
from ct2pet.preprocessing.normalization import pet_as_input


def translate_volume(
    model: Model,
    ct: np.ndarray,
    region: np.ndarray,
    *,
    step_size: float | None = None,
    mirror: bool = False,
    until: str | None = None,
    bfloat16_tolerance: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> np.ndarray:
    """Normalised CT (Z, Y, X) to normalised PET, float32, 0 outside ``region`` (bool), on the model's device.

    ``step_size``: the share of a window from one to the next, in place of the plans' overlap. ``mirror``: average over
    the flips that the configuration allows. ``until``: the last stage to go through.
    ``bfloat16_tolerance``: see FastTranslation; None computes in float32. ``progress`` is told shares of the work that
    add up to 1. The model should be in evaluation mode, and nothing should record gradients.
    """
    names = list(model.stages)
    names = names[: names.index(until) + 1] if until else names
    report = None if progress is None else lambda share: progress(share / len(names))
    pet = image = ct
    for name in names:
        stage = model.stages[name]
        plan = stage.planned
        overlap = plan.tile_overlap if step_size is None else 1 - step_size
        window = SlidingWindow(plan.patch_size, overlap, _at_once(stage))
        function = _function(stage, mirror)
        if bfloat16_tolerance is not None:
            function = FastTranslation(function, next(stage.parameters()).device, bfloat16_tolerance)
        pet = window.translate(image, region, function, report)
        image = pet_as_input(pet)
    return pet


def _at_once(stage: Model) -> int:
    """Slices are small: as many as in training; of patches what the device likes."""
    if stage.requirements.dimensions == 2:
        return stage.planned.batch_size
    return windows_at_once(stage.planned.patch_size, next(stage.parameters()).device)


def _function(stage: Model, mirror: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    axes = stage.planned.mirror_axes if mirror else []
    flips = [flip for number in range(len(axes) + 1) for flip in itertools.combinations(axes, number)]
    device = next(stage.parameters()).device

    def translate(windows: torch.Tensor) -> torch.Tensor:
        windows = windows.to(device)
        total = torch.zeros_like(windows)
        for flip in flips:
            dims = [axis + 2 for axis in flip]
            total += stage.translate_patches(windows.flip(dims)).float().flip(dims)
        return total / len(flips)

    return translate
