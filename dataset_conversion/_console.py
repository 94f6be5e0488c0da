"""The arguments and the final messages of the converters."""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.arguments import add_folder, add_processes
from ct2pet.dataset.train_test_split import split_dataset
from ct2pet.errors import CasesFailed
from dataset_conversion._pairs import Found, Outcome


def add_arguments(parser: argparse.ArgumentParser, help_text: str) -> None:
    """The arguments of all converters."""
    add_folder(parser, "-i", "source", help_text)
    add_processes(parser)
    parser.add_argument("--split", action="store_true", help="then split the dataset by patient, as ct2pet_split does")
    parser.add_argument("--patient_map", type=Path, metavar="FILE", help="table to write: the study of each case")
    parser.add_argument(
        "--left_out", type=Path, metavar="FILE", help="table to write: the files not used, with the reason"
    )


def report(found: Found, outcome: Outcome, *, split: bool, places: Path | None) -> None:
    """Print the results, a line per problem (with its path below ``places``), and split the dataset.

    Raises CasesFailed where studies failed; the dataset is not split then.
    """
    for problem in found.problems:
        where = "" if places is None else f"{problem.path.relative_to(places)}: "
        print(f"left out: {where}{problem.reason}")
    for note in found.notes:
        print(note)
    print(f"{outcome.folder}: {len(outcome.names)} case(s)")
    if outcome.failures:
        raise CasesFailed(
            dict(outcome.failures),
            some_done=bool(outcome.names),
            what="could not be converted",
            tracebacks=dict(outcome.tracebacks),
        )
    if split:
        print(", ".join(f"{number} {part}" for part, number in split_dataset(outcome.folder).items()))
