"""Look at a dataset, decide, and preprocess it: district maps, fingerprint, plans, and one store per district.

Example: ct2pet_plan_and_preprocess -d 001 --verify_dataset_integrity
"""

from __future__ import annotations

import argparse

from ct2pet.cli.arguments import (
    add_dataset,
    add_device,
    add_memory_target,
    add_plans,
    add_processes,
    add_segmenter,
    add_sized_models,
)
from ct2pet.cli.command import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    add_plans(parser)
    parser.add_argument(
        "--verify_dataset_integrity", action="store_true", help="first look at every file, and stop if one is wrong"
    )
    add_segmenter(parser, None, "what made the maps that are there, or rules")
    add_memory_target(parser)
    add_sized_models(parser)
    add_device(parser, "what will train, here or elsewhere")
    add_processes(parser)


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.plan_tables import show_next, show_plan
    from ct2pet.api.planning import plan_and_preprocess

    plans = plan_and_preprocess(
        arguments.dataset,
        plans_name=arguments.plans,
        verify_dataset_integrity=arguments.verify_dataset_integrity,
        segmenter=arguments.segmenter,
        weights=arguments.weights,
        gpu_memory_target=arguments.gpu_memory_target,
        models=arguments.models,
        device=arguments.device,
        num_processes=arguments.num_processes,
    )
    show_plan(plans)
    show_next(plans)


main = command("ct2pet_plan_and_preprocess", __doc__ or "", add_arguments, execute)
