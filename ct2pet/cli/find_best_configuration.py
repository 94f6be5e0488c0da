"""Compare trained methods, plans, districts and whole body, and the average of every two, by cross-validation.

Every fold must be trained. Prints a table with paired tests, and the command that predicts with the best model.

Example: ct2pet_find_best_configuration 001 -m pix2pix cyclegan
"""

from __future__ import annotations

import argparse

from ct2pet.cli.arguments import add_crossval, add_positional_dataset, add_trained_models
from ct2pet.cli.command import command
from ct2pet.console import output_width


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_positional_dataset(parser)
    add_trained_models(parser)
    parser.add_argument(
        "--disable_ensembling", action="store_true", help="do not evaluate the average of every two models"
    )
    add_crossval(parser)


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.best_configuration import BestConfigurationOptions, find_best_configuration
    from ct2pet.api.cross_validation import CrossValidationOptions
    from ct2pet.evaluation.comparing.ranking import ranking_text

    own = ("dataset", "models", "plans_names", "disable_ensembling", "verbose", "disable_tta")
    values = {name: value for name, value in vars(arguments).items() if name not in own}
    prediction = CrossValidationOptions(**values, mirror=not arguments.disable_tta)
    options = BestConfigurationOptions(
        arguments.models, arguments.plans_names, not arguments.disable_ensembling, prediction
    )
    found = find_best_configuration(arguments.dataset, options)
    print(ranking_text(found.ranked, output_width()))
    for name, reason in found.left_out.items():
        print(f"left out: {name}: {reason}")
    print(f"next: {found.command}")


main = command("ct2pet_find_best_configuration", __doc__ or "", add_arguments, execute)
