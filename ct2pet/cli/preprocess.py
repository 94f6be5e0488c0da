"""Write the preprocessed data of every district. An interrupted run continues when it is started again.

Example: ct2pet_preprocess -d 001 -np 4
"""

from __future__ import annotations

import argparse

from ct2pet.cli.arguments import add_configurations, add_dataset, add_plans, add_processes
from ct2pet.cli.cluster import add_cluster, on_cluster_of
from ct2pet.cli.command import command
from ct2pet.paths import preprocessed_folder, raw_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    add_plans(parser)
    add_configurations(parser)
    add_processes(parser)
    add_cluster(parser)


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.preprocessing import preprocess

    with on_cluster_of(arguments, inputs=[raw_folder()], outputs=[preprocessed_folder()]):
        preprocess(
            arguments.dataset,
            plans_name=arguments.plans_name,
            configurations=arguments.configurations,
            num_processes=arguments.num_processes,
        )


main = command("ct2pet_preprocess", __doc__ or "", add_arguments, execute)
