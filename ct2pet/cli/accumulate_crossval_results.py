"""Predict every training case by the models of the fold that did not train with it, and evaluate all of them together.

The predictions are whole bodies, stitched from the districts as ct2pet_predict does.

Example: ct2pet_accumulate_crossval_results 001 -m pix2pix
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.arguments import add_configurations, add_crossval
from ct2pet.cli.command import command
from ct2pet.outputs import check_output_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="its number (001) or folder name (Dataset001_NAME)")
    parser.add_argument(
        "-m", dest="model", metavar="MODEL", help="the method, for example pix2pix; needed where several are trained"
    )
    parser.add_argument(
        "-p", dest="plans_name", metavar="PLANS", help="trained with these plans; needed where several are trained"
    )
    add_configurations(parser)
    parser.add_argument(
        "-o",
        dest="output",
        type=Path,
        metavar="FOLDER",
        help="the predictions and summary.json (default: crossval_results in the dataset's results folder)",
    )
    add_crossval(parser)


def execute(arguments: argparse.Namespace) -> None:
    if arguments.output is not None:
        check_output_folder(arguments.output)
    from ct2pet.api.cross_validation import accumulate_crossval_results
    from ct2pet.evaluation import table

    others = ("dataset", "output", "verbose", "disable_tta")
    options = {name: value for name, value in vars(arguments).items() if name not in others}
    options["mirror"] = not arguments.disable_tta
    print(table(accumulate_crossval_results(arguments.dataset, arguments.output, **options)))


main = command("ct2pet_accumulate_crossval_results", __doc__ or "", add_arguments, execute)
