"""Measure the training cases: spacings, sizes and intensities of every district.

Example: ct2pet_extract_fingerprint -d 001
"""

from __future__ import annotations

import argparse

from ct2pet.cli.arguments import add_dataset, add_processes
from ct2pet.cli.command import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    parser.add_argument(
        "--verify_dataset_integrity",
        action="store_true",
        help="check every file first, and stop with a list of all problems",
    )
    add_processes(parser)


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.planning import extract_fingerprint, verify

    if arguments.verify_dataset_integrity:
        verify(arguments.dataset, num_processes=arguments.num_processes)
    extract_fingerprint(arguments.dataset, num_processes=arguments.num_processes)


main = command("ct2pet_extract_fingerprint", __doc__ or "", add_arguments, execute)
