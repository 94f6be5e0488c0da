"""The arguments that choose the trained models of a prediction."""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.arguments import (
    TRAINED_FOLDS,
    add_checkpoint,
    add_configurations,
    add_folds,
    add_trained_dataset,
    add_trained_model,
)


def add_choice_of_model(parser: argparse.ArgumentParser) -> None:
    """-d, -m, -p, -c, -f and -chk of the results folder, or --model and --ensemble."""
    add_trained_dataset(parser)
    add_trained_model(parser)
    add_configurations(parser)
    add_folds(parser, f"{TRAINED_FOLDS}; the mean of several is predicted")
    add_checkpoint(parser)

    parser.add_argument(
        "--model",
        dest="model_paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="in place of -d, -m, -p: folders of trained models, archives of ct2pet_export_model, or box, the "
        "built-in model (several: their mean)",
    )
    parser.add_argument(
        "--ensemble",
        nargs="+",
        metavar="NAME",
        help="predict the mean of these trained models: MODEL__PLANS (all districts) or MODEL__PLANS__CONFIGURATION",
    )
