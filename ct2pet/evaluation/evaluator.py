"""From predicted and real PETs to ``summary.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ct2pet.errors import CasesFailed, DatasetError, ImageError
from ct2pet.evaluation.baselines import BLUR_FWHM_MM, SHIFT_MM, pooled_median, suv_histogram
from ct2pet.evaluation.case import evaluate_scene
from ct2pet.evaluation.lesions import FIXED_SUV, SHARE_OF_MAX
from ct2pet.evaluation.metrics import DATA_RANGE_SUV
from ct2pet.evaluation.multiscale import WEIGHTS, WINDOW
from ct2pet.evaluation.origin import origin_of
from ct2pet.evaluation.peaks import SPHERE_ML
from ct2pet.evaluation.references import Reference, References, image_files
from ct2pet.evaluation.regions import Scene, make_scene, on_grid_of, real_and_labels
from ct2pet.evaluation.results import CaseResult
from ct2pet.evaluation.similarity import SSIM_SIGMA, SSIM_WINDOW
from ct2pet.evaluation.summary import summarise
from ct2pet.evaluation.summary_file import write_summary
from ct2pet.imageio import count_voxels, read_volume, write_volume
from ct2pet.parallel import map_cases
from ct2pet.volume import Volume

_BYTES_PER_VOXEL = 40  # see benchmarks/evaluation.py
_GIB_FOR_SLABS = 0.5


def evaluate_predictions(
    predictions: Path,
    references: References,
    output: Path | None = None,
    *,
    num_processes: int = 1,
    error_maps: Path | None = None,
) -> dict[str, Any]:
    """Evaluate the images in the folder ``predictions`` (CASE.nii.gz, SUV) against every case of ``references``.

    Returns the summary, and writes it to ``output``, and the errors of every case (prediction - real PET in SUV, 0
    outside the body, on the real PET's grid) as CASE.nii.gz into the folder ``error_maps``, where given. Raises
    CasesFailed, after writing what could be evaluated, that names the cases without a prediction and those that
    failed, and before where no training case gives the median of the body; DatasetError where there is no case at all.
    """
    if not references.cases:
        raise DatasetError("there is no real PET to compare the predictions with")
    if error_maps is not None:
        _refuse_to_overwrite(Path(error_maps), Path(predictions), references)
    files = image_files(predictions)
    failures = {case: f"no prediction in {predictions}" for case in references.cases if case not in files}
    present = {case: reference for case, reference in references.cases.items() if case not in failures}
    median = _body_median(references.training or present, references.districts, num_processes)
    median["from"] = "training cases" if references.training else "evaluated cases"
    names = (dict(references.districts), dict(references.organs))
    arguments = {
        case: (files[case], reference, names, median["suv"], error_maps and Path(error_maps) / f"{case}.nii.gz")
        for case, reference in present.items()
    }
    done = map_cases(
        _evaluate_files,
        arguments,
        num_processes=num_processes,
        memory_per_process_gib=_memory_gib([path for case in present for path in (files[case], present[case].pet)]),
        description="evaluating",
    )
    failures.update(done.failures)
    provenance = {
        **origin_of(predictions, references.dataset_name, done.values),
        **_provenance(references, median, failures),
    }
    summary = summarise(done.values, provenance, references.diagnoses)
    if output is not None and done.values:
        write_summary(output, summary)
    if failures:
        raise CasesFailed(
            failures, some_done=bool(done.values), what="could not be evaluated", tracebacks=done.tracebacks
        )
    return summary


def _refuse_to_overwrite(folder: Path, predictions: Path, references: References) -> None:
    """Error maps are named as the images that they are made from."""
    inputs = [file for case in references.cases.values() for file in vars(case).values() if file is not None]
    if folder.resolve() in {predictions.resolve(), *(file.parent.resolve() for file in inputs)}:
        raise DatasetError(f"{folder}: error maps would overwrite the images there; give them a folder of their own")


def _provenance(references: References, median: dict[str, Any], failures: Mapping[str, str]) -> dict[str, Any]:
    return {
        "districts": dict(references.districts),
        "failed_cases": sorted(failures),
        "settings": {
            "data_range_suv": DATA_RANGE_SUV,
            "ssim": {"window": "gaussian", "sigma_voxels": SSIM_SIGMA, "window_voxels": SSIM_WINDOW},
            "ms_ssim": {"window": "uniform", "window_voxels": WINDOW, "weights": list(WEIGHTS)},
            "suv_peak_sphere_ml": SPHERE_ML,
            "mtv41_share_of_max": SHARE_OF_MAX,
            "mtv4_suv": FIXED_SUV,
            "blurred_fwhm_mm": BLUR_FWHM_MM,
            "shifted_mm": SHIFT_MM,
            "body_median": median,
        },
    }


def _evaluate_files(
    prediction: Path,
    reference: Reference,
    names: tuple[dict[str, int], dict[str, int]],
    body_median_suv: float,
    error_map: Path | None,
) -> CaseResult:
    real, district_map = _read_reference(reference)
    lesions, organs = (read_volume(path) if path else None for path in (reference.lesions, reference.organs))
    scene = make_scene(real, district_map, names[0], lesions, organs, names[1])
    fake = on_grid_of(read_volume(prediction, unit="SUV"), scene.real)
    if error_map is not None:
        _write_error_map(error_map, fake, scene, real)
    return evaluate_scene(fake, scene, body_median_suv)


def _write_error_map(path: Path, fake: np.ndarray, scene: Scene, real_pet: Volume) -> None:
    error = np.where(scene.labels > 0, fake - scene.real.array, np.float32(0))
    write_volume(path, scene.real.with_array(error).reorient_like(real_pet.grid))


def _read_reference(reference: Reference) -> tuple[Volume, Volume]:
    if reference.pet is None:
        raise ImageError("no real PET to compare with")
    if reference.district_map is None:
        raise ImageError(
            f"{reference.pet}: no district map of this case, so nobody knows where the body is; make it with "
            "ct2pet_segment_districts -d DATASET"
        )
    return read_volume(reference.pet, unit="SUV"), read_volume(reference.district_map, unit="label")


def _body_median(cases: Mapping[str, Reference], districts: Mapping[str, int], num_processes: int) -> dict[str, Any]:
    """The median SUV over the body voxels of all cases together, and of how many cases it comes."""
    arguments = {case: (reference, dict(districts)) for case, reference in cases.items()}
    memory = _memory_gib([reference.pet for reference in cases.values()])
    done = map_cases(
        _body_histogram,
        arguments,
        num_processes=num_processes,
        memory_per_process_gib=memory,
        description="body median",
    )
    if done.failures and not done.values:  # a median of 0 would make the baseline weak and any model look good
        raise CasesFailed(
            done.failures, some_done=False, what="cannot give the median of the body", tracebacks=done.tracebacks
        )
    return {"suv": pooled_median(done.values.values()), "num_cases": len(done.values)}


def _body_histogram(reference: Reference, districts: dict[str, int]) -> np.ndarray:
    real, labels = real_and_labels(*_read_reference(reference), districts)
    return suv_histogram(real.array[labels > 0])


def _memory_gib(paths: list[Path | None]) -> float:
    return max(map(count_voxels, paths), default=0) * _BYTES_PER_VOXEL / 2**30 + _GIB_FOR_SLABS
