"""The augmentation study of a dataset: the command ct2pet_augmentation_study as a function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ct2pet.api.synthesis import load_generator
from ct2pet.dataset.raw import dataset_folder_name
from ct2pet.files import write_json
from ct2pet.layout import CHECKPOINT_FINAL
from ct2pet.paths import raw_folder
from ct2pet.report import write_study_page
from ct2pet.study.cases import labelled_cases, read_condition
from ct2pet.study.classifiers import load_classifier
from ct2pet.study.features import Extractor, inception_features
from ct2pet.study.image_report import text
from ct2pet.study.results import text_table
from ct2pet.study.slices import SliceOptions, read_slices
from ct2pet.study.study import STUDY_FILE, StudyData, StudyOptions, run_study
from ct2pet.study.synthetic_images import MeasuredImages, measure_samplers, write_pictures
from ct2pet.study.trained_generator import TrainedGenerator, trained_generator

IMAGES_FILE, PAGE, PICTURES = "images.json", "study.html", "pictures"


@dataclass(frozen=True)
class GeneratorChoice:
    """The trained generator of the dataset for the images of a study; see ``api.synthesis.synthesize``."""

    model: str
    plans_name: str | None = None
    fold: str | None = None
    checkpoint: str = CHECKPOINT_FINAL


def study_augmentation(
    dataset: str | int,
    output: Path,
    *,
    kinds: Sequence[str] = ("pet",),
    slices: SliceOptions | None = None,
    options: StudyOptions | None = None,
    generator: GeneratorChoice | None = None,
    inception_weights: Path | None = None,
) -> dict[str, Any]:
    """Train classifiers on the training cases of a raw dataset in every arm, and evaluate them on its test cases.

    ``generator`` makes the images of the arms gan and gan_curated. ``inception_weights``: of torchvision's
    Inception-v3, whose features then also measure the images. Writes study.json, images.json and study.html into
    ``output``, and with a generator the measured slices as PNG (``pictures``, for a reader study); returns the content
    of study.json. An interrupted study continues. Prints a line per run, the table of the arms, and the image metrics.
    Raises DatasetError where there are too few cases, PluginError for an unknown classifier, and Ct2PetError where the
    generator's images do not fit.
    """
    options, slices, output = options or StudyOptions(), slices or SliceOptions(), Path(output)
    for name in options.classifiers:
        load_classifier(name)
    further: list[Extractor] = [] if inception_weights is None else [inception_features(inception_weights)]
    folder = raw_folder() / dataset_folder_name(dataset, raw_folder())
    condition, classes = read_condition(folder)
    sampler, sampler_name = None, ""
    if generator is not None:
        device = options.training.device
        sampler, sampler_name = load_sampler(folder.name, generator, device, kinds, (condition, classes), slices)
    training, test = (read_slices(labelled_cases(folder, split, kinds), classes, slices) for split in ("Tr", "Ts"))
    data = StudyData(training, test, sampler=sampler, sampler_name=sampler_name)
    study = run_study(data, options, output, progress=lambda line: print(line, flush=True))
    print(text_table(study))
    images = measure_samplers(data, options, further)
    _write_images(output / IMAGES_FILE, images)
    if sampler_name:
        write_pictures(output / PICTURES / "real", test)
        write_pictures(output / PICTURES / "synthetic", images[sampler_name].slices)
    write_study_page(output / PAGE, f"Augmentation study of {folder.name}", study, (training, test), images)
    print(f"written: {output / STUDY_FILE}, {output / IMAGES_FILE}, {output / PAGE}")
    return study


def load_sampler(
    dataset: str,
    choice: GeneratorChoice,
    device: str,
    kinds: Sequence[str],
    condition: tuple[str, Sequence[str]],
    slices: SliceOptions,
) -> tuple[TrainedGenerator, str]:
    """A trained generator of a dataset as the sampler of a study (see study.trained_generator), and its name."""
    loaded = load_generator(dataset, choice.model, choice.plans_name, choice.fold, choice.checkpoint)
    sampler = trained_generator(loaded.model.to(device), loaded.configuration, kinds, condition, slices)
    return sampler, _name(loaded.record)


def _name(record: Mapping[str, Any]) -> str:
    """The generator's method and plans, and the first digits of its checkpoint's digest: a study continues only with
    the same weights."""
    digests = [digest for folds in record["checkpoints_sha256"].values() for digest in folds.values()]
    return f"{record['model']} ({record['plans_name']}, checkpoint {digests[0][:12]})"


def _write_images(path: Path, images: Mapping[str, MeasuredImages]) -> None:
    write_json(path, {name: own.report for name, own in images.items()})
    for name, own in images.items():
        print(f"\nimages of {name}, synthetic (real):\n{text(own.report)}")
