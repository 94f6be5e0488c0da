"""Run all stages of a method on a procedural phantom, on a CPU, in minutes: data, plans, training, prediction, report.

Example: ct2pet_demo -o my_demo
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ct2pet.api.demonstrations import demonstrated_methods
from ct2pet.cli.arguments import add_device
from ct2pet.cli.command import command
from ct2pet.console import duration
from ct2pet.outputs import check_output_folder

_DEFAULT = "pix2pix"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        dest="output",
        type=Path,
        default=Path("ct2pet_demo"),
        metavar="FOLDER",
        help="output folder (default: ./ct2pet_demo)",
    )
    methods = demonstrated_methods()
    parser.add_argument(
        "--method",
        choices=methods,
        default=_DEFAULT,
        metavar="METHOD",
        help=f"the method: {', '.join(methods)} (default: {_DEFAULT})",
    )
    add_device(parser)


def execute(arguments: argparse.Namespace) -> None:
    check_output_folder(arguments.output)
    from ct2pet.api.demo import run_demo

    started = time.monotonic()
    report = run_demo(arguments.output, arguments.method, device=arguments.device)
    print(f"report with all tables and pictures: {report}\nduration: {duration(time.monotonic() - started)}")


main = command("ct2pet_demo", __doc__ or "", add_arguments, execute)
