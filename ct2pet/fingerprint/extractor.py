"""Measures the fingerprint in the training cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ct2pet.dataset import Field, RawDataset
from ct2pet.dataset.description import WHOLE_BODY
from ct2pet.dataset.fields import DISTRICTS
from ct2pet.districts import SegmenterIdentity
from ct2pet.districts.whole_body import region_labels, whole_body_map
from ct2pet.errors import CasesFailed, DatasetError, ImageError
from ct2pet.fingerprint.fingerprint import DistrictFingerprint, Fingerprint, LabelFingerprint
from ct2pet.imageio import count_voxels, read_grid, read_volume
from ct2pet.parallel import map_cases
from ct2pet.volume import Box, Grid, Volume, label_mask

PERCENTAGES = ("0.5", "5", "25", "50", "75", "95", "99.5")
_FROM_DATA = "percentile_window"  # the normalization with parameters from the data
_SAMPLES_PER_CASE = 5_000
_GIB = 2.0**30


@dataclass(frozen=True)
class _District:
    """One district in one case; the samples, by image, are values at the same random voxels of the district."""

    box_mm: list[float]
    samples: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Case:
    """Measurements of one case: its districts by name, and the volume (ml) of every label of its label maps."""

    districts: dict[str, _District]
    volumes_ml: dict[str, dict[str, float]]


def extract_fingerprint(
    dataset: RawDataset, segmenters: Sequence[SegmenterIdentity] = (), num_processes: int = 1
) -> Fingerprint:
    """Read all training cases once. The same data give the same fingerprint, whatever the number of processes.

    ``segmenters``: those of the district maps. A district without cases is omitted. Raises CasesFailed that names all
    cases that cannot be used.
    """
    cases = dataset.cases("Tr")
    if not cases:
        leading = dataset.leading
        raise DatasetError(f"{dataset.folder}: no training cases in {leading.folder}Tr")
    fields = dataset.fields
    needed = [*fields.inputs, *fields.targets, *([fields[DISTRICTS]] if dataset.districts else [])]
    files = {case: dataset.files(needed, case) for case in cases}
    results = map_cases(
        _look_at,
        {case: (dataset, paths) for case, paths in files.items()},
        num_processes=num_processes,
        memory_per_process_gib=max(_memory_gib([*paths.values()]) for paths in files.values()),
        description="Fingerprint",
    )
    if results.failures:
        raise CasesFailed(
            results.failures,
            some_done=False,
            what="cannot be used for the fingerprint",
            tracebacks=results.tracebacks,
        )
    seen: dict[str, _Case] = {case: results.values[case] for case in cases}
    spacings = {case: _canonical_spacing(paths[fields.targets[0].name]) for case, paths in files.items()}
    return Fingerprint(
        dataset_name=dataset.name,
        districts={
            name: _district(
                {case: found.districts[name] for case, found in seen.items() if name in found.districts}, spacings
            )
            for name in region_labels(dataset.districts)
            if any(name in found.districts for found in seen.values())
        },
        labels={
            one.name: _labels(one, [found.volumes_ml[one.name] for found in seen.values()]) for one in fields.label_maps
        },
        classes={one.name: _class_counts(dataset, one) for one in fields.conditions},
        segmenters=list(segmenters),
    )


def _look_at(dataset: RawDataset, files: Mapping[str, Path | None]) -> _Case:
    """Measurements of one case in each of its districts, and of its label maps."""
    fields = dataset.fields
    volumes = {name: _read(path, fields[name]) for name, path in files.items()}
    images = {one.name: volumes[one.name] for one in fields.images}
    from_data = [one.name for one in fields.images if one.rules.normalization == _FROM_DATA]
    regions = _district_map(dataset, volumes)
    labels = region_labels(dataset.districts)
    found = {name: _look_at_district(images, from_data, regions, own) for name, own in labels.items()}
    if found[WHOLE_BODY] is None and label_mask(regions.array, labels[WHOLE_BODY]).any():
        names = " or the ".join(images)
        raise DatasetError(f"the districts are outside of the {names}; check positions and orientations in the headers")
    return _Case(
        {name: seen for name, seen in found.items() if seen is not None},
        {one.name: _volumes_ml(volumes[one.name], one) for one in fields.label_maps},
    )


def _read(path: Path | None, field: Field) -> Volume:
    if path is None:
        raise DatasetError(f"no {'district map' if field.name == DISTRICTS else field.name} of this case")
    volume = read_volume(path)
    problems = field.problems(volume.array)
    if problems:
        raise ImageError(f"{path}: {problems[0]}")
    return volume.to_canonical()


def _district_map(dataset: RawDataset, volumes: Mapping[str, Volume]) -> Volume:
    if DISTRICTS in volumes:
        return volumes[DISTRICTS]
    name = dataset.description.body_mask
    return whole_body_map(volumes[name or dataset.leading.name], None if name is None else dataset.fields[name])


def _look_at_district(
    images: Mapping[str, Volume], from_data: Sequence[str], district_map: Volume, labels: list[int]
) -> _District | None:
    mask = label_mask(district_map.array, labels)
    box = Box.around(mask)
    if box is None:
        return None
    grid = district_map.grid
    points = _to_mm(_random_voxels(mask[box.slices], box), grid)
    found = {name: _values_at(image, points) for name, image in images.items()}
    usable = np.all([inside for _, inside in found.values()], axis=0) if found else np.ones(len(points), bool)
    if not usable.any():  # an image does not cover this district, so the case gives no samples of it
        return None
    return _District(
        box_mm=[round(n * s, 3) for n, s in zip(box.shape, grid.spacing)],
        samples={name: _evenly(found[name][0][usable]) for name in from_data},
    )


def _random_voxels(mask: np.ndarray, box: Box) -> np.ndarray:
    """(N, 3) random voxels (Z, Y, X) of a mask that is the part ``box`` of a volume, with a fixed seed."""
    flat = np.flatnonzero(mask)
    chosen = flat[np.random.default_rng(0).integers(len(flat), size=_SAMPLES_PER_CASE)]
    return np.stack(np.unravel_index(chosen, mask.shape), axis=1) + np.array(box.start)


def _to_mm(voxels: np.ndarray, grid: Grid) -> np.ndarray:
    return voxels[:, ::-1] @ grid.affine[:3, :3].T + grid.affine[:3, 3]


def _values_at(volume: Volume, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values of the nearest voxels at ``points`` (N, 3; LPS mm), and which points are inside the volume."""
    affine = volume.grid.affine
    index = np.rint((points - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T).astype(int)[:, ::-1]
    inside = ((index >= 0) & (index < np.array(volume.grid.shape))).all(axis=1)
    index = np.where(inside[:, None], index, 0)
    return volume.array[index[:, 0], index[:, 1], index[:, 2]].astype(np.float64), inside


def _evenly(values: np.ndarray) -> np.ndarray:
    """The same number of values per case, for equal weights."""
    return np.resize(values, _SAMPLES_PER_CASE).astype(np.float32)


def _volumes_ml(volume: Volume, field: Field) -> dict[str, float]:
    """The volume (ml) of every label of ``field`` that occurs."""
    counts = np.bincount(volume.array.astype(np.int64).ravel(), minlength=field.num_channels)
    sizes = {name: int(counts[label]) * volume.grid.voxel_ml for name, label in field.labels.items()}
    return {name: size for name, size in sizes.items() if size > 0}


def _district(found: Mapping[str, _District], spacings: Mapping[str, list[float]]) -> DistrictFingerprint:
    images = next(iter(found.values())).samples
    return DistrictFingerprint(
        cases=list(found),
        spacings=[spacings[case] for case in found],
        box_sizes_mm=[district.box_mm for district in found.values()],
        percentiles={name: _percentiles([district.samples[name] for district in found.values()]) for name in images},
    )


def _percentiles(samples: list[np.ndarray]) -> dict[str, float]:
    values = np.percentile(np.concatenate(samples), [float(key) for key in PERCENTAGES])
    return {key: round(float(value), 4) for key, value in zip(PERCENTAGES, values)}


def _labels(field: Field, volumes_ml: Sequence[Mapping[str, float]]) -> dict[str, LabelFingerprint]:
    """Every label of a field, from its volumes (ml) in each case."""
    sizes = {name: [found[name] for found in volumes_ml if name in found] for name in field.labels}
    return {name: LabelFingerprint(len(own), _median(own)) for name, own in sizes.items()}


def _median(sizes: list[float]) -> float:
    return round(float(np.median(sizes)), 3) if sizes else 0.0


def _class_counts(dataset: RawDataset, condition: Field) -> dict[str, int]:
    classes = dataset.classes(condition.name)
    counts = Counter(classes[case] for case in dataset.cases("Tr"))
    return {name: counts[name] for name in condition.labels}


def _canonical_spacing(path: Path | None) -> list[float]:
    if path is None:
        raise DatasetError("a file was removed during fingerprinting; run the command again")
    return [round(mm, 6) for mm in read_grid(path).to_canonical().spacing]


def _memory_gib(paths: Sequence[Path | None]) -> float:
    return 0.3 + 6 * sum(map(count_voxels, paths)) / _GIB
