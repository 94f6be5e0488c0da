"""Where the error in the body is: in lesions, or in soft tissue, fat or other tissue outside them, told by its HU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ct2pet.dataset import RawDataset
from ct2pet.imageio import read_volume
from ct2pet.resampling import AIR_HU, resample

TISSUES_HU = {"soft tissue": (20.0, 90.0), "fat": (-150.0, -40.0)}
_LESIONS, _OTHER, _BIAS = "lesions", "other tissue", "bias of soft tissue"


def error_parts(
    real: np.ndarray, predicted: np.ndarray, body: np.ndarray, lesions: np.ndarray, hu: np.ndarray
) -> dict[str, float]:
    """The parts (SUV) of the mean absolute error in the body, which they add up to, and the mean difference in soft
    tissue outside lesions (SUV)."""
    outside = body & ~lesions
    places = {_LESIONS: body & lesions}
    places |= {name: outside & (hu >= low) & (hu < high) for name, (low, high) in TISSUES_HU.items()}
    places[_OTHER] = body & ~np.logical_or.reduce([*places.values()])
    difference = predicted - real
    parts = {name: float(np.abs(difference[place]).sum() / body.sum()) for name, place in places.items()}
    return {**parts, _BIAS: float(difference[places["soft tissue"]].mean())}


def parts_table(dataset: RawDataset, folders: Mapping[str, Path]) -> str:
    """The parts of each arm in Markdown, means over the test cases."""
    rows = {}
    for name, folder in folders.items():
        found = [_of_case(dataset, case, folder) for case in dataset.cases("Ts")]
        rows[name] = {key: np.mean([one[key] for one in found]) for key in found[0]}
    names = [*next(iter(rows.values()))]
    lines = [["arm", *(f"{name} [SUV]" for name in names)], ["---"] * (len(names) + 1)]
    lines += [[arm, *(f"{row[name]:{'+' if name == _BIAS else ''}.3f}" for name in names)] for arm, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _of_case(dataset: RawDataset, case: str, folder: Path) -> dict[str, float]:
    pet = read_volume(dataset.path("PET", case, "Ts"), "SUV")
    ct = read_volume(dataset.path("CT", case, "Ts"), "HU")
    hu = resample(ct.with_array(ct.array.astype(np.float32)), pet.grid, outside=AIR_HU).array
    body, lesions = (
        np.zeros(pet.grid.shape, bool) if path is None else resample(read_volume(path), pet.grid, labels=True).array > 0
        for path in (dataset.file(name, case, "Ts") for name in ("districts", "lesions"))
    )
    predicted = resample(read_volume(folder / f"{case}.nii.gz", "SUV"), pet.grid).array
    return error_parts(pet.array, predicted, body, lesions, hu)
