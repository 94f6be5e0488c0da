"""From predicted and real PETs and label maps to ``summary.json``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ct2pet.dataset import Field
from ct2pet.dataset.fields import ORGANS, PET
from ct2pet.dataset.plausibility import number_problems, unit_problems
from ct2pet.dataset.predictions import DISTRICT_MAPS, prediction_name
from ct2pet.districts.whole_body import whole_body_map
from ct2pet.errors import CasesFailed, DatasetError, ImageError
from ct2pet.evaluation.baselines import BLUR_FWHM_MM, SHIFT_MM, pooled_median, suv_histogram
from ct2pet.evaluation.case import evaluate_scene
from ct2pet.evaluation.error_maps import check_error_maps, write_error_map
from ct2pet.evaluation.label_evaluation import label_regions, read_labels, uptake_regions
from ct2pet.evaluation.left_out import LeftOut
from ct2pet.evaluation.lesions import FIXED_SUV, SHARE_OF_MAX
from ct2pet.evaluation.metrics import DATA_RANGE_SUV
from ct2pet.evaluation.multiscale import WEIGHTS, WINDOW
from ct2pet.evaluation.origin import origin_of
from ct2pet.evaluation.peaks import SPHERE_ML
from ct2pet.evaluation.references import BODY, Reference, References
from ct2pet.evaluation.regions import make_scene, on_grid_of, real_and_labels
from ct2pet.evaluation.results import CaseResult
from ct2pet.evaluation.similarity import SSIM_SIGMA, SSIM_WINDOW
from ct2pet.evaluation.summary import summarise
from ct2pet.evaluation.summary_file import write_summary
from ct2pet.imageio import count_voxels, image_files, read_volume
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
    """Evaluate the images in the folder ``predictions`` (CASE.nii.gz, or CASE_TARGET.nii.gz for several targets)
    against every case of ``references``.

    Returns the summary, and writes it to ``output``, and the errors of every case (prediction - real PET in SUV, 0
    outside the body, on the real PET's grid) as CASE.nii.gz into the folder ``error_maps``, where given. Raises
    CasesFailed, after writing what could be evaluated, that names the cases without a prediction and those that
    failed, and before, where no training case gives the median of the body; DatasetError without cases.
    """
    if not references.cases:
        raise DatasetError("no cases to compare the predictions with")
    if error_maps is not None:
        check_error_maps(Path(error_maps), Path(predictions), references, output)
    references, mapped = _with_maps_of(Path(predictions), references)
    files = _prediction_files(Path(predictions), references)
    failures = {case: f"no prediction in {predictions}" for case, found in files.items() if found is None}
    present = {case: reference for case, reference in references.cases.items() if case not in failures}
    median = _body_median(references, present, num_processes)
    common = replace(references, cases={}, training={})  # small, for other processes
    arguments = {
        case: (files[case], reference, common, median["suv"], error_maps and Path(error_maps) / f"{case}.nii.gz")
        for case, reference in present.items()
    }
    done = map_cases(
        _evaluate_files,
        arguments,
        num_processes=num_processes,
        memory_per_process_gib=_memory_gib(
            [path for case in present for path in (*(files[case] or {}).values(), present[case].pet)]
        ),
        description="Evaluating",
    )
    failures.update(done.failures)
    provenance = {
        **origin_of(predictions, references.dataset_name, done.values),
        **_provenance(references, median, failures),
        "not_predicted": _all_not_predicted(files, references),
        **({"district_maps_of_predictions": mapped} if mapped else {}),
    }
    summary = summarise(done.values, provenance, references.diagnoses)
    if output is not None and done.values:
        write_summary(output, summary)
    if failures:
        raise CasesFailed(
            failures, some_done=bool(done.values), what="could not be evaluated", tracebacks=done.tracebacks
        )
    return summary


def _with_maps_of(predictions: Path, references: References) -> tuple[References, list[str]]:
    """``References.with_maps_of``, reported in one line."""
    references, mapped = references.with_maps_of(predictions)
    if mapped:
        maps = predictions / DISTRICT_MAPS
        print(f"{len(mapped)} case(s) have no district map in the dataset; those in {maps} are used", file=sys.stderr)
    return references, mapped


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


def _prediction_files(folder: Path, references: References) -> dict[str, dict[str, Path] | None]:
    """The prediction of every target of every case; None where one is missing."""
    there = image_files(folder)
    fields = references.fields
    targets = [one.name for one in fields.targets]
    names = {case: {name: prediction_name(case, name, fields) for name in targets} for case in references.cases}
    found: dict[str, dict[str, Path] | None] = {}
    for case, own in names.items():
        complete = all(name in there for name in own.values())
        found[case] = {target: there[name] for target, name in own.items()} if complete else None
    return found


def _evaluate_files(
    predictions: Mapping[str, Path],
    reference: Reference,
    references: References,
    body_median_suv: float,
    error_map: Path | None,
) -> CaseResult:
    """Evaluate one case; ``references`` has its targets and regions."""
    result, left_out = CaseResult({}), LeftOut.beside(predictions)
    pet = predictions[_pet_name(references)] if references.has_pet else None
    if pet is not None:
        result = _evaluate_pet(pet, reference, references, left_out, body_median_suv, error_map)
    for one in references.label_targets:
        result = _with_labels(result, one, (predictions[one.name], pet), reference, left_out)
    return result


def _with_labels(
    result: CaseResult, field: Field, predicted: tuple[Path, Path | None], reference: Reference, left_out: LeftOut
) -> CaseResult:
    """The result with the metrics of a label map; ``predicted``: this map and the PET, where one is predicted."""
    true = reference.labels.get(field.name)
    if true is None:
        raise ImageError(f"no reference {field.name} of this case")
    fake_map, real_map = (left_out.removed_from(read_labels(path, field)) for path in (predicted[0], true))
    result = result.with_regions(label_regions(fake_map, real_map, field))
    if field.name == ORGANS and predicted[1] is not None and reference.pet is not None:
        fake, real = (read_volume(path, unit="SUV") for path in (predicted[1], reference.pet))
        result = result.with_regions(uptake_regions((fake, fake_map), (real, real_map), field))
    return result


def _evaluate_pet(
    predicted: Path,
    reference: Reference,
    references: References,
    left_out: LeftOut,
    body_median_suv: float,
    error_map: Path | None,
) -> CaseResult:
    real, district_map = _read_reference(reference, references)
    names = left_out.names(references.districts)
    districts = {name: label for name, label in references.regions.items() if name not in names}
    if not districts:
        raise ImageError(f"{predicted}: none of its districts was predicted")
    lesions, organs = (
        left_out.removed_from(read_volume(path)) if path else None for path in (reference.lesions, reference.organs)
    )
    maps = {"organ_names": references.organs, "lesion_groups": references.lesion_groups}
    scene = make_scene(real, left_out.removed_from(district_map), districts, lesions, organs, **maps)
    fake = on_grid_of(read_volume(predicted, unit="SUV"), scene.real)
    if error_map is not None:
        write_error_map(error_map, fake, scene, real)
    result = evaluate_scene(fake, scene, body_median_suv)
    return result if references.has_districts else result.without([BODY])


def _all_not_predicted(files: Mapping[str, Mapping[str, Path] | None], references: References) -> dict[str, list[str]]:
    """The cases with districts without a model, which are in none of their regions."""
    found = {case: LeftOut.beside(own).names(references.districts) for case, own in files.items() if own}
    return {case: names for case, names in found.items() if names}


def _pet_name(references: References) -> str:
    """The target that is evaluated as a PET: the first of this kind."""
    return next(one.name for one in references.fields.targets if one.kind == PET)


def _read_reference(reference: Reference, references: References) -> tuple[Volume, Volume]:
    """The real PET, and the districts, or the body."""
    if reference.pet is None:
        raise ImageError("no real PET of this case")
    real = read_volume(reference.pet, unit="SUV")
    problems = number_problems(real.array) or unit_problems(real.array)
    if problems:
        raise ImageError(f"{reference.pet}: {problems[0]}")
    if references.has_districts:
        if reference.district_map is None:
            raise ImageError(
                f"{reference.pet}: no district map of this case; make it with ct2pet_segment_districts "
                f"-d {references.dataset_name}"
            )
        return real, read_volume(reference.district_map, unit="label")
    if reference.body is None:
        raise ImageError(f"{reference.pet}: the image for finding the body is missing")
    return real, whole_body_map(read_volume(reference.body), references.body)


def _body_median(references: References, present: Mapping[str, Reference], num_processes: int) -> dict[str, Any]:
    """The median SUV over the body voxels of the training cases (or the evaluated ones) together, and the number of
    cases."""
    source = "training cases" if references.training else "evaluated cases"
    if not references.has_pet:
        return {"suv": 0.0, "num_cases": 0, "from": source}
    cases = references.training or present
    common = replace(references, cases={}, training={})
    done = map_cases(
        _body_histogram,
        {case: (reference, common) for case, reference in cases.items()},
        num_processes=num_processes,
        memory_per_process_gib=_memory_gib([reference.pet for reference in cases.values()]),
        description="Median SUV of the body",
    )
    if not done.values:  # a median of 0 would make the baseline weak and any model look good
        done.raise_failures("cannot be used for the median of the body")
    return {"suv": pooled_median(done.values.values()), "num_cases": len(done.values), "from": source}


def _body_histogram(reference: Reference, references: References) -> np.ndarray:
    real, labels = real_and_labels(*_read_reference(reference, references), references.regions)
    return suv_histogram(real.array[labels > 0])


def _memory_gib(paths: list[Path | None]) -> float:
    return max(map(count_voxels, paths), default=0) * _BYTES_PER_VOXEL / 2**30 + _GIB_FOR_SLABS
