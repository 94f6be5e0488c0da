"""Synthesize images of a class with a trained generative model (medscangan): NIfTI files and an overview sheet.

Example: ct2pet_synthesize -d 104 --label malignant -n 500 -o synthetic --seed 1
"""

from __future__ import annotations

import argparse

from ct2pet.cli.arguments import (
    add_checkpoint,
    add_device,
    add_fold,
    add_folder,
    add_trained_dataset,
    add_trained_model,
    positive_integer,
    seed,
)
from ct2pet.cli.command import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_folder(parser, "-o", "target", "folder of the images")
    parser.add_argument(
        "--label",
        dest="labels",
        nargs="+",
        default=(),
        metavar="CLASS",
        help="class of each condition: CLASS, or CONDITION=CLASS where several conditions have a class of this name",
    )
    parser.add_argument(
        "-n",
        dest="count",
        type=positive_integer,
        default=1,
        metavar="N",
        help="number of samples; PET and CT of a sample are two files (default: 1)",
    )
    parser.add_argument("--seed", type=seed, default=12345, metavar="N", help="random seed (default: 12345)")
    add_trained_dataset(parser)
    add_trained_model(parser)
    add_fold(parser)
    add_checkpoint(parser)
    add_device(parser)


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.synthesis import synthesize

    options = {name: value for name, value in vars(arguments).items() if name not in ("target", "verbose")}
    paths = synthesize(arguments.target, **options)
    print(f"{arguments.target}: {arguments.count} sample(s) in {len(paths)} file(s) written")


main = command("ct2pet_synthesize", __doc__ or "", add_arguments, execute)
