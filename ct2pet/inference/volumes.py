"""Prediction of a volume by the stages of one or several trained models, window by window."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ct2pet.dataset import Field
from ct2pet.dataset.fields import PET
from ct2pet.errors import PlansError
from ct2pet.inference.bfloat16 import TOLERANCE_PROBABILITY, TOLERANCE_SUV, FastWindows, in_float32
from ct2pet.inference.placement import Placement, placements, windows_at_once, with_less_memory
from ct2pet.inference.remembered_windows import RememberedWindows
from ct2pet.inference.sliding_window import Slab, SlidingWindow, on_device
from ct2pet.models.base import Method, PredictionModel
from ct2pet.models.base.staged import draft_name
from ct2pet.planning.memory_estimate import estimate_window_bytes
from ct2pet.preprocessing.normalization import as_input, outside_value, unit_scale

Progress = Callable[[float], None]
Arrays = dict[str, np.ndarray]
Images = Mapping[str, np.ndarray | torch.Tensor]


@dataclass(frozen=True)
class WindowOptions:
    """``step_size``: the step of the sliding window as a share of the window, in place of the plans' overlap.
    ``mirror``: average over the flips of the configuration. ``bfloat16``: use it where it is faster and changes little
    (see FastWindows). ``remembered``: answers to windows that are not computed again."""

    step_size: float | None = None
    mirror: bool = False
    bfloat16: bool = False
    remembered: RememberedWindows | None = None


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

    On a GPU images, averages and results are kept in its memory where they fit: each input is copied to it once, each
    target of a stage once from it. After an out-of-memory error less is kept there (see ``placement``).
    """
    stages = [_stages(method, until) for method in methods]
    report = _Forward(progress)

    def attempt(placement: Placement) -> Arrays:
        report.restart()
        return _predict(stages, inputs, _Task(region, options or WindowOptions(), placement), report)

    last = [own[-1] for own in stages]
    return with_less_memory(attempt, placements(_device(last[0]), _volume_bytes(last, region)))


@dataclass(frozen=True)
class _Task:
    """``region``: the voxels to predict (bool; Z, Y, X)."""

    region: np.ndarray
    options: WindowOptions
    placement: Placement


class _Forward:
    """Calls ``progress`` with the shares of the work, except those that were already reported before a restart."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress, self.done, self.reported = progress, 0.0, 0.0

    def restart(self) -> None:
        self.done = 0.0

    def __call__(self, share: float) -> None:
        self.done += share
        if self.progress is not None and self.done > self.reported:
            self.progress(min(share, self.done - self.reported))
            self.reported = self.done


def _predict(stages: Sequence[Sequence[PredictionModel]], inputs: Images, task: _Task, progress: Progress) -> Arrays:
    """The targets of the last stage of each method, averaged."""
    images = {name: on_device(image, task.placement.volumes) for name, image in inputs.items()}
    reports = [_scaled(progress, 1 / (len(own) * len(stages))) for own in stages]
    seen = [_through(own[:-1], images, task, report) for own, report in zip(stages, reports)]
    last = [own[-1] for own in stages]
    slabs = [_slabs(stage, own, task, report) for stage, own, report in zip(last, seen, reports)]
    return _collect(zip(*slabs), last[0], task)


def _stages(method: Method, until: str | None) -> list[PredictionModel]:
    names = list(method.stages)
    names = names[: names.index(until) + 1] if until else names
    return [method.stages[name] for name in names]  # type: ignore[misc]


def _scaled(progress: Progress, factor: float) -> Progress:
    return lambda share: progress(share * factor)


def _through(stages: Sequence[PredictionModel], inputs: Images, task: _Task, progress: Progress) -> Images:
    """The inputs of the next stage."""
    for stage in stages:
        found = _collect(zip(_slabs(stage, inputs, task, progress)), stage, task)
        inputs = drafts(stage, found)
    return inputs


def drafts(stage: PredictionModel, predicted: Mapping[str, np.ndarray]) -> Arrays:
    """The images predicted by a stage, as inputs of the next one."""
    images = [target for target in stage.fields.targets if not target.rules.is_labels]
    windows = stage.planned.normalization
    return {draft_name(one): as_input(predicted[one.name], windows[one.name]) for one in images}


def _slabs(stage: PredictionModel, inputs: Images, task: _Task, progress: Progress) -> Iterator[Slab]:
    plan, fields, options = stage.planned, stage.fields.inputs, task.options
    overlap = plan.tile_overlap if options.step_size is None else 1 - options.step_size
    number, device = _at_once(stage, task.placement), task.placement.volumes
    window = SlidingWindow(plan.patch_size, overlap, number, plan.tile_layout, plan.window_weights, device)
    function = in_float32(_Windows(stage, options.mirror))
    if options.bfloat16:
        function = FastWindows(function, _device(stage), _tolerances(stage))
    if options.remembered is not None:
        function = options.remembered.before(stage, function)
    outside = [_outside(stage, one) for one in fields]
    yield from window.slabs([inputs[one.name] for one in fields], outside, task.region, function, progress)


def _volume_bytes(stages: Sequence[PredictionModel], region: np.ndarray) -> int:
    """The memory of the last stages of several methods: the input images, the region, the results, and the unfinished
    slices of each (float32): all channels of each target and the count, twice while slices are moved."""
    fields = stages[0].fields
    volumes = sum(_type(one).itemsize for one in fields.targets) + 4 * len(fields.inputs) + region.itemsize
    depth = min(2 * stages[0].planned.patch_size[0], len(region))
    slices = sum(one.num_channels + 1 for one in fields.targets) * depth * region[0].size
    return volumes * region.size + 2 * 4 * slices * len(stages)


def _at_once(stage: PredictionModel, placement: Placement) -> int:
    """For slices the batch size of the training; for patches that of the device."""
    if stage.requirements.dimensions == 2:
        return stage.planned.batch_size
    window_bytes: int | None = None
    with contextlib.suppress(PlansError):  # networks whose memory the planner cannot estimate
        window_bytes = estimate_window_bytes(
            stage.configuration, stage.fields, stage.requirements, stage.used_for_inference
        )
    return windows_at_once(stage.planned.patch_size, _device(stage), placement.memory, window_bytes)


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


def _collect(slabs: Iterator[tuple[Slab, ...]], stage: PredictionModel, task: _Task) -> Arrays:
    """Slabs of all models, averaged, as volumes; ``stage`` is one of the models."""
    targets, device = stage.fields.targets, task.placement.volumes
    outside = {one.name: _outside(stage, one) for one in targets}
    region = torch.from_numpy(np.ascontiguousarray(task.region)).to(device)
    volumes = {
        one.name: torch.full(region.shape, outside[one.name], dtype=_torch_type(_type(one)), device=device)
        for one in targets
    }
    for parts in slabs:
        box = parts[0].box.slices
        for one in targets:
            mean = _mean([part.means[one.name] for part in parts])
            merged = mean.argmax(0) if one.rules.merge == "probability" else mean[0]
            beyond = torch.full_like(merged, outside[one.name])
            volumes[one.name][box] = torch.where(region[box], merged, beyond)
    return {name: volume.cpu().numpy() for name, volume in volumes.items()}


def _outside(stage: PredictionModel, field: Field) -> float:
    """The value outside of images, as the stage's input or output."""
    if field.rules.is_labels:
        return field.rules.outside
    return outside_value(field.rules.outside, stage.planned.normalization[field.name])


def _type(target: Field) -> np.dtype:
    return np.min_scalar_type(target.num_channels - 1) if target.rules.is_labels else np.dtype(np.float32)


def _torch_type(kind: np.dtype) -> torch.dtype:
    return torch.from_numpy(np.empty(0, kind)).dtype


def _mean(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """A running mean: exact where all values are equal."""
    mean = torch.zeros_like(parts[0])
    for number, part in enumerate(parts, start=1):
        mean += (part - mean) / number
    return mean
