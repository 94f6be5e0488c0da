"""Copy the plans of one dataset to another, so that both are preprocessed and trained in the same way.

Example: ct2pet_move_plans_between_datasets -s 001 -t 002 -sp ct2petPlans -tp plansOf001
"""

from __future__ import annotations

import argparse

from ct2pet import layout
from ct2pet.cli.command import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-s",
        dest="source",
        required=True,
        metavar="DATASET",
        help="the source dataset: its number (001) or folder name",
    )
    parser.add_argument(
        "-t",
        dest="target",
        required=True,
        metavar="DATASET",
        help="the target dataset: its number (002) or folder name",
    )
    parser.add_argument(
        "-sp",
        dest="plans_name",
        default=layout.DEFAULT_PLANS,
        metavar="PLANS",
        help=f"name of the plans (default: {layout.DEFAULT_PLANS})",
    )
    parser.add_argument(
        "-tp", dest="new_name", metavar="PLANS", help="name of the plans in the target dataset (default: the same)"
    )


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.plans import move_plans_between_datasets

    path = move_plans_between_datasets(arguments.source, arguments.target, arguments.plans_name, arguments.new_name)
    print(f"written: {path}")
    print(f"next: ct2pet_preprocess -d {path.parent.name} -p {path.stem}")


main = command("ct2pet_move_plans_between_datasets", __doc__ or "", add_arguments, execute)
