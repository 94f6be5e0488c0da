"""Prediction of a volume by the stages of one or several trained models, window by window."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ct2pet.dataset import Field
from ct2pet.dataset.fields import PET
from ct2pet.inference.bfloat16 import TOLERANCE_PROBABILITY, TOLERANCE_SUV, FastWindows, in_float32
from ct2pet.inference.sliding_window import (
    Slab,
    SlidingWindow,
    where_volumes_fit,
    windows_at_once,
)
from ct2pet.models.base import Method, PredictionModel
from ct2pet.models.base.staged import draft_name
from ct2pet.preprocessing.normalization import as_input, outside_value, unit_scale

Progress = Callable[[float], None]
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class WindowOptions:
    """``step_size``: the step of the sliding window as a share of the window, in place of the plans' overlap.
    ``mirror``: average over the flips of the configuration. ``bfloat16``: use it where it is faster and changes little
    (see FastWindows)."""

    step_size: float | None = None
    mirror: bool = False
    bfloat16: bool = False


def predict_volume(
    methods: Sequence[Method],
    inputs: Mapping[str, np.ndarray],
    region: np.ndarray,
    options: WindowOptions | None = None,
    *,
    until: str | None = None,
    progress: Progress | None = None,
) -> Arrays:
    """Normalised input images (Z, Y, X) to the targets by name, on the models' device: images float32, normalised, and
    label maps; with the value outside of images outside ``region`` (bool).

    Of several ``methods`` (folds of one training) images and the probabilities of labels are averaged. ``until``: the
    last stage to compute. ``progress`` is called with shares of the work (sum 1). The models should be in evaluation
    mode, without gradients.
    """
    options = options or WindowOptions()
    stages = [_stages(method, until) for method in methods]
    shares = [len(own) * len(methods) for own in stages]
    reports = [None if progress is None else _scaled(progress, 1 / share) for share in shares]
    seen = [_through(own[:-1], inputs, region, options, report) for own, report in zip(stages, reports)]
    last = [own[-1] for own in stages]
    slabs = [_slabs(stage, own, region, options, report) for stage, own, report in zip(last, seen, reports)]
    return _collect(zip(*slabs), last[0], region)


def _stages(method: Method, until: str | None) -> list[PredictionModel]:
    names = list(method.stages)
    names = names[: names.index(until) + 1] if until else names
    return [method.stages[name] for name in names]  # type: ignore[misc]


def _scaled(progress: Progress, factor: float) -> Progress:
    return lambda share: progress(share * factor)


def _through(
    stages: Sequence[PredictionModel],
    inputs: Mapping[str, np.ndarray],
    region: np.ndarray,
    options: WindowOptions,
    progress: Progress | None,
) -> Mapping[str, np.ndarray]:
    """The inputs of the next stage."""
    for stage in stages:
        found = _collect(zip(_slabs(stage, inputs, region, options, progress)), stage, region)
        inputs = drafts(stage, found)
    return inputs


def drafts(stage: PredictionModel, predicted: Mapping[str, np.ndarray]) -> Arrays:
    """The images predicted by a stage, as inputs of the next one."""
    images = [target for target in stage.fields.targets if not target.rules.is_labels]
    windows = stage.planned.normalization
    return {draft_name(one): as_input(predicted[one.name], windows[one.name]) for one in images}


def _slabs(
    stage: PredictionModel,
    inputs: Mapping[str, np.ndarray],
    region: np.ndarray,
    options: WindowOptions,
    progress: Progress | None,
) -> Iterator[Slab]:
    plan, fields = stage.planned, stage.fields.inputs
    overlap = plan.tile_overlap if options.step_size is None else 1 - options.step_size
    device = where_volumes_fit(_volume_bytes(stage, region), _device(stage))
    window = SlidingWindow(plan.patch_size, overlap, _at_once(stage), plan.tile_layout, plan.window_weights, device)
    function = in_float32(_Windows(stage, options.mirror))
    if options.bfloat16:
        function = FastWindows(function, _device(stage), _tolerances(stage))
    outside = [_outside(stage, one) for one in fields]
    yield from window.slabs([inputs[one.name] for one in fields], outside, region, function, progress)


def _volume_bytes(stage: PredictionModel, region: np.ndarray) -> int:
    """The memory of the input images and the unfinished slices (float32): all channels of each target and the count,
    twice while slices are moved."""
    depth = min(2 * stage.planned.patch_size[0], len(region))
    slices = sum(one.num_channels + 1 for one in stage.fields.targets) * depth * region[0].size
    return 4 * (len(stage.fields.inputs) * region.size + 2 * slices)


def _at_once(stage: PredictionModel) -> int:
    """For slices the batch size of the training; for patches that of the device."""
    if stage.requirements.dimensions == 2:
        return stage.planned.batch_size
    return windows_at_once(stage.planned.patch_size, _device(stage))


def _device(stage: PredictionModel) -> torch.device:
    return next(stage.parameters()).device


def _tolerances(stage: PredictionModel) -> dict[str, float]:
    tolerances = {}
    for one in stage.fields.targets:
        window = stage.planned.normalization.get(one.name)
        suv = TOLERANCE_SUV / unit_scale(window) if one.kind == PET and window else TOLERANCE_PROBABILITY
        tolerances[one.name] = suv
    return tolerances


class _Windows:
    """The output of a stage for windows (N, inputs, Z, Y, X), by target: values of images, probabilities of labels,
    averaged over flips with ``mirror``."""

    def __init__(self, stage: PredictionModel, mirror: bool) -> None:
        axes = stage.planned.mirror_axes if mirror else []
        self.flips = [flip for number in range(len(axes) + 1) for flip in itertools.combinations(axes, number)]
        self.stage, self.device = stage, _device(stage)

    def __call__(self, windows: torch.Tensor) -> dict[str, torch.Tensor]:
        windows = windows.to(self.device)
        totals: dict[str, torch.Tensor] = {}
        for flip in self.flips:
            dims = [axis + 2 for axis in flip]
            for name, answer in self._predict(windows.flip(dims)).items():
                totals[name] = totals.get(name, 0) + answer.float().flip(dims)
        return {name: total / len(self.flips) for name, total in totals.items()}

    def _predict(self, windows: torch.Tensor) -> dict[str, torch.Tensor]:
        stage = self.stage
        inputs = {one.name: window for one, window in zip(stage.fields.inputs, windows.split(1, dim=1))}
        found = stage.predict({name: stage.squeezed(window) for name, window in inputs.items()})
        answers = {}
        for one in stage.fields.targets:
            answer = found[one.name].float().softmax(1) if one.rules.is_labels else found[one.name]
            answers[one.name] = answer.reshape(len(windows), -1, *windows.shape[2:])
        return answers


def _collect(slabs: Iterator[tuple[Slab, ...]], stage: PredictionModel, region: np.ndarray) -> Arrays:
    """Slabs of all models, averaged, as volumes; ``stage`` is one of the models."""
    targets = stage.fields.targets
    outside = {one.name: _outside(stage, one) for one in targets}
    volumes = {one.name: np.full(region.shape, outside[one.name], _type(one)) for one in targets}
    for parts in slabs:
        box = parts[0].box
        inside = torch.from_numpy(np.ascontiguousarray(region[box.slices]))
        for one in targets:
            mean = _mean([part.means[one.name] for part in parts])
            merged = mean.argmax(0) if one.rules.merge == "probability" else mean[0]
            beyond = torch.full_like(merged, outside[one.name])
            volumes[one.name][box.slices] = torch.where(inside, merged, beyond).numpy()
    return volumes


def _outside(stage: PredictionModel, field: Field) -> float:
    """The value outside of images, as the stage's input or output."""
    if field.rules.is_labels:
        return field.rules.outside
    return outside_value(field.rules.outside, stage.planned.normalization[field.name])


def _type(target: Field) -> np.dtype:
    return np.min_scalar_type(target.num_channels - 1) if target.rules.is_labels else np.dtype(np.float32)


def _mean(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """A running mean: exact where all values are equal."""
    mean = torch.zeros_like(parts[0])
    for number, part in enumerate(parts, start=1):
        mean += (part - mean) / number
    return mean
