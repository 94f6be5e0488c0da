"""The time of ct2pet_explain relative to a prediction: a synthetic whole-body CT, one network, regions all over the
body.

Run: python benchmarks/explanation.py [--size quick|full] [--window 32|96] [--regions 20]
The case and the networks are those of predict.py, the regions balls with a radius of 10 to 40 mm. Seconds of the
processor for a full prediction (float32, from files to file) and for the explanation of all regions, which includes one
full prediction; and the time of a region in full predictions.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from _measure import clocked
from _model import write_model
from _whole_body import NAME, make_case, write_case
from predict import FEATURES, WINDOWS, _case

from ct2pet.imageio import read_volume, write_volume
from ct2pet.volume import Volume

_RADII_MM = (10.0, 40.0)


def balls(districts: Volume, number: int) -> Volume:
    """``number`` balls, labelled from 1 on, about places in the districts; later ones lie over earlier ones."""
    random = np.random.default_rng(0)
    labels = np.zeros(districts.grid.shape, np.uint8)
    inside = np.argwhere(districts.array > 0)
    steps = [
        (np.arange(n) * s).reshape([-1 if axis == k else 1 for k in range(3)])
        for axis, (n, s) in enumerate(zip(districts.grid.shape, districts.grid.spacing))
    ]
    for label in range(1, number + 1):
        centre = inside[random.integers(len(inside))] * np.array(districts.grid.spacing)
        squared = sum((step - c) ** 2 for step, c in zip(steps, centre))
        labels[(squared <= random.uniform(*_RADII_MM) ** 2) & (districts.array > 0)] = label
    return Volume(labels, districts.grid, "label")


def measure(folder: Path, size: str, window: int, number: int) -> None:
    write_case(folder, size)
    write_model(folder, size, window, WINDOWS[window], FEATURES[size])
    os.environ.update({f"ct2pet_{kind}": str(folder / kind) for kind in ("raw", "preprocessed", "results")})
    from ct2pet.api.explanation import TABLE, explain
    from ct2pet.api.prediction import predict

    ct, maps = _case(folder)
    name = ct.name.removesuffix("_0000.nii.gz")
    write_volume(folder / "regions" / f"{name}.nii.gz", balls(make_case(size)["districts"], number))
    options = {"districts": maps, "float32": True, "mirror": False, "device": "cpu"}
    alone, _ = clocked(lambda: predict(ct, folder / "predicted", **options))
    explained, _ = clocked(lambda: explain(ct, folder / "regions", folder / "explained", **options))
    assert read_volume(folder / "explained" / f"{name}_change.nii.gz").array.any()
    done = len((folder / "explained" / TABLE).read_text().splitlines()) - 1
    once, seconds = alone["inner_cpu"], explained["inner_cpu"]
    print(f"{NAME}, {size}, windows of {window} voxels: prediction {once:.1f} s of the processor")
    print(f"{done} regions explained: {seconds:.1f} s; a region costs {(seconds - once) / done / once:.2f} predictions")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("quick", "full"), default="quick")
    parser.add_argument("--window", type=int, choices=tuple(WINDOWS), default=32)
    parser.add_argument("--regions", type=int, default=20)
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        measure(Path(temporary), parsed.size, parsed.window, parsed.regions)
