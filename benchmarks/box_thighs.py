"""Models in the thighs of phantoms without lesions, from the population that is not varied: normal uptake is right.

    python benchmarks/box_thighs.py WORK [--models box OTHER_MODEL ...] [--phantoms 9]

Prints of each model, as means over the phantoms, the mean absolute error (SUV) in 15 cm of both thighs, and the mean
SUV of muscle and fat; and the error of the median of each phantom's own PET.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from ct2pet.api.prediction import predict
from ct2pet.imageio import read_volume, write_volume
from ct2pet.phantom import DEMO, DISTRICTS, LABELS, make_patient, scan
from ct2pet.phantom.field_of_view import cropped
from ct2pet.resampling import resample
from ct2pet.volume import Volume, label_mask

LOW, HIGH = np.array([-230.0, -160.0, 560.0]), np.array([230.0, 190.0, 710.0])  # mm: X, Y, Z
KINDS = {"cts": "ct", "maps": "districts", "pets": "pet", "organs": "organs"}


def make_phantoms(work: Path, count: int) -> list[str]:
    """The first phantoms from head to toe without lesions."""
    fitting = (
        seed
        for seed in itertools.count()
        for one in [make_patient(seed)]
        if one.field_of_view == "whole" and not one.lesions
    )
    names = []
    for seed in itertools.islice(fitting, count):
        names.append(f"phantom_{seed:03d}")
        if not (work / "organs" / f"{names[-1]}.nii.gz").exists():
            made = cropped(scan(make_patient(seed), DEMO), LOW, HIGH)
            for folder, kind in KINDS.items():
                write_volume(work / folder / f"{names[-1]}.nii.gz", getattr(made, kind))
    return names


def tissues(work: Path, name: str) -> tuple[Volume, np.ndarray, dict[str, np.ndarray]]:
    """The PET (SUV), the legs, and muscle and fat in them."""
    pet = read_volume(work / "pets" / f"{name}.nii.gz", "SUV")
    organs, districts = (
        resample(read_volume(work / kind / f"{name}.nii.gz", "label"), pet.grid, labels=True).array
        for kind in ("organs", "maps")
    )
    legs = districts == DISTRICTS["legs"]
    return pet, legs, {tissue: label_mask(organs, [LABELS[tissue]]) & legs for tissue in ("muscle", "fat")}


def row(pet: Volume, seen: np.ndarray, legs: np.ndarray, parts: dict[str, np.ndarray]) -> list[float]:
    return [float(np.abs(pet.array - seen)[legs].mean()), *(float(seen[part].mean()) for part in parts.values())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="a folder for everything that is made")
    parser.add_argument("--models", nargs="+", default=["box"])
    parser.add_argument("--phantoms", type=int, default=9)
    arguments = parser.parse_args()
    work = arguments.work
    known = {name: tissues(work, name) for name in make_phantoms(work, arguments.phantoms)}
    found = {
        "real PET": [row(pet, pet.array, *rest) for pet, *rest in known.values()],
        "median": [
            row(pet, np.full_like(pet.array, np.median(pet.array[legs])), legs, p) for pet, legs, p in known.values()
        ],
    }
    for number, model in enumerate(arguments.models):
        out = work / f"predicted_{number}"
        predict(work / "cts", out, model_paths=[model], districts=work / "maps", device="cpu", mirror=False)
        found[model] = [
            row(pet, resample(read_volume(out / f"{name}.nii.gz", "SUV"), pet.grid).array, *rest)
            for name, (pet, *rest) in known.items()
        ]
    for title, rows in found.items():
        error, muscle, fat = np.mean(rows, axis=0)
        print(f"{title}: MAE {error:.3f}, muscle {muscle:.3f}, fat {fat:.3f} SUV")


if __name__ == "__main__":
    main()
