"""Write one HTML file that shows an evaluation: the answer, tables and pictures.

Example: ct2pet_report -d 001 -i predictions
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.arguments import add_dataset, add_folder, add_processes
from ct2pet.cli.command import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    add_folder(parser, "-i", "predictions", "predicted PETs, with the summary.json of ct2pet_evaluate beside them")
    parser.add_argument("-summary", type=Path, metavar="FILE", help="(default: summary.json in the folder of -i)")
    parser.add_argument(
        "-o", dest="output", type=Path, metavar="FILE", help="(default: report.html in the folder of -i)"
    )
    parser.add_argument("-split", choices=("Ts", "Tr"), default="Ts", help="test or training cases (default: Ts)")
    add_processes(parser)


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.evaluation import report

    path = report(
        arguments.predictions,
        arguments.dataset,
        split=arguments.split,
        summary=arguments.summary,
        output=arguments.output,
        num_processes=arguments.num_processes,
    )
    print(f"report: {path}")


main = command("ct2pet_report", __doc__ or "", add_arguments, execute)
