"""The numbers of the fingerprint, seen in the training cases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ct2pet.dataset import RawDataset
from ct2pet.districts import origins
from ct2pet.errors import CasesFailed, DatasetError
from ct2pet.fingerprint.fingerprint import WHOLE_BODY, DistrictFingerprint, Fingerprint
from ct2pet.imageio import count_voxels, read_grid, read_volume
from ct2pet.parallel import map_cases
from ct2pet.volume import Box, Grid, Volume, label_mask

PERCENTAGES = ("0.5", "5", "25", "50", "75", "95", "99.5")
_SAMPLES_PER_CASE = 5_000
_GIB = 2.0**30


@dataclass(frozen=True)
class _Seen:
    """One district in one case; the samples are HU and SUV at the same random voxels of the district."""

    box_mm: list[float]
    volume_ml: float
    ct_hu: np.ndarray
    pet_suv: np.ndarray


def extract_fingerprint(dataset: RawDataset, num_processes: int = 1) -> Fingerprint:
    """Read all training cases once. The same data give the same fingerprint, whatever the number of processes.

    A district that no case has is left out. Raises CasesFailed, naming all cases that cannot be used.
    """
    cases = dataset.cases("Tr")
    if not cases:
        raise DatasetError(f"{dataset.folder}: there is no training case in imagesTr")
    labels = {name: [label] for name, label in dataset.districts.items() if name != WHOLE_BODY}
    labels[WHOLE_BODY] = sorted(dataset.districts.values())
    files = {case: (dataset.image(case), dataset.target(case), dataset.district_map(case)) for case in cases}
    work = {case: (*paths, labels) for case, paths in files.items()}
    memory_gib = max(_memory_gib(paths) for paths in files.values())
    results = map_cases(
        _look_at,
        work,
        num_processes=num_processes,
        memory_per_process_gib=memory_gib,
        description="Fingerprint",
    )
    if results.failures:
        raise CasesFailed(
            results.failures,
            some_done=False,
            what="cannot be used for the fingerprint",
            tracebacks=results.tracebacks,
        )
    spacings = {case: _oriented_spacing(paths[1]) for case, paths in files.items()}
    seen = {name: {c: results.values[c][name] for c in cases if name in results.values[c]} for name in labels}
    return Fingerprint(
        dataset_name=dataset.name,
        num_cases=len(cases),
        ct_spacings=[_oriented_spacing(files[case][0]) for case in cases],
        districts={name: _district(found, spacings) for name, found in seen.items() if found},
        segmenters=origins(path for _, _, path in files.values() if path is not None),
    )


def _look_at(
    ct_path: Path | None, pet_path: Path | None, map_path: Path | None, labels: dict[str, list[int]]
) -> dict[str, _Seen]:
    """What one case shows of each district that it has."""
    ct, pet, district_map = (
        _read(path, what) for path, what in ((ct_path, "CT"), (pet_path, "PET"), (map_path, "district map"))
    )
    found = {name: _look_at_district(ct, pet, district_map, values) for name, values in labels.items()}
    if found[WHOLE_BODY] is None and label_mask(district_map.array, labels[WHOLE_BODY]).any():
        raise DatasetError("the districts lie outside of the CT or the PET: check the geometry")
    return {name: seen for name, seen in found.items() if seen is not None}


def _read(path: Path | None, what: str) -> Volume:
    if path is None:
        raise DatasetError(f"there is no {what} of this case")
    return read_volume(path).to_canonical()


def _look_at_district(ct: Volume, pet: Volume, district_map: Volume, labels: list[int]) -> _Seen | None:
    mask = label_mask(district_map.array, labels)
    box = Box.around(mask)
    if box is None:
        return None
    grid = district_map.grid
    points = _to_mm(_random_voxels(mask[box.slices], box), grid)
    ct_hu, in_ct = _values_at(ct, points)
    pet_suv, in_pet = _values_at(pet, points)
    usable = in_ct & in_pet
    if not usable.any():  # the PET ends before this district: the case cannot teach anything about it
        return None
    return _Seen(
        box_mm=[round(n * s, 3) for n, s in zip(box.shape, grid.spacing)],
        volume_ml=round(int(np.count_nonzero(mask)) * grid.voxel_ml, 3),
        ct_hu=_evenly(ct_hu[usable]),
        pet_suv=_evenly(pet_suv[usable]),
    )


def _random_voxels(mask: np.ndarray, box: Box) -> np.ndarray:
    """(N, 3) random voxels (Z, Y, X) of a mask that is the part ``box`` of a volume: always the same ones."""
    flat = np.flatnonzero(mask)
    chosen = flat[np.random.default_rng(0).integers(len(flat), size=_SAMPLES_PER_CASE)]
    return np.stack(np.unravel_index(chosen, mask.shape), axis=1) + np.array(box.start)


def _to_mm(voxels: np.ndarray, grid: Grid) -> np.ndarray:
    return voxels[:, ::-1] @ grid.affine[:3, :3].T + grid.affine[:3, 3]


def _values_at(volume: Volume, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values of the nearest voxels at ``points`` (N, 3; LPS mm), and which points lie inside the volume."""
    affine = volume.grid.affine
    index = np.rint((points - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T).astype(int)[:, ::-1]
    inside = ((index >= 0) & (index < np.array(volume.grid.shape))).all(axis=1)
    index = np.where(inside[:, None], index, 0)
    return volume.array[index[:, 0], index[:, 1], index[:, 2]].astype(np.float64), inside


def _evenly(values: np.ndarray) -> np.ndarray:
    """As many values for every case, so that all count alike."""
    return np.resize(values, _SAMPLES_PER_CASE).astype(np.float32)


def _district(found: dict[str, _Seen], spacings: dict[str, list[float]]) -> DistrictFingerprint:
    return DistrictFingerprint(
        cases=list(found),
        pet_spacings=[spacings[case] for case in found],
        box_sizes_mm=[seen.box_mm for seen in found.values()],
        volumes_ml=[seen.volume_ml for seen in found.values()],
        ct_percentiles_hu=_percentiles([seen.ct_hu for seen in found.values()]),
        pet_percentiles_suv=_percentiles([seen.pet_suv for seen in found.values()]),
    )


def _percentiles(samples: list[np.ndarray]) -> dict[str, float]:
    values = np.percentile(np.concatenate(samples), [float(key) for key in PERCENTAGES])
    return {key: round(float(value), 4) for key, value in zip(PERCENTAGES, values)}


def _oriented_spacing(path: Path | None) -> list[float]:
    if path is None:
        raise DatasetError("a file vanished while the fingerprint was made")
    return [round(mm, 6) for mm in read_grid(path).to_canonical().spacing]


def _memory_gib(paths: tuple[Path | None, ...]) -> float:
    return 0.3 + 6 * sum(map(count_voxels, paths)) / _GIB
