"""Write a trained model to one zip archive that others can install: weights, plans, and a model card.

The archive holds no case, no name of a case or patient, and no path of this machine.

Example: ct2pet_export_model -d 001 -m pix2pix -o pix2pix.zip
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.arguments import add_checkpoint, add_configurations, add_dataset
from ct2pet.cli.command import command
from ct2pet.outputs import check_output_file, check_replaceable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    parser.add_argument("-o", dest="output", type=Path, required=True, metavar="FILE", help="the archive, NAME.zip")
    parser.add_argument(
        "-m", dest="model", metavar="MODEL", help="the method, for example pix2pix; needed where several are trained"
    )
    parser.add_argument(
        "-p", dest="plans_name", metavar="PLANS", help="trained with these plans; needed where several are trained"
    )
    add_configurations(parser)
    parser.add_argument(
        "-f",
        dest="folds",
        nargs="+",
        metavar="FOLD",
        help="these folds (default: 0, 1, ...; all where there is no other)",
    )
    add_checkpoint(parser)
    parser.add_argument("--half_precision", action="store_true", help="weights as float16: half the size")


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
