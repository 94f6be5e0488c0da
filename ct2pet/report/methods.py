"""A Methods text for a paper: training, prediction and evaluation, with citations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ct2pet.evaluation.names import BIAS
from ct2pet.evaluation.statistics import LEAST_CASES
from ct2pet.report.overview import trainings
from ct2pet.report.templates import render

Summary = Mapping[str, Any]

_REFERENCES = {
    "nnunet": "Isensee F, et al. nnU-Net: a self-configuring method for deep learning-based biomedical image "
    "segmentation. Nat Methods 18 (2021) 203–211.",
    "unet": "Ronneberger O, Fischer P, Brox T. U-Net: convolutional networks for biomedical image segmentation. "
    "MICCAI 2015, 234–241.",
    "pix2pix": "Isola P, et al. Image-to-image translation with conditional adversarial networks. CVPR 2017, "
    "1125–1134.",
    "cyclegan": "Zhu J-Y, et al. Unpaired image-to-image translation using cycle-consistent adversarial networks. ICCV "
    "2017, 2223–2232.",
    "districts": "District-wise translation of whole-body CT to PET: arXiv 2503.15555 (2025).",
    "ssim": "Wang Z, et al. Image quality assessment: from error visibility to structural similarity. IEEE Trans Image "
    "Process 13 (2004) 600–612.",
    "bland": "Bland JM, Altman DG. Statistical methods for assessing agreement between two methods of clinical "
    "measurement. Lancet 1 (1986) 307–310.",
    "eanm": "Boellaard R, et al. FDG PET/CT: EANM procedure guidelines for tumour imaging: version 2.0. Eur J Nucl Med "
    "Mol Imaging 42 (2015) 328–354.",
    "bootstrap": "Efron B. Better bootstrap confidence intervals. J Am Stat Assoc 82 (1987) 171–185.",
    "wilcoxon": "Wilcoxon F. Individual comparisons by ranking methods. Biometrics Bulletin 1 (1945) 80–83.",
    "holm": "Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 6 (1979) 65–70.",
}
_TITLES = {"pix2pix": "Pix2Pix", "cyclegan": "CycleGAN"}


class _Citations:
    """Numbers references in the order of the text."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, *keys: str) -> str:
        self.keys += [key for key in keys if key not in self.keys]
        return f"[{', '.join(str(self.keys.index(key) + 1) for key in keys)}]"


def methods_section(summary: Summary) -> str:
    """The section as HTML."""
    cite = _Citations()
    paragraphs = [text for text in (_trained(summary, cite), _evaluated(summary, cite), _tested(summary, cite)) if text]
    return render("methods.html", paragraphs=paragraphs, references=[_REFERENCES[key] for key in cite.keys])


def _trained(summary: Summary, cite: _Citations) -> str:
    prediction = summary["provenance"].get("prediction") or {}
    model = prediction.get("model")
    if not model:
        return ""
    found = trainings(summary)
    name = f"{_TITLES.get(model, model)}{f' {cite(model)}' if model in _REFERENCES else ''}"
    version = prediction.get("ct2pet_version")
    plans = f", plans {prediction['plans_name']}" if prediction.get("plans_name") else ""
    program = f"ct2pet{f' {version}' if version else ''}{plans}, a framework like nnU-Net {cite('nnunet')}"
    parts = [f"Images were predicted by {name} as implemented in {program}."]
    if model in _TITLES:
        parts.append(f"Its generators are U-Nets {cite('unet')}.")
    if len(found) > 1:
        parts.append(f"One network was trained for each of {', '.join(found)} {cite('districts')}.")
    every = [facts.get("num_training_cases") for folds in found.values() for facts in folds.values()]
    counts = sorted({number for number in every if number is not None})
    if counts:
        parts.append(f"The networks were trained with {_between(counts)} cases.")
    return " ".join(parts)


def _between(numbers: list[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def _evaluated(summary: Summary, cite: _Citations) -> str:
    metrics = {metric for regions in summary["mean"].values() for metric in regions}
    parts = [f"{len(summary['cases'])} cases were evaluated."]
    if "mae" in metrics:
        parts.append(
            "Errors against the measured PET were computed inside the body and in every region, in SUV (g/ml)."
        )
    named = list(_named(metrics, cite))
    if named:
        parts.append(f"Reported are {', '.join(named)}.")
    if summary["lesions"]:
        parts.append("Lesions are the connected components of the lesion masks.")
    return " ".join(parts)


def _named(metrics: set[str], cite: _Citations) -> Iterator[str]:
    if "mae" in metrics:
        yield "mean absolute error"
    if "psnr" in metrics:
        yield "peak signal-to-noise ratio"
    if "ssim" in metrics:
        yield f"structural similarity {cite('ssim')}"
    if f"suv_mean{BIAS}" in metrics:
        yield f"biases of SUVmean, SUVmax and SUVpeak {cite('eanm')}"
        yield f"Bland–Altman limits of agreement {cite('bland')}"
    if "dice" in metrics:
        yield "Dice coefficients and surface distances of predicted labels"


def _tested(summary: Summary, cite: _Citations) -> str:
    if len(summary["cases"]) < LEAST_CASES:
        return f"With fewer than {LEAST_CASES} cases neither intervals nor tests are given."
    return (
        f"Intervals are 95% bias-corrected and accelerated bootstrap intervals over cases {cite('bootstrap')}. "
        f"Differences were tested by a paired two-tailed t-test and Wilcoxon's signed-rank test {cite('wilcoxon')}, "
        f"both corrected for all tests of the stated family {cite('holm')}; a difference is called significant where "
        "both corrected p-values are below 0.05."
    )
