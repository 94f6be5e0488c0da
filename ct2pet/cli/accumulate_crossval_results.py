"""Predict each training case with the models that were not trained on it, and evaluate all cases together.

Each prediction is a whole body, stitched from the districts as in ct2pet_predict.

Example: ct2pet_accumulate_crossval_results 001 -m pix2pix
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.arguments import add_configurations, add_crossval, add_positional_dataset, add_trained_model
from ct2pet.cli.command import command
from ct2pet.console import output_width
from ct2pet.outputs import check_output_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_positional_dataset(parser)
    add_trained_model(parser)
    add_configurations(parser)
    parser.add_argument(
        "-o",
        dest="output",
        type=Path,
        metavar="FOLDER",
        help="folder of the predictions and of summary.json (default: crossval_results in the results folder)",
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
    summary = accumulate_crossval_results(arguments.dataset, arguments.output, **options)
    print(table(summary, arguments.verbose, output_width()))


main = command("ct2pet_accumulate_crossval_results", __doc__ or "", add_arguments, execute)
