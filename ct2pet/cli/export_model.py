"""Write a trained model to one zip archive for ct2pet_install_model: weights, plans, and a model card.

The archive contains no case, no name of a case or patient, and no path of this machine.

Example: ct2pet_export_model -d 001 -m pix2pix -o pix2pix.zip
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.arguments import (
    TRAINED_FOLDS,
    add_checkpoint,
    add_configurations,
    add_dataset,
    add_folds,
    add_trained_model,
)
from ct2pet.cli.command import command
from ct2pet.outputs import check_output_file, check_replaceable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    parser.add_argument(
        "-o", dest="output", type=Path, required=True, metavar="FILE", help="the archive to write, NAME.zip"
    )
    add_trained_model(parser)
    add_configurations(parser)
    add_folds(parser, TRAINED_FOLDS)
    add_checkpoint(parser)
    parser.add_argument("--half_precision", action="store_true", help="store weights as float16 (half the size)")


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.sharing.archive import is_package

    check_output_file(arguments.output)
    check_replaceable(arguments.output, is_package, "a model of ct2pet_export_model")
    from ct2pet.api.model_sharing import export_model

    others = ("dataset", "output", "verbose")
    options = {name: value for name, value in vars(arguments).items() if name not in others}
    path = export_model(arguments.dataset, arguments.output, **options)
    print(f"written: {path} ({path.stat().st_size / 2**20:.1f} MiB)")


main = command("ct2pet_export_model", __doc__ or "", add_arguments, execute)
