"""Low-dose, denoised and full-dose PET of a test patient of benchmarks/ldos.py, with the outlines of organs.

Run: python benchmarks/ldos_picture.py WORK FILE.png [CASE]
A coronal slice through the middle of the liver, SUV 0 to 5; predicted organs on the first two, the true ones on the
last.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ct2pet.imageio import read_volume
from ct2pet.phantom.paper_organs import PAPER_LABELS
from ct2pet.resampling import resample

MOST_SUV = 5.0
COLOURS = colormaps["tab20"]


def draw(axes: Axes, title: str, pet: np.ndarray, labels: np.ndarray) -> None:
    """A slice of a PET, and the outlines of the labels in it; rows from the feet up."""
    axes.imshow(pet, cmap="gray_r", vmin=0, vmax=MOST_SUV, origin="lower")
    for label in PAPER_LABELS.values():
        if (labels == label).any():
            axes.contour(labels == label, [0.5], colors=[COLOURS(label)], linewidths=1)
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def main(work: Path, target: Path, case: str | None = None) -> None:
    raw, predictions = work / "raw" / "Dataset105_LowDose", work / "predictions" / "ldos"
    case = case or min(path.name.split(".")[0] for path in (raw / "organsTs").glob("*.nii.gz"))
    truth = read_volume(raw / "organsTs" / f"{case}.nii.gz")
    organs = resample(read_volume(predictions / f"{case}_organs.nii.gz"), truth.grid, labels=True)
    shown = {
        "low-dose PET (5%), predicted organs": (raw / "imagesTs" / f"{case}_0000.nii.gz", organs),
        "denoised PET, predicted organs": (predictions / f"{case}_PET.nii.gz", organs),
        "full-dose PET, true organs": (raw / "targetsTs" / f"{case}.nii.gz", truth),
    }
    row = int(np.argwhere(truth.array == PAPER_LABELS["liver"]).mean(0)[1])
    figure = Figure(figsize=(9, 5.4), layout="constrained")
    for axes, (title, (path, labels)) in zip(figure.subplots(1, 3), shown.items()):
        pet = resample(read_volume(path), truth.grid)
        draw(axes, title, pet.array[:, row], labels.array[:, row])
    figure.savefig(target, dpi=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
