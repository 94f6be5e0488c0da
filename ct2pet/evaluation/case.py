"""All measurements of one case: of a prediction and of the trivial baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain

import numpy as np

from ct2pet.evaluation.baselines import baselines
from ct2pet.evaluation.hot_spots import hot_spots
from ct2pet.evaluation.lesions import metabolic, total
from ct2pet.evaluation.metrics import Sums, error_metrics, uptake, with_bias
from ct2pet.evaluation.multiscale import ms_ssim
from ct2pet.evaluation.names import LESION, LESIONS, LESIONS_OF, PREDICTION, REAL, VOLUME
from ct2pet.evaluation.regions import Scene, make_scene, on_grid_of
from ct2pet.evaluation.results import CaseResult, HotSpots, Lesion, Metrics, Regions
from ct2pet.evaluation.shifts import shifted_errors
from ct2pet.evaluation.similarity import one_blas_thread, ssim_map
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.volume import Volume


def evaluate_case(
    fake_pet: Volume,
    real_pet: Volume,
    district_map: Volume,
    districts: Mapping[str, int],
    lesions: Volume | None = None,
    organs: Volume | None = None,
    organ_names: Mapping[str, int] | None = None,
) -> Regions:
    """Metrics of one prediction: ``{region: {metric: value or None}}``, as in ``summary.json``.

    PETs are in SUV (g/ml). All values are computed on the real PET's grid: the prediction is resampled linearly (0
    outside), maps by nearest neighbour. Regions: ``whole_body`` (all districts together: the body mask), each district,
    ``lesions`` (all together) where a mask is given, and ``organ:NAME`` for each organ. Raises GeometryError where the
    images do not overlap, ImageError where values are not finite or no district occurs.
    """
    scene = make_scene(real_pet, district_map, districts, lesions, organs, organ_names)
    return measure(on_grid_of(fake_pet, scene.real), scene)[0]


def evaluate_case_and_baselines(
    fake_pet: Volume,
    real_pet: Volume,
    district_map: Volume,
    districts: Mapping[str, int],
    lesions: Volume | None = None,
    organs: Volume | None = None,
    organ_names: Mapping[str, int] | None = None,
    *,
    body_median_suv: float,
) -> CaseResult:
    """As ``evaluate_case``, with single lesions and hot spots, for the prediction and the four baselines."""
    scene = make_scene(real_pet, district_map, districts, lesions, organs, organ_names)
    return evaluate_scene(on_grid_of(fake_pet, scene.real), scene, body_median_suv)


def evaluate_scene(fake: np.ndarray, scene: Scene, body_median_suv: float) -> CaseResult:
    """As ``evaluate_case_and_baselines``; ``fake``: the prediction (float32) on the scene's grid."""
    regions: dict[str, Regions] = {}
    lesions: dict[str, Sequence[Lesion]] = {}
    spots = {} if scene.lesions is None else {REAL: _hot_spots(scene.real_part, scene)}
    body_mask = scene.labels > 0
    methods = chain([(PREDICTION, fake)], baselines(scene.real.array, scene.spacing, body_mask, body_median_suv))
    for name, pet in methods:
        regions[name], lesions[name] = measure(pet, scene)
        if scene.lesions is not None:
            spots[name] = _hot_spots(scene.cut(pet), scene)
    return CaseResult(regions, None if scene.lesions is None else lesions, spots)


def measure(fake: np.ndarray, scene: Scene) -> tuple[Regions, list[Lesion]]:
    """The metrics of every region, and the lesions one by one. ``fake``: SUV (float32) on the scene's grid."""
    part, partition = scene.cut(fake), scene.partition
    with one_blas_thread(), ThreadPoolExecutor(2) as pool:  # numpy and BLAS release the interpreter's lock
        volume_errors = pool.submit(_volume_errors, fake, scene)
        scales = pool.submit(ms_ssim, fake, scene.real.array, scene.labels)
        shifted = pool.submit(shifted_errors, part, scene.real_part, partition)
        peaks = pool.submit(scene.peaks, fake)
        volume, similarity = volume_errors.result()
        sums = _part_sums(scene, part, similarity, peaks.result())
    errors = shifted.result()
    found = {
        name: _metrics([sums[index] for index in parts], errors[:, parts]) for name, parts in partition.regions.items()
    }
    found[WHOLE_BODY].update(volume)
    for name, label in {WHOLE_BODY: 0, **scene.districts}.items():
        found[name]["ms_ssim"] = scales.result().get(label)
    lesions: list[Lesion] = []
    if scene.lesions is not None:
        lesions, totals = _lesions(found, scene, part)
        for name, volumes in totals.items():
            found[name].update(volumes)
    return {name: metrics for name, metrics in found.items() if not name.startswith(LESION)}, lesions


def _hot_spots(pet: np.ndarray, scene: Scene) -> HotSpots:
    lesion_mask = np.asarray(scene.lesions) > 0
    body_mask = (scene.cut(scene.labels) > 0) | lesion_mask
    return hot_spots(pet, scene.real_part, body_mask, lesion_mask, scene.real.grid.voxel_ml)


def _volume_errors(fake: np.ndarray, scene: Scene) -> tuple[Metrics, np.ndarray]:
    """The errors over the whole volume, and the similarity of every voxel, cropped as the scene's arrays."""
    real, similarity = scene.real.array, ssim_map(fake, scene.real.array)
    sums = Sums.together(
        replace(Sums.of(real[index], fake[index]), similarity=float(similarity[index].sum(dtype=np.float64)))
        for index in range(len(real))
    )
    found = error_metrics(sums)
    return {f"{name}{VOLUME}": found[name] for name in ("mae", "rmse", "psnr", "ssim")}, scene.cut(similarity)


def _part_sums(scene: Scene, fake: np.ndarray, similarity: np.ndarray, peaks: np.ndarray) -> list[Sums]:
    """The sums of every part of the scene's partition, from arrays cropped as the scene's."""
    found: list[list[Sums]] = [[] for _ in scene.partition.ends]
    real, real_peaks = scene.real_part.ravel(), scene.real_peaks.ravel()
    fake, similarity, peaks = fake.ravel(), similarity.ravel(), peaks.ravel()
    for part, voxels in scene.partition.chunks():
        sums = replace(
            Sums.of(real[voxels], fake[voxels]),
            similarity=float(similarity[voxels].sum(dtype=np.float64)),
            real_peak=float(real_peaks[voxels].max()),
            fake_peak=float(peaks[voxels].max()),
        )
        found[part].append(sums)
    return [Sums.together(sums) for sums in found]


def _metrics(sums: Sequence[Sums], shifted: np.ndarray) -> Metrics:
    """Of the parts of a region; ``shifted``: the absolute errors of each part (columns) after each shift (rows)."""
    whole = Sums.together(sums)
    best = float(shifted.sum(axis=1).min()) / whole.n if whole.n else None
    return {**error_metrics(whole), "mae_best_shift": best, **uptake(whole)}


def _lesions(metrics: Mapping[str, Metrics], scene: Scene, fake: np.ndarray) -> tuple[list[Lesion], dict[str, Metrics]]:
    """One entry per lesion, and the metabolic volumes of all lesions together and of each group, by region."""
    names = {label: name for name, label in scene.districts.items()}
    labels, voxel_ml = scene.cut(scene.labels).ravel(), scene.real.grid.voxel_ml
    entries, real, false = [], [], []
    for name in (name for name in metrics if name.startswith(LESION)):
        voxels = scene.partition.region(name)
        real.append(metabolic(scene.real_part.ravel()[voxels], voxel_ml))
        false.append(metabolic(fake.ravel()[voxels], voxel_ml))
        district = names.get(int(np.bincount(labels[voxels]).argmax()))
        place: Lesion = {"district": district, "volume_ml": voxels.size * voxel_ml}
        place |= {"group": _group(scene, name)} if scene.lesion_groups else {}
        number = int(name.removeprefix(LESION))
        entries.append({"label": number, **place, **metrics[name], **with_bias(real[-1], false[-1])})
    groups = [entry.get("group") for entry in entries]
    totals = {LESIONS: with_bias(total(real), total(false))}
    for group in scene.lesion_groups:
        own = [[one for one, its in zip(volumes, groups) if its == group] for volumes in (real, false)]
        totals[f"{LESIONS_OF}{group}"] = with_bias(*map(total, own))
    return entries, totals


def _group(scene: Scene, lesion: str) -> str | None:
    """The group of most voxels of a lesion; None where no voxel has the label of a group."""
    sizes = {name: scene.partition.common_voxels(lesion, f"{LESIONS_OF}{name}") for name in scene.lesion_groups}
    return max(sizes, key=lambda name: sizes[name]) if any(sizes.values()) else None
