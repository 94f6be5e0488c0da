"""Plan spacing, patch, batch, normalisation and networks of every district from the fingerprint.

Prints the plan, and the time, memory and disk space of a training, from timed steps where this machine has the device.

Example: ct2pet_plan_experiment -d 001 -gpu_memory_target 24
         ct2pet_plan_experiment -d 001 -p paper_2503_15555
"""

from __future__ import annotations

import argparse

from ct2pet.cli.arguments import (
    add_dataset,
    add_device,
    add_memory_target,
    add_new_plans,
    add_sized_models,
    add_target_spacing,
)
from ct2pet.cli.command import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    add_new_plans(parser)
    add_memory_target(parser)
    add_sized_models(parser)
    add_target_spacing(parser)
    add_device(parser, "device that will train, on this or another machine")


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.plan_tables import show_costs, show_plan
    from ct2pet.api.planning import plan

    plans = plan(
        arguments.dataset,
        plans_name=arguments.plans_name,
        gpu_memory_target=arguments.gpu_memory_target,
        models=arguments.models,
        target_spacing=arguments.target_spacing,
        device=arguments.device,
    )
    show_plan(plans)
    show_costs(plans)


main = command("ct2pet_plan_experiment", __doc__ or "", add_arguments, execute)
