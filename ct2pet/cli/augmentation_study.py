"""Measure how much a classifier gains from added images: same real patients, several augmentations, equal steps.

Every arm is tested on the dataset's test patients. study.html in the output folder also compares synthetic with real
images. An interrupted study continues when the command is run again.

Example: ct2pet_augmentation_study -d 104 -o study -m medscangan --classifiers resnet18 vgg16 --ratios 0 1 2 --seeds 5
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ct2pet.cli.arguments import (
    add_checkpoint,
    add_dataset,
    add_device,
    add_fold,
    add_folder,
    add_trained_plans,
    number,
    positive_integer,
)
from ct2pet.cli.command import command
from ct2pet.errors import Ct2PetError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    add_folder(parser, "-o", "output", "folder of the runs, study.json, images.json and study.html")
    parser.add_argument(
        "--classifiers",
        nargs="+",
        default=["resnet18"],
        metavar="NAME",
        help="resnet18, vgg16, mobilenet, yolov8_cls, small_cnn or your own (default: resnet18)",
    )
    parser.add_argument(
        "--arms",
        nargs="+",
        metavar="ARM",
        help="arms besides real: classical, oversampling, mixup, pca_gaussian, gan and gan_curated (with -m or "
        "-synthetic), oracle (with --patients), duplicates, random_labels (default: all that are possible except the "
        "last two)",
    )
    _add_generator(parser)
    parser.add_argument(
        "--ratios",
        nargs="+",
        type=number(0, 100),
        default=[1.0],
        metavar="N",
        help="added images per real image; 0 is the arm real, which is always included (default: 1)",
    )
    parser.add_argument("--seeds", type=positive_integer, default=5, metavar="N", help="runs of each arm (default: 5)")
    parser.add_argument(
        "--patients",
        type=positive_integer,
        metavar="N",
        help="train on N patients per run; the arm oracle uses the others",
    )
    _add_slices(parser)
    parser.add_argument(
        "--steps", type=positive_integer, default=400, metavar="N", help="steps of each training (default: 400)"
    )
    parser.add_argument(
        "--only_images",
        action="store_true",
        help="only measure the images of -m or -synthetic: images.json, images.html",
    )
    parser.add_argument(
        "--few_patients", action="store_true", help="run with fewer than ten patients of a class (weak evidence)"
    )
    parser.add_argument(
        "--inception_weights",
        type=Path,
        metavar="FILE",
        help="state dict of torchvision's Inception-v3, to compare images also by its features",
    )
    add_device(parser)


def _add_generator(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument("-m", dest="model", metavar="MODEL", help="the trained generator of the arms gan, gan_curated")
    source.add_argument(
        "-synthetic",
        dest="synthetic",
        type=Path,
        metavar="FOLDER",
        help="instead of -m: synthetic images, a folder for each class, as ct2pet_synthesize writes them",
    )
    add_trained_plans(parser)
    add_fold(parser)
    add_checkpoint(parser)


def _add_slices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kinds",
        nargs="+",
        choices=("pet", "ct"),
        default=["pet"],
        help="kinds of images, one channel each (default: pet)",
    )
    parser.add_argument(
        "--size_mm",
        type=number(1, 1000, "mm"),
        default=64.0,
        metavar="MM",
        help="side length of a slice in mm (default: 64)",
    )
    parser.add_argument(
        "--pixels",
        type=positive_integer,
        default=64,
        metavar="N",
        help="side length of a slice in pixels (default: 64)",
    )
    parser.add_argument(
        "--slices_per_case",
        type=positive_integer,
        default=3,
        metavar="N",
        help="number of slices through the lesion (default: 3)",
    )


def _arms(arguments: argparse.Namespace) -> tuple[str, ...]:
    if arguments.arms is not None:
        return tuple(arguments.arms)
    with_generator = arguments.model is not None or arguments.synthetic is not None
    generated = ("gan", "gan_curated") if with_generator else ()
    more_real = ("oracle",) if arguments.patients is not None else ()
    return ("classical", "oversampling", "mixup", "pca_gaussian", *generated, *more_real)


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.augmentation_study import GeneratorChoice, measure_synthetic_images, study_augmentation
    from ct2pet.api.device import choose_device
    from ct2pet.study.classification import ClassifierOptions
    from ct2pet.study.slices import SliceOptions
    from ct2pet.study.study import StudyOptions

    options = StudyOptions(
        classifiers=tuple(arguments.classifiers),
        arms=_arms(arguments),
        ratios=tuple(arguments.ratios),
        seeds=arguments.seeds,
        patients=arguments.patients,
        few_patients=arguments.few_patients,
        training=ClassifierOptions(steps=arguments.steps, device=choose_device(arguments.device)),
    )
    generator: GeneratorChoice | Path | None = arguments.synthetic
    if arguments.model is not None:
        generator = GeneratorChoice(arguments.model, arguments.plans_name, arguments.fold, arguments.checkpoint)
    common: dict[str, Any] = {
        "kinds": arguments.kinds,
        "slices": SliceOptions(arguments.size_mm, arguments.pixels, arguments.slices_per_case),
        "options": options,
        "inception_weights": arguments.inception_weights,
    }
    if not arguments.only_images:
        study_augmentation(arguments.dataset, arguments.output, generator=generator, **common)
    elif generator is None:
        raise Ct2PetError("--only_images needs a generator (-m) or a folder of images (-synthetic)")
    else:
        measure_synthetic_images(arguments.dataset, arguments.output, generator, **common)


main = command("ct2pet_augmentation_study", __doc__ or "", add_arguments, execute)
