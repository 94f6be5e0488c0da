"""Plan and preprocess a dataset: district maps, fingerprint, plans, and one store per district.

Example: ct2pet_plan_and_preprocess -d 001 --verify_dataset_integrity
         ct2pet_plan_and_preprocess -d 001 002 -c head trunk -np 4
"""

from __future__ import annotations

import argparse

from ct2pet.cli.arguments import (
    add_configurations,
    add_device,
    add_memory_target,
    add_new_plans,
    add_processes,
    add_segmenter,
    add_sized_models,
    add_target_spacing,
)
from ct2pet.cli.command import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-d",
        dest="datasets",
        nargs="+",
        required=True,
        metavar="DATASET",
        help="the datasets, one after another: their numbers (001) or folder names (Dataset001_NAME)",
    )
    add_new_plans(parser)
    add_configurations(parser)
    parser.add_argument(
        "--verify_dataset_integrity",
        action="store_true",
        help="check every file first, and stop with a list of all problems",
    )
    add_segmenter(parser, None, "that of the existing maps, or rules")
    add_memory_target(parser)
    add_sized_models(parser)
    add_target_spacing(parser)
    add_device(parser, "device that will train, on this or another machine")
    add_processes(parser)


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.plan_tables import show_next, show_plan
    from ct2pet.api.planning import PlanAndPreprocessOptions, plan_and_preprocess

    options = {name: getattr(arguments, name) for name in PlanAndPreprocessOptions.__dataclass_fields__}
    for dataset in arguments.datasets:
        plans = plan_and_preprocess(dataset, **options)
        show_plan(plans)
        show_next(plans, arguments.configurations)


main = command("ct2pet_plan_and_preprocess", __doc__ or "", add_arguments, execute)
