"""Register misaligned PETs of a raw dataset to their CTs (rigid), along the axes that the images determine.

Example: ct2pet_register -d 001
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ct2pet.cli.arguments import add_dataset, add_processes
from ct2pet.cli.cluster import add_cluster, on_cluster_of
from ct2pet.cli.command import command

if TYPE_CHECKING:
    from ct2pet.dataset import RawDataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    parser.add_argument(
        "--cases",
        nargs="+",
        metavar="CASE",
        help="register these cases (default: all that a quick estimate finds misaligned)",
    )
    add_processes(parser)
    add_cluster(parser)


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.dataset import open_dataset

    dataset = open_dataset(arguments.dataset)
    with on_cluster_of(arguments, outputs=[dataset.folder]):
        register_and_print(dataset, arguments.cases, arguments.num_processes)


def register_and_print(dataset: RawDataset, cases: list[str] | None, num_processes: int | None) -> None:
    """Register, and print the outcome of each case that is not aligned. Raises CasesFailed where cases failed."""
    from ct2pet.dataset.alignment import align_dataset, count_outcomes
    from ct2pet.parallel import default_processes

    results = align_dataset(dataset, cases, num_processes or default_processes())
    for case, record in results.values.items():
        if cases or record.outcome != "aligned":
            print(f"{case}: {record.outcome}: {record.reason}")
    print(f"{dataset.folder}: {count_outcomes(results.values.values()) or 'no case'}")
    results.raise_failures("could not be registered")


main = command("ct2pet_register", __doc__ or "", add_arguments, execute)
