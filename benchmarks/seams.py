"""Seams at the edges of windows: the roughness of predictions there and elsewhere, by weights and overlap.

Run: python benchmarks/seams.py                          a network that is wrong at the rim of its windows
     python benchmarks/seams.py --training FOLDER/fold_0  a trained model, on its stored validation cases
     ... --windows 0 64 96                                windows of the plans' size (0), of 64 and of 96 voxels cubed

Roughness: the mean size of the second difference of the image (SUV) along z, or along y and x, at the voxels on both
sides of the edges of windows, divided by that of all others. Without seams it is 1. The same ratio of the real PET at
the same places is printed beside it. MAE: against the real PET. Difference: the mean and the largest one from the first
overlap with the same weights and windows. Passes: voxels that the network computed, by voxels of the mask.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ct2pet.checkpoint import load_checkpoint
from ct2pet.dataset.fields import MASK, PET
from ct2pet.dataset.splits import fold_cases
from ct2pet.inference.sliding_window import SlidingWindow
from ct2pet.inference.volumes import WindowOptions, predict_volume
from ct2pet.layout import CHECKPOINT_FINAL
from ct2pet.models import load_model
from ct2pet.models.base import PredictionModel
from ct2pet.planning.configuration import WINDOW_WEIGHTS
from ct2pet.planning.plans import Plans
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.preprocessing.normalization import denormalize

OVERLAPS = (0.25, 0.5, 0.625)
PATCH, SHAPE = (32, 32, 32), (96, 64, 64)


@dataclass(frozen=True)
class Result:
    """Of one case: the roughness ratios along z and in the plane, of the prediction and the real PET; MAE (SUV) inside
    the mask; the mean and the largest difference from a reference (SUV); the number of windows; voxels that the network
    computed, by voxels of the mask."""

    along_z: float
    in_plane: float
    real_z: float
    real_plane: float
    mae: float
    difference: float
    largest: float
    windows: int
    passes: float


def edges(window: SlidingWindow, mask: np.ndarray, axis: int) -> np.ndarray:
    """Whether a voxel lies beside an edge of a window along ``axis`` that passes there."""
    found = np.zeros(mask.shape, bool)
    for position in window.positions(mask):
        part = [slice(max(0, a), a + p) for a, p in zip(position, window.patch_size)]
        for edge in (position[axis], position[axis] + window.patch_size[axis]):
            part[axis] = slice(max(0, edge - 1), max(0, edge + 1))
            if 0 < edge < mask.shape[axis]:
                found[tuple(part)] = True
    return found


def roughness(image: np.ndarray, mask: np.ndarray, at_edges: np.ndarray, axis: int) -> float:
    """The ratio of the mean second differences at the edges and elsewhere, inside the mask."""
    inner = tuple(slice(1, -1) if index == axis else slice(None) for index in range(3))
    second = np.abs(np.diff(image, n=2, axis=axis))
    there, inside = at_edges[inner], mask[inner]
    elsewhere = second[inside & ~there]
    beside = second[inside & there]
    return float(beside.mean() / elsewhere.mean()) if beside.size and elsewhere.size else float("nan")


@dataclass
class Reference:
    """The predictions of the first overlap, one a case, to which those of the others are compared."""

    images: list[np.ndarray]

    def difference(self, number: int, fake: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
        if number == len(self.images):
            self.images.append(fake)
        found = np.abs(fake - self.images[number])[mask]
        return float(found.mean()), float(found.max())


@dataclass(frozen=True)
class Way:
    """How to predict. ``edge``: of the windows, voxels; 0: the plans' size."""

    weights: str
    overlap: float
    edge: int = 0


def measured(
    images: tuple[np.ndarray, np.ndarray, np.ndarray], window: SlidingWindow, reference: Reference, number: int
) -> Result:
    """``images``: predicted, real, mask; of the case ``number``."""
    fake, real, mask = images
    found = [edges(window, mask, axis) for axis in range(3)]
    ratios = [[roughness(image, mask, found[axis], axis) for axis in range(3)] for image in (fake, real)]
    planes = [float(np.nanmean(own[1:])) for own in ratios]
    mae = float(np.abs(fake - real)[mask].mean())
    count = len(window.positions(mask))
    passes = count * float(np.prod(window.patch_size)) / np.count_nonzero(mask)
    differences = reference.difference(number, fake, mask)
    return Result(ratios[0][0], planes[0], ratios[1][0], planes[1], mae, *differences, count, passes)


def with_rim_error(way: Way, reference: Reference) -> list[Result]:
    """A smooth random image, predicted 0.5 SUV too high at the rim of each window, by half that every 1.4 voxels."""
    from scipy.ndimage import gaussian_filter

    real = gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 3).astype(np.float32)
    real = 2 + real / real.std() * np.float32(0.5)
    index = np.stack(np.meshgrid(*(np.minimum(np.arange(n), np.arange(n)[::-1]) for n in PATCH), indexing="ij"))
    error = torch.from_numpy(0.5 * np.exp(-index.min(axis=0) / 2)).float()
    mask = np.ones(SHAPE, bool)
    window = SlidingWindow([way.edge] * 3 if way.edge else PATCH, way.overlap, weights=way.weights)
    fake = np.zeros(SHAPE, np.float32)
    for slab in window.slabs([real], [0.0], mask, lambda x: {"PET": x + error}):
        fake[slab.box.slices] = slab.means["PET"][0].numpy()
    return [measured((fake, real, mask), window, reference, 0)]


def of_training(folder: Path, way: Way, reference: Reference) -> Iterator[Result]:
    """The validation cases of a training, predicted on the plans' grid as they are stored."""
    content = load_checkpoint(folder / CHECKPOINT_FINAL)
    plans = Plans.from_json(content["plans"])
    name = content["configuration_name"]
    planned = replace(plans.configuration(name), window_weights=way.weights, tile_overlap=way.overlap)
    planned = replace(planned, patch_size=[way.edge] * 3) if way.edge else planned
    kind = load_model(content["model_name"])
    method = kind(planned, plans.all_fields, plans.hyperparameters(content["model_name"]))
    method.load_state_dict(content["model"])
    method.eval()
    preprocessed = PreprocessedDataset.find(plans.dataset_name)
    store = preprocessed.store(plans, name)
    fold = folder.name.removeprefix("fold_")
    _, cases = fold_cases(preprocessed.splits(), fold if fold == "all" else int(fold), store.recorded_cases())
    stage = list(method.stages.values())[-1]
    assert isinstance(stage, PredictionModel)
    target = next(one for one in plans.all_fields.targets if one.kind == PET)
    window = SlidingWindow(stage.planned.patch_size, way.overlap, weights=way.weights)
    for number, case in enumerate(cases):
        stored = store.open(case).read_all()
        inputs = {one.name: stored[one.name].astype(np.float32) for one in plans.all_fields.inputs}
        with torch.inference_mode():
            found = predict_volume([method], inputs, stored[MASK], WindowOptions())
        normalization = planned.normalization[target.name]
        fake, real = (denormalize(values, normalization) for values in (found[target.name], stored[target.name]))
        images = np.asarray(fake, np.float32), np.asarray(real, np.float32), stored[MASK]
        yield measured(images, window, reference, number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--training", type=Path, metavar="FOLDER", help="of a fold, with checkpoint_final.pth")
    parser.add_argument("--overlaps", type=float, nargs="+", default=OVERLAPS, metavar="SHARE")
    parser.add_argument("--weights", nargs="+", choices=WINDOW_WEIGHTS, default=WINDOW_WEIGHTS)
    parser.add_argument(
        "--windows", type=int, nargs="+", default=[0], metavar="N", help="edges in voxels; 0: the plans'"
    )
    arguments = parser.parse_args()
    titles = ["weights", "window", "overlap", "roughness z (real)", "roughness xy (real)", "MAE [SUV]"]
    titles += ["difference, mean", "largest [SUV]", "windows a case", "passes"]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for weights, edge in itertools.product(arguments.weights, arguments.windows):
        reference = Reference([])
        for overlap in arguments.overlaps:
            way = Way(weights, overlap, edge)
            found = (
                with_rim_error(way, reference)
                if arguments.training is None
                else list(of_training(arguments.training, way, reference))
            )
            mean = {name: float(np.mean([getattr(one, name) for one in found])) for name in Result.__annotations__}
            cells = [weights, str(edge or "plans"), f"{overlap:.3f}", f"{mean['along_z']:.2f} ({mean['real_z']:.2f})"]
            cells += [f"{mean['in_plane']:.2f} ({mean['real_plane']:.2f})", f"{mean['mae']:.4f}"]
            cells += [f"{mean['difference']:.4f}", f"{mean['largest']:.3f}"]
            cells += [f"{mean['windows']:.0f}", f"{mean['passes']:.1f}"]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
