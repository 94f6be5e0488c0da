"""The names of regions, metrics and methods in ``summary.json``, and their titles in text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ct2pet.evaluation.baselines import NAMES

LESIONS = "lesions"  # all lesions of a case together, as a region
LESIONS_OF = "lesions_"  # the prefix of a group of lesions, as a region: all lesions of this group in a case together
LESION = "lesion:"  # the prefix of a single lesion's number
ORGAN = "organ:"  # the prefix of an organ's name, as a region: an organ and a district may have the same name
EACH_LESION = "each_lesion"  # in the agreement: every lesion counts, instead of every case
PREDICTION = "prediction"
REAL = "real"
METHODS = (PREDICTION, *NAMES)
TITLES = {
    PREDICTION: "synthetic PET",
    "zeros": "zeros",
    "body_median": "body median",
    "blurred": "real PET, blurred *",
    "shifted": "real PET, shifted *",
    REAL: "real PET",
}

VOLUME = "_volume"  # the suffix of metrics that count the whole volume, air included
BIAS = "_bias"
PREDICTED_ORGAN = "predicted_organ_"  # the prefix of a bias between the predicted organ and the true one
QUANTITIES = {  # measured in both PETs of a region: ``real_suv_mean``, ``fake_suv_mean`` and ``suv_mean_bias`` (%)
    "suv_mean": "SUVmean",
    "suv_max": "SUVmax",
    "suv_peak": "SUVpeak",
    "mtv41": "MTV 41%",
    "mtv4": "MTV SUV ≥ 4",
    "tlg41": "TLG 41%",
    "tlg4": "TLG SUV ≥ 4",
}
UNITS = {"mtv41": "ml", "mtv4": "ml", "tlg41": "g", "tlg4": "g"}  # SUV (g/ml) x ml = g; of all others SUV
LABEL_METRICS = ("dice", "iou", "hd95", "asd")  # of a predicted label map
ERRORS = ("mae", "rmse", "psnr", "ssim", "ms_ssim", "ccc", "mae_best_shift")
HEADERS = {
    "mae": "MAE [SUV]",
    "rmse": "RMSE [SUV]",
    "psnr": "PSNR [dB]",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "ccc": "CCC",
    "mae_best_shift": "MAE best shift [SUV]",
    **{f"{quantity}{BIAS}": f"{title} bias [%]" for quantity, title in QUANTITIES.items()},
    f"{PREDICTED_ORGAN}suv_mean{BIAS}": "SUVmean bias in the predicted organ [%]",
    f"{PREDICTED_ORGAN}suv_max{BIAS}": "SUVmax bias in the predicted organ [%]",
    "dice": "Dice",
    "iou": "IoU",
    "hd95": "HD95 [mm]",
    "asd": "ASD [mm]",
    "mae_volume": "MAE volume [SUV]",
    "rmse_volume": "RMSE volume [SUV]",
    "psnr_volume": "PSNR volume [dB]",
    "ssim_volume": "SSIM volume",
    **{
        f"{role}_{quantity}": f"{title} {role} [{UNITS.get(quantity, 'SUV')}]"
        for quantity, title in QUANTITIES.items()
        for role in ("real", "fake")
    },
}
_DIGITS = {"psnr": 2, "hd95": 2, "asd": 2}
_DIGITS_OF_A_BIAS = 1


def metrics_of(values: Collection[str]) -> list[str]:
    """The metrics of a region, in the order of the tables."""
    return [metric for metric in HEADERS if metric in values] + [metric for metric in values if metric not in HEADERS]


def training_metric_title(metric: str) -> str:
    """The title of a validation metric of a training: ``mae_suv`` is "MAE [SUV]"."""
    return HEADERS.get(metric.removesuffix("_suv"), metric.replace("_", " "))


def region_title(region: str) -> str:
    """The title of a region."""
    title = region.removeprefix(ORGAN).replace("_", " ")
    return f"{title} (organ)" if region.startswith(ORGAN) else title


def is_label(region: str) -> bool:
    """Whether it is an organ, or a label of another predicted map (``FIELD:LABEL``); districts have no colon."""
    return ":" in region


def is_lesions(region: str) -> bool:
    """Whether it is all lesions of a case together, or those of a group."""
    return region == LESIONS or region.startswith(LESIONS_OF)


def is_measurement(metric: str) -> bool:
    """Whether it is a quantity of one PET (``real_…``, ``fake_…``), not an error."""
    return metric.startswith(("real_", "fake_"))


def column_blocks(values: Collection[str]) -> list[list[str]]:
    """The metrics of a region in tables of errors, in groups that fit on a page: errors, biases, and whole volume.
    Labels have a separate table (label_tables)."""
    shown = [metric for metric in metrics_of(values) if not is_measurement(metric) and metric not in LABEL_METRICS]
    volume = [metric for metric in shown if metric.endswith(VOLUME)]
    biases = [metric for metric in shown if metric.endswith(BIAS)]
    errors = [metric for metric in shown if metric not in volume and metric not in biases]
    return [block for block in (errors, biases, volume) if block]


def value_text(metric: str, value: float | None) -> str:
    """A metric's value with its digits; a dash where it is undefined."""
    if value is None:
        return "–"
    if metric.endswith(BIAS):
        return f"{_without_sign_of_zero(value, _DIGITS_OF_A_BIAS):+.{_DIGITS_OF_A_BIAS}f}"
    digits = _DIGITS.get(metric.removesuffix(VOLUME), 3)
    return f"{_without_sign_of_zero(value, digits):.{digits}f}"


def _without_sign_of_zero(value: float, digits: int) -> float:
    """The rounded value; 0 in place of -0."""
    return round(value, digits) + 0.0


def mean_text(metric: str, number: Mapping[str, Any]) -> str:
    """Mean ± standard error, from the result of ``statistics.describe``."""
    text = value_text(metric, number["mean"])
    return text if number["se"] is None else f"{text} ± {value_text(metric, number['se']).lstrip('+')}"
