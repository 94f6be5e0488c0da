"""Split a raw dataset by patient into 70% training, 10% validation and 20% test, stratified by diagnosis.

Example: ct2pet_split -d 001
"""

from __future__ import annotations

import argparse

from ct2pet.cli.arguments import add_dataset, seed
from ct2pet.cli.command import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    parser.add_argument(
        "--seed", type=seed, default=12345, metavar="N", help="random seed of the split (default: 12345)"
    )


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.dataset import open_dataset
    from ct2pet.dataset.train_test_split import split_dataset

    folder = open_dataset(arguments.dataset).folder
    counts = split_dataset(folder, arguments.seed)
    print(f"{folder}: " + ", ".join(f"{count} {part}" for part, count in counts.items()))


main = command("ct2pet_split", __doc__ or "", add_arguments, execute)
