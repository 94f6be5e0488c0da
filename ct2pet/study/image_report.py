"""All metrics of a set of synthetic slices, each with the same metric of real slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ct2pet.study.classification import TrainedClassifier
from ct2pet.study.features import Extractor
from ct2pet.study.image_metrics import feature_distances, random_pair_similarity, uptake_tests
from ct2pet.study.privacy import privacy_report
from ct2pet.study.slices import UNITS, Slices, number_text

_FEATURE_NAMES = {"frechet": "Fréchet distance", "kid": "KID"}


def image_report(
    synthetic: Slices,
    training: Slices,
    test: Slices,
    extractors: Sequence[Extractor],
    classifier: TrainedClassifier | None = None,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure ``synthetic`` slices, whose generator saw ``training``, against real slices of other patients (``test``).

    ``similarity``: by kind, of synthetic and of real test slices with random real training slices of their class;
    ``features``: distances to the test slices, of the synthetic and of the training slices; ``uptake``: SUVmax by
    class; ``privacy``: distances to the training slices; ``label_confirmed``: share of the slices whose class an
    independent ``classifier`` confirms, of synthetic and of real test slices.
    """
    sets = {"synthetic": synthetic, "real": test}
    report: dict[str, Any] = {
        "similarity": {
            kind: {name: asdict(random_pair_similarity(own, training, channel, seed)) for name, own in sets.items()}
            for channel, kind in enumerate(training.channels)
        },
        "features": {
            extractor.name: {
                "synthetic": asdict(feature_distances(synthetic, test, extractor)),
                "real": asdict(feature_distances(training, test, extractor)),
            }
            for extractor in extractors
        },
        "uptake": [asdict(own) for own in uptake_tests(synthetic, test)],
        "privacy": asdict(privacy_report(synthetic, training, test)),
    }
    if classifier is not None:
        report["label_confirmed"] = {name: _confirmed(own, classifier) for name, own in sets.items()}
    return report


def _confirmed(slices: Slices, classifier: TrainedClassifier) -> float:
    return float(np.mean(classifier.probabilities(slices).argmax(axis=1) == slices.labels))


def text(report: Mapping[str, Any]) -> str:
    """The report as lines for the terminal: synthetic, and real in brackets."""
    lines = []
    for kind, both in report["similarity"].items():
        fake, real = both["synthetic"], both["real"]
        lines.append(
            f"{kind.upper()}, random pairs of a class: SSIM {fake['ssim']:.3f} (real {real['ssim']:.3f}), "
            f"PSNR {fake['psnr']:.1f} dB ({real['psnr']:.1f} dB), "
            f"MSE {number_text(fake['mse'])} {UNITS[kind]}² ({number_text(real['mse'])} {UNITS[kind]}²)"
        )
    for name, both in report["features"].items():
        numbers = ", ".join(
            f"{_FEATURE_NAMES.get(key, key)} {number_text(both['synthetic'][key])} ({number_text(both['real'][key])})"
            for key in ("frechet", "kid", "precision", "recall", "density", "coverage")
        )
        lines.append(f"features of the {name}: {numbers}")
    for own in report["uptake"]:
        lines.append(
            f"SUVmax, {own['label']}: median {own['median_fake']:.2f} SUV ({own['median_real']:.2f} SUV), "
            f"Kolmogorov-Smirnov {own['statistic']:.2f}, p = {own['p']:.2g}"
        )
    if "label_confirmed" in report:
        both = report["label_confirmed"]
        lines.append(f"class confirmed by a classifier: {both['synthetic']:.0%} ({both['real']:.0%})")
    privacy = report["privacy"]
    lines.append(
        f"nearer to a training image than 99% of real images are: {privacy['share_below']:.1%} (1.0%); median distance "
        f"{privacy['median_synthetic']:.3f} ({privacy['median_real']:.3f})"
    )
    return "\n".join(lines)
