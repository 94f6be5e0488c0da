"""Write one HTML file of an evaluation: result, tables, plots, pictures and slices.

Example: ct2pet_report -d 001 -i predictions
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet import layout
from ct2pet.cli.arguments import add_dataset, add_folder, add_processes, positive_integer
from ct2pet.cli.command import command
from ct2pet.outputs import check_output_file, check_output_folder, check_replaceable, holds_texts

_START = "<!DOCTYPE html>"
_MARKS = ('<meta name="generator" content="ct2pet_report">', "Synthetic PET from CT")  # the second: of earlier versions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    add_folder(parser, "-i", "predictions", "folder of the predicted PETs, with the summary.json of ct2pet_evaluate")
    parser.add_argument(
        "-summary",
        type=Path,
        metavar="FILE",
        help="the summary of ct2pet_evaluate (default: summary.json in the folder of -i)",
    )
    parser.add_argument(
        "-o",
        dest="output",
        type=Path,
        metavar="FILE",
        help="HTML file to write (default: report.html in the folder of -i)",
    )
    parser.add_argument(
        "-split", choices=("Ts", "Tr"), default="Ts", help="Ts: test cases, Tr: training cases (default: Ts)"
    )
    parser.add_argument(
        "--other",
        type=Path,
        metavar="FILE",
        help="summary.json of another model on the same cases, for a comparison",
    )
    parser.add_argument(
        "--max_cases",
        type=positive_integer,
        default=20,
        metavar="N",
        help="number of cases with pictures and slices (default: 20)",
    )
    parser.add_argument(
        "--figures", type=Path, metavar="FOLDER", help="folder to write all plots and pictures to, as PNG, SVG and PDF"
    )
    add_processes(parser)


def _check(arguments: argparse.Namespace) -> None:
    output = arguments.output or arguments.predictions / layout.REPORT
    check_output_file(output)
    check_replaceable(output, _is_report, "a report of ct2pet_report")
    if arguments.figures is not None:
        check_output_folder(arguments.figures)


def _is_report(path: Path) -> bool:
    return any(holds_texts(path, _START, mark) for mark in _MARKS)


def execute(arguments: argparse.Namespace) -> None:
    _check(arguments)
    from ct2pet.api.reporting import report

    path = report(
        arguments.dataset,
        arguments.predictions,
        split=arguments.split,
        summary=arguments.summary,
        other_summary=arguments.other,
        output=arguments.output,
        figures=arguments.figures,
        max_cases=arguments.max_cases,
        num_processes=arguments.num_processes,
    )
    print(f"report: {path.resolve()}")


main = command("ct2pet_report", __doc__ or "", add_arguments, execute)
