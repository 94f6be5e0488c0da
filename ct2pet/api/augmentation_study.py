"""The augmentation study of a dataset and the metrics of synthetic images: ct2pet_augmentation_study as functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ct2pet.api.synthesis import load_generator
from ct2pet.console import output_width, wrapped
from ct2pet.dataset import RawDataset
from ct2pet.dataset.raw import dataset_folder_name
from ct2pet.files import write_json
from ct2pet.layout import CHECKPOINT_FINAL
from ct2pet.paths import raw_folder
from ct2pet.report import write_images_page, write_study_page
from ct2pet.study.cases import labelled_cases, read_condition, targets_of
from ct2pet.study.classifiers import load_classifier
from ct2pet.study.features import Extractor, inception_features
from ct2pet.study.generators import Sampler
from ct2pet.study.image_folder import read_image_folder
from ct2pet.study.image_report import text
from ct2pet.study.results import text_table
from ct2pet.study.slices import SliceOptions, read_slices
from ct2pet.study.study import STUDY_FILE, StudyData, StudyOptions, check_study, run_study, slices_digest
from ct2pet.study.synthetic_images import MeasuredImages, measure_samplers, write_pictures
from ct2pet.study.trained_generator import TrainedGenerator, trained_generator

IMAGES_FILE, PAGE, IMAGES_PAGE, PICTURES = "images.json", "study.html", "images.html", "pictures"


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
    generator: GeneratorChoice | Path | None = None,
    inception_weights: Path | None = None,
) -> dict[str, Any]:
    """Train classifiers on the training cases of a raw dataset in every arm, and evaluate them on its test cases.

    ``generator`` provides the images of the arms gan and gan_curated: a trained one, or a folder of synthetic images
    (see ``study.image_folder``). ``inception_weights``: of torchvision's Inception-v3, whose features then also measure
    the images. Writes study.json, images.json and study.html into ``output``, and with a generator the measured slices
    as PNG (``pictures``, for a reader study); returns the content of study.json. An interrupted study continues. Prints
    a line per run, the table of the arms, and the image metrics. Raises DatasetError where there are too few cases,
    PluginError for an unknown classifier, and Ct2PetError where the generator's images do not fit.
    """
    options, output = options or StudyOptions(), Path(output)
    further = _checked(options, inception_weights)
    data = _study_data(dataset, kinds, slices or SliceOptions(), generator, options.training.device)
    study = run_study(data, options, output, progress=lambda line: print(line, flush=True))
    print(text_table(study))
    images = measure_samplers(data, options, further)
    _write_images(output, data, images)
    title = f"Augmentation study of {_folder(dataset).name}"
    write_study_page(output / PAGE, title, study, (data.training, data.test), images)
    print(f"written: {output / STUDY_FILE}, {output / IMAGES_FILE}, {output / PAGE}")
    return study


def measure_synthetic_images(
    dataset: str | int,
    output: Path,
    generator: GeneratorChoice | Path,
    *,
    kinds: Sequence[str] = ("pet",),
    slices: SliceOptions | None = None,
    options: StudyOptions | None = None,
    inception_weights: Path | None = None,
) -> dict[str, Any]:
    """Measure the images of a generator, or of a folder, against the real ones of a raw dataset, without a study.

    Arguments and errors are those of ``study_augmentation``; of ``options`` the first classifier is trained once, to
    confirm the classes. Writes images.json, images.html and ``pictures`` into ``output``; returns the content of
    images.json.
    """
    options, output = options or StudyOptions(), Path(output)
    further = _checked(options, inception_weights)
    data = _study_data(dataset, kinds, slices or SliceOptions(), generator, options.training.device)
    check_study(data, options)
    images = measure_samplers(data, options, further)
    _write_images(output, data, images)
    title = f"Synthetic images for {_folder(dataset).name}"
    write_images_page(output / IMAGES_PAGE, title, (data.training, data.test), images)
    print(f"written: {output / IMAGES_FILE}, {output / IMAGES_PAGE}")
    return {name: own.report for name, own in images.items()}


def _checked(options: StudyOptions, inception_weights: Path | None) -> list[Extractor]:
    """The extractors beyond the usual ones. Raises PluginError for an unknown classifier before anything is read."""
    for name in options.classifiers:
        load_classifier(name)
    return [] if inception_weights is None else [inception_features(inception_weights)]


def _folder(dataset: str | int) -> Path:
    return raw_folder() / dataset_folder_name(dataset, raw_folder())


def _study_data(
    dataset: str | int,
    kinds: Sequence[str],
    slices: SliceOptions,
    generator: GeneratorChoice | Path | None,
    device: str,
) -> StudyData:
    folder = _folder(dataset)
    condition, classes = read_condition(folder)
    sampler: Sampler | None = None
    name = ""
    if isinstance(generator, GeneratorChoice):
        sampler, name = load_sampler(folder.name, generator, device, kinds, (condition, classes), slices)
    elif generator is not None:
        targets = {kind: target.name for kind, target in targets_of(RawDataset(folder), kinds).items()}
        sampler = read_image_folder(generator, targets, classes, slices)
        name = f"folder {generator.resolve().name} ({str(slices_digest(sampler.slices))[:12]})"
    training, test = (read_slices(labelled_cases(folder, split, kinds), classes, slices) for split in ("Tr", "Ts"))
    return StudyData(training, test, sampler=sampler, sampler_name=name)


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


def _write_images(output: Path, data: StudyData, images: Mapping[str, MeasuredImages]) -> None:
    """images.json, what it says as text, and the slices of the generator and of the test patients as pictures."""
    write_json(output / IMAGES_FILE, {name: own.report for name, own in images.items()})
    for name, own in images.items():
        print(wrapped(f"\nimages of {name}, synthetic (real):\n{text(own.report)}", output_width()))
    if data.sampler is not None:
        write_pictures(output / PICTURES / "real", data.test, data.test)
        write_pictures(output / PICTURES / "synthetic", images[data.sampler_name].slices, data.test)
