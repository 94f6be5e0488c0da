"""From predicted and real PETs to ``summary.json``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ct2pet import __version__
from ct2pet.errors import CasesFailed, DatasetError, ImageError
from ct2pet.evaluation.baselines import BLUR_FWHM_MM, SHIFT_MM, baselines, pooled_median, suv_histogram
from ct2pet.evaluation.comparison import PREDICTION
from ct2pet.evaluation.metrics import DATA_RANGE_SUV, SSIM_SIGMA, SSIM_WINDOW, region_metrics
from ct2pet.evaluation.references import Reference, References, image_files
from ct2pet.evaluation.regions import on_grid_of, picked_regions, real_and_regions
from ct2pet.evaluation.summary import Regions, summarise, write_summary
from ct2pet.imageio import count_voxels, read_volume
from ct2pet.parallel import map_cases
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.volume import Volume

_BYTES_PER_VOXEL = 40  # real, fake and a baseline, one temporary of them, the masks
_GIB_FOR_SLABS = 0.5


def evaluate_case(
    fake_pet: Volume,
    real_pet: Volume,
    district_map: Volume,
    districts: Mapping[str, int],
    lesions: Volume | None = None,
    *,
    regions: Collection[str] | None = None,
) -> Regions:
    """Metrics of one prediction: ``{region: {metric: value or None}}``, as in ``summary.json``.

    PETs are in SUV (g/ml). Everything is counted on the real PET's grid: the prediction comes there linearly (0 where
    it does not reach), ``district_map`` and ``lesions`` by nearest neighbour. Regions: ``whole_body`` (all districts
    together: the body mask), each district, and ``lesions`` (all lesions together) where a mask is given; ``regions``
    picks some of them. Raises GeometryError where the images do not overlap, ImageError where values are not finite
    or the body mask is empty.
    """
    real, masks = real_and_regions(real_pet, district_map, districts, lesions)
    fake = on_grid_of(fake_pet, real)
    return region_metrics(fake, real.array, picked_regions(masks, regions), WHOLE_BODY)


def evaluate_case_and_baselines(
    fake_pet: Volume,
    real_pet: Volume,
    district_map: Volume,
    districts: Mapping[str, int],
    lesions: Volume | None = None,
    *,
    body_median_suv: float,
    regions: Collection[str] | None = None,
) -> dict[str, Regions]:
    """As ``evaluate_case``, under the key "prediction", and the four baselines under their names."""
    real, masks = real_and_regions(real_pet, district_map, districts, lesions)
    picked = picked_regions(masks, regions)
    fake = on_grid_of(fake_pet, real)
    results = {PREDICTION: region_metrics(fake, real.array, picked, WHOLE_BODY)}
    del fake
    for name, pet in baselines(real.array, real.grid.spacing, masks[WHOLE_BODY], body_median_suv):
        results[name] = region_metrics(pet, real.array, picked, WHOLE_BODY)
    return results


def evaluate_predictions(
    predictions: Path,
    references: References,
    output: Path | None = None,
    *,
    num_processes: int = 1,
    regions: Collection[str] | None = None,
) -> dict[str, Any]:
    """Evaluate the images in the folder ``predictions`` (CASE.nii.gz, SUV) against every case of ``references``.

    Returns the summary, and writes it to ``output``. Raises CasesFailed, after writing what could be evaluated, that
    names the cases without a prediction and those that failed, and before where no training case gives the median of
    the body; DatasetError where there is no case at all.
    """
    if not references.cases:
        raise DatasetError("there is no real PET to compare the predictions with")
    files = image_files(predictions)
    failures = {case: f"no prediction in {predictions}" for case in references.cases if case not in files}
    present = {case: reference for case, reference in references.cases.items() if case not in failures}
    median = _body_median(references.training or present, references.districts, num_processes)
    median["from"] = "training cases" if references.training else "evaluated cases"
    arguments = {
        case: (files[case], reference, dict(references.districts), median["suv"], regions)
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
    summary = summarise(done.values, _provenance(references, median, failures))
    if output is not None and done.values:
        write_summary(output, summary)
    if failures:
        raise CasesFailed(
            failures, some_done=bool(done.values), what="could not be evaluated", tracebacks=done.tracebacks
        )
    return summary


def _provenance(references: References, median: dict[str, Any], failures: Mapping[str, str]) -> dict[str, Any]:
    return {
        "ct2pet_version": __version__,
        "districts": dict(references.districts),
        "failed_cases": sorted(failures),
        "settings": {
            "data_range_suv": DATA_RANGE_SUV,
            "ssim": {"window": "gaussian", "sigma_voxels": SSIM_SIGMA, "window_voxels": SSIM_WINDOW},
            "blurred_fwhm_mm": BLUR_FWHM_MM,
            "shifted_mm": SHIFT_MM,
            "body_median": median,
        },
    }


def _evaluate_files(
    prediction: Path, reference: Reference, districts: dict[str, int], body_median_suv: float, regions: Any
) -> dict[str, Regions]:
    real, district_map = _read_reference(reference)
    lesions = read_volume(reference.lesions) if reference.lesions else None
    fake = read_volume(prediction, unit="SUV")
    return evaluate_case_and_baselines(
        fake, real, district_map, districts, lesions, body_median_suv=body_median_suv, regions=regions
    )


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
    real, masks = real_and_regions(*_read_reference(reference), districts)
    return suv_histogram(real.array[masks[WHOLE_BODY]])


def _memory_gib(paths: list[Path | None]) -> float:
    return max(map(count_voxels, paths), default=0) * _BYTES_PER_VOXEL / 2**30 + _GIB_FOR_SLABS
