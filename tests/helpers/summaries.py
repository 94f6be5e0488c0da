"""A summary of made-up numbers, through the code that makes real ones: for whatever reads summary.json."""

import itertools
from dataclasses import replace

import numpy as np
from label_maps import label_cases

from ct2pet.evaluation.detection import THRESHOLDS_SUV
from ct2pet.evaluation.names import ERRORS, METHODS, QUANTITIES, REAL
from ct2pet.evaluation.results import CaseResult, HotSpots
from ct2pet.evaluation.summary import summarise

REGIONS = ("whole_body", "head", "trunk", "arms", "legs", "lesions", "organ:liver", "organ:brain")
DIAGNOSES = ("lung cancer", "lymphoma", "none")
_LEVELS = {"prediction": 1.0, "zeros": 4.0, "body_median": 2.0, "blurred": 0.4, "shifted": 0.6}
_BIAS = {"prediction": -0.1, "zeros": -1.0, "body_median": -0.6, "blurred": -0.05, "shifted": -0.02}


def synthetic_results(num_cases=6, seed=0):
    """{case: CaseResult}: whole body, districts, lesions and two organs. The prediction beats the blind baselines. The
    last case holds no lesion; the first has no legs in its field of view."""
    rng = np.random.default_rng(seed)
    results = {}
    for number in range(num_cases):
        real = {region: _real(rng) for region in REGIONS}
        if number == num_cases - 1:
            real["lesions"] = None
        if number == 0:
            real["legs"] = None
        count = 0 if real["lesions"] is None else 1 + number % 3
        lesions = [_real(rng) for _ in range(count)]
        results[f"case_{number:03d}"] = CaseResult(
            {method: {region: _region(rng, method, region, real[region]) for region in REGIONS} for method in METHODS},
            {method: [_lesion(rng, method, i, one) for i, one in enumerate(lesions)] for method in METHODS},
            {method: _hot_spots(rng, method) for method in (REAL, *METHODS)},
        )
    return results


def synthetic_summary(num_cases=6, seed=0, provenance=None, labels=False):
    """The summary of ``synthetic_results``, three diagnoses in turn; ``labels``: and ``label_cases`` in turn."""
    results = synthetic_results(num_cases, seed)
    if labels:
        found = itertools.cycle(label_cases().values())
        results = {case: result.with_regions(_organs(next(found))) for case, result in results.items()}
    diagnoses = {case: DIAGNOSES[number % 3] for number, case in enumerate(results)}
    return summarise(
        results, {"ct2pet_version": "0", "failed_cases": []} if provenance is None else provenance, diagnoses
    )


def grouped_summary(num_cases=6):
    """A summary whose lesions are in two groups in turn, ``shown`` and ``hidden``, with a region for each."""
    results = {}
    for case, result in synthetic_results(num_cases).items():
        lesions = {
            method: [{**one, "group": ("shown", "hidden")[one["label"] % 2]} for one in found]
            for method, found in result.lesions.items()
        }
        regions = {
            method: {**found, "lesions_shown": found["lesions"], "lesions_hidden": found["lesions"]}
            for method, found in result.regions.items()
        }
        results[case] = replace(result, regions=regions, lesions=lesions)
    return summarise(results, {"ct2pet_version": "0", "failed_cases": []})


def label_summary(cases=None, provenance=None):
    """The summary of a method that predicts labels alone; ``cases``: {CASE: {LABEL: {METRIC: value}}}."""
    cases = label_cases() if cases is None else cases
    results = {case: CaseResult({}).with_regions(_organs(labels)) for case, labels in cases.items()}
    return summarise(results, {"ct2pet_version": "0", "failed_cases": []} if provenance is None else provenance)


def summary_with_labels():
    """The summary of a method that predicts a PET and labels, of four cases."""
    return synthetic_summary(4, labels=True)


def _organs(labels):
    return {f"organ:{label}": metrics for label, metrics in labels.items()}


def _real(rng):
    mean = float(rng.gamma(4.0, 0.8)) + 0.5
    return {
        **{"suv_mean": mean, "suv_max": 3 * mean, "suv_peak": 2.4 * mean},
        **{"mtv41": 8.0 * mean, "mtv4": 6.0 * mean, "tlg41": 8.0 * mean * mean, "tlg4": 7.0 * mean * mean},
    }


def _region(rng, method, region, real):
    errors = dict.fromkeys(ERRORS)
    quantities = list(QUANTITIES)[: None if region == "lesions" else 3]
    if real is not None:
        mae = _LEVELS[method] * float(rng.uniform(0.3, 0.5))
        errors = {
            **{"mae": mae, "rmse": 1.6 * mae, "psnr": float(20 * np.log10(20 / (1.6 * mae))), "ssim": 1 - mae / 10},
            **{"ms_ssim": 1 - mae / 20, "ccc": 1 - mae / 5, "mae_best_shift": 0.95 * mae},
        }
    if region == "lesions" or ":" in region:
        del errors["ms_ssim"]
    volume = {f"{name}_volume": errors[name] for name in ("mae", "rmse", "psnr", "ssim")}
    return {**errors, **_measured(rng, method, real, quantities), **(volume if region == "whole_body" else {})}


def _measured(rng, method, real, quantities):
    found = {}
    for name in quantities:
        factor = 1 + _BIAS[method] + float(rng.normal(0, 0.05)) * (method == "prediction")
        fake = None if real is None else real[name] * factor
        found[f"{name}_bias"] = None if real is None else 100 * (factor - 1)
        found[f"real_{name}"], found[f"fake_{name}"] = real and real[name], fake
    return found


def _lesion(rng, method, number, real):
    return {
        **{"label": number + 1, "district": "trunk", "volume_ml": 10 * real["suv_mean"]},
        **_measured(rng, method, real, list(QUANTITIES)),
    }


def _hot_spots(rng, method):
    count = np.sort(rng.integers(0, 20, len(THRESHOLDS_SUV)))[::-1] if method not in ("zeros", "body_median") else None
    spots = [0] * len(THRESHOLDS_SUV) if count is None else count.tolist()
    return HotSpots(spots, [0 if method == REAL else spot // 3 for spot in spots])
