"""The images of samplers, measured beside real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ct2pet.files import atomic_path
from ct2pet.study.classification import TrainedClassifier, train_classifier
from ct2pet.study.features import Extractor, classifier_features, random_features
from ct2pet.study.generators import Sampler, fit_pca_gaussian, sample_all
from ct2pet.study.image_folder import ImageFolder
from ct2pet.study.image_report import image_report
from ct2pet.study.slices import Slices, shown_range
from ct2pet.study.study import StudyData, StudyOptions, draw_patients
from ct2pet.study.training_set import TrainingSet

PCA_GAUSSIAN = "PCA-Gaussian"
_MOST_PICTURES = 200
_SEED = 20_000  # of the measured images: not that of any run of a study


@dataclass(frozen=True)
class MeasuredImages:
    """Synthetic ``slices``, as many of each class as the test has (of a folder not more than it has), and their
    ``report`` (see image_report)."""

    slices: Slices
    report: dict[str, Any]


def measure_samplers(
    data: StudyData, options: StudyOptions, further: Sequence[Extractor] = ()
) -> dict[str, MeasuredImages]:
    """The images of a study's generator, where it has one, and of a PCA-Gaussian of all training slices, by name.

    Features are those of a random network, of a classifier that is trained on the training patients (it also confirms
    the classes), and those of ``further`` extractors.
    """
    classifier = _classifier(data, options)
    extractors = [random_features(len(data.training.channels)), classifier_features(classifier), *further]
    samplers: dict[str, Sampler] = {} if data.sampler is None else {data.sampler_name: data.sampler}
    samplers[PCA_GAUSSIAN] = fit_pca_gaussian(data.training)
    measured = {}
    for name, sampler in samplers.items():
        slices = sampled_slices(sampler, data.test)
        measured[name] = MeasuredImages(slices, image_report(slices, data.training, data.test, extractors, classifier))
    return measured


def sampled_slices(sampler: Sampler, like: Slices, seed: int = _SEED) -> Slices:
    """Synthetic slices with the labels of ``like``; of a folder of images not more of a class than it has."""
    labels = sampler.limited(like.labels) if isinstance(sampler, ImageFolder) else like.labels
    images = sample_all(sampler, labels, seed, like.images.shape[1:])
    return Slices(images, labels, np.full(len(images), "synthetic"), like.channels, like.classes)


def _classifier(data: StudyData, options: StudyOptions) -> TrainedClassifier:
    training, validation, _ = draw_patients(data.training, None, options.validation_share, 0)
    return train_classifier(options.classifiers[0], TrainingSet(training), validation, options.training, 0)


def write_pictures(folder: Path, slices: Slices, real: Slices) -> None:
    """Write slices, at most 200 evenly over all, as PNG (8 bits, no metadata) into ``folder``/KIND, for a reader study,
    in the ``shown_range`` of the ``real`` ones. The names are numbers; those of an earlier run are removed."""
    chosen = np.linspace(0, len(slices) - 1, min(len(slices), _MOST_PICTURES)).round().astype(int)
    for channel, kind in enumerate(slices.channels):
        low, high = shown_range(real, kind)
        images = slices.images[chosen, channel]
        grey = np.rint(255 * np.clip((images - low) / (high - low), 0, 1)).astype(np.uint8)
        for old in (folder / kind).glob("[0-9][0-9][0-9][0-9].png"):
            old.unlink()
        for number, image in enumerate(grey, start=1):
            with atomic_path(folder / kind / f"{number:04d}.png") as temporary:
                Image.fromarray(image).save(temporary, format="PNG")
