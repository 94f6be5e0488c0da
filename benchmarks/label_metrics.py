"""Dice, IoU, HD95 and ASD of 18 labels of a whole body against SimpleITK's filters and MONAI.

Run: python benchmarks/label_metrics.py [--size quick|full]
Voxels of 2 mm (full: 900 x 250 x 350) or 4 mm (quick). Every label of the prediction is shifted and has two stray
voxels, one near the head and one near the feet; "no stray voxels" is the same work without them. "Random labels": every
voxel has a random label, as of an untrained network: the worst case for surface voxels in a
tree. At the full size the peers do the work without stray voxels alone: with them, their distance maps cover the whole
volume for every label, which takes minutes.

SimpleITK: LabelOverlapMeasures, and for each label two LabelContours and two SignedMaurerDistanceMaps inside the box of
the label in both maps. MONAI, where it is installed: compute_dice, compute_iou, compute_hausdorff_distance and
compute_average_surface_distance, label by label. Extra memory is the peak beyond what it was with both maps read; the
metrics are means over the labels.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _measure import Figures, benchmark, clocked, peak_mib, table, verdict

SIZES = {"full": ((900, 250, 350), 2.0), "quick": ((450, 125, 175), 4.0)}
NUM_LABELS = 18
METRICS = ("dice", "iou", "hd95", "asd")
_SHIFT_MM = (6.0, -4.0, 4.0)


def prepare(folder: Path, size: str) -> None:
    import numpy as np

    shape, spacing = SIZES[size]
    np.save(folder / "reference.npy", _labels(shape, spacing, (0.0, 0.0, 0.0)))
    predicted = _labels(shape, spacing, _SHIFT_MM)
    np.save(folder / "clean.npy", predicted)
    for plane in (5, -5):
        predicted[plane, 5, 5 : 5 + NUM_LABELS] = np.arange(1, NUM_LABELS + 1)
    np.save(folder / "stray.npy", predicted)
    if size == "quick":
        random = np.random.default_rng(0).integers(0, NUM_LABELS + 1, shape, np.uint8)
        np.save(folder / "random.npy", random)


def _labels(shape: tuple[int, int, int], spacing: float, shift_mm: tuple[float, float, float]) -> Any:
    """Ellipsoids of 0.05 to 3.3 litres along the body, left and right in turn, two of them long as a spine is."""
    import numpy as np

    labels = np.zeros(shape, np.uint8)
    z, y, x = (spacing * np.arange(n, dtype=np.float32) for n in shape)
    for number in range(NUM_LABELS):
        long = number in (3, 9)
        radii = (300, 60, 50) if long else (60 + 5 * (number % 7), 45 + 4 * (number % 5), 70 - 4 * (number % 6))
        centre = (min(300 + 80 * number, 1500), 250 + 20 * (number % 4), 350 + (-1) ** number * 120)
        terms = [((axis - c - s) / r) ** 2 for axis, c, s, r in zip((z, y, x), centre, shift_mm, radii)]
        for plane in np.flatnonzero(terms[0] < 1):
            labels[plane][terms[0][plane] + terms[1][:, None] + terms[2] < 1] = number + 1
    return labels


def _measured(folder: Path, function: Callable[[Any, Any], dict[str, list[float]]], name: str) -> dict[str, float]:
    import numpy as np

    predicted, reference = np.load(folder / f"{name}.npy"), np.load(folder / "reference.npy")
    before = peak_mib()
    seconds, found = clocked(lambda: function(predicted, reference))
    return {**seconds, "extra_mib": peak_mib() - before, **{key: sum(v) / len(v) for key, v in found.items()}}


def _ct2pet(size: str) -> Callable[[Any, Any], dict[str, list[float]]]:
    from ct2pet.evaluation.label_metrics import label_metrics

    def measure(predicted: Any, reference: Any) -> dict[str, list[float]]:
        labels = {str(label): label for label in range(1, NUM_LABELS + 1)}
        found = label_metrics(predicted, reference, labels, (SIZES[size][1],) * 3).values()
        return {metric: [values[metric] or 0.0 for values in found] for metric in METRICS}

    return measure


def _simpleitk(size: str) -> Callable[[Any, Any], dict[str, list[float]]]:
    import numpy as np
    import SimpleITK as sitk

    def contour(image: Any, label: int) -> Any:
        return sitk.LabelContour(image == label, fullyConnected=False)

    def distances(source: Any, target: Any) -> Any:
        distance_map = sitk.SignedMaurerDistanceMap(target, squaredDistance=False, useImageSpacing=True)
        return np.abs(sitk.GetArrayViewFromImage(distance_map)[sitk.GetArrayViewFromImage(source) > 0])

    def measure(predicted: Any, reference: Any) -> dict[str, list[float]]:
        images = [sitk.GetImageFromArray(array) for array in (predicted, reference)]
        for image in images:
            image.SetSpacing((SIZES[size][1],) * 3)
        overlaps = sitk.LabelOverlapMeasuresImageFilter()
        overlaps.Execute(*images[::-1])
        shapes = [sitk.LabelShapeStatisticsImageFilter() for _ in images]
        for image, shape in zip(images, shapes):
            shape.Execute(image)
        found: dict[str, list[float]] = {metric: [] for metric in METRICS}
        for label in range(1, NUM_LABELS + 1):
            boxes = np.array([shape.GetBoundingBox(label) for shape in shapes])
            start = boxes[:, :3].min(axis=0)
            size_of_both = (boxes[:, :3] + boxes[:, 3:]).max(axis=0) - start
            cut = [sitk.RegionOfInterest(image, size_of_both.tolist(), start.tolist()) for image in images]
            first, second = (contour(sitk.ConstantPad(image, (1,) * 3, (1,) * 3, 0), label) for image in cut)
            directed = distances(first, second), distances(second, first)
            found["dice"].append(overlaps.GetDiceCoefficient(label))
            found["iou"].append(overlaps.GetJaccardCoefficient(label))
            found["hd95"].append(float(max(np.percentile(one, 95) for one in directed)))
            found["asd"].append(float(np.concatenate(directed).mean()))
        return found

    return measure


def _monai(size: str) -> Callable[[Any, Any], dict[str, list[float]]]:
    import torch
    from monai.metrics import (
        compute_average_surface_distance,
        compute_dice,
        compute_hausdorff_distance,
        compute_iou,
    )

    def measure(predicted: Any, reference: Any) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {metric: [] for metric in METRICS}
        options = {"include_background": True, "spacing": SIZES[size][1]}
        for label in range(1, NUM_LABELS + 1):
            pair = [torch.from_numpy(array == label)[None, None] for array in (predicted, reference)]
            found["dice"].append(float(compute_dice(*pair)))
            found["iou"].append(float(compute_iou(*pair)))
            found["hd95"].append(float(compute_hausdorff_distance(*pair, percentile=95, **options)))
            found["asd"].append(float(compute_average_surface_distance(*pair, symmetric=True, **options)))
        return found

    return measure


PEERS = {"ct2pet": _ct2pet, "SimpleITK": _simpleitk, "MONAI": _monai}
CLEAN, RANDOM = ", no stray voxels", ", random labels"
ARMS = {
    f"{name}{suffix}": lambda folder, size, make=make, maps=maps: _measured(folder, make(size), maps)
    for maps, suffix in (("stray", ""), ("clean", CLEAN), ("random", RANDOM))
    for name, make in PEERS.items()
}


def arms_of(size: str) -> list[str]:
    arms = [f"{name}{CLEAN}" for name in PEERS]
    if size == "quick":
        arms = [*PEERS, *arms, *(f"{name}{RANDOM}" for name in ("ct2pet", "SimpleITK"))]
    else:
        arms = ["ct2pet", *arms]
    return [arm for arm in arms if not arm.startswith("MONAI") or importlib.util.find_spec("monai")]


def report(figures: dict[str, Figures], size: str) -> str:
    columns = {
        **{"inner": ("seconds,", ".2f"), "inner_cpu": ("CPU s,", ".2f"), "extra_mib": ("extra MiB,", ".0f")},
        **{"dice": ("Dice", ".5f"), "iou": ("IoU", ".5f"), "hd95": ("HD95 [mm]", ".4f"), "asd": ("ASD [mm]", ".4f")},
    }
    verdicts = []
    for peer in figures:
        name, comma, rest = peer.partition(",")
        if name != "ct2pet":
            own = f"ct2pet{comma}{rest}"
            numbers = ["inner", "inner_cpu", "extra_mib"]
            verdicts.append(verdict(f"{peer}: times ct2pet's", figures, numbers, None, peer, own))
    return "\n\n".join([table(figures, columns, "18 labels", "ct2pet"), "\n".join(verdicts)])


if __name__ == "__main__":
    benchmark(__file__, __doc__, ARMS, prepare, report, arms_of)
