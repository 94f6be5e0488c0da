"""Which trained models a command predicts with."""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.arguments import add_checkpoint, add_configurations


def add_choice_of_model(parser: argparse.ArgumentParser) -> None:
    """-d, -m, -p, -c, -f and -chk of the results folder, or --model and --ensemble."""
    why = "needed where several are trained"
    parser.add_argument("-d", dest="dataset", metavar="DATASET", help=f"trained on this dataset, 001; {why}")
    parser.add_argument("-m", dest="model", metavar="MODEL", help=f"the method, for example pix2pix; {why}")
    parser.add_argument("-p", dest="plans_name", metavar="PLANS", help=f"trained with these plans; {why}")
    add_configurations(parser)
    parser.add_argument(
        "-f", dest="folds", nargs="+", metavar="FOLD", help="mean of these folds (default: those that there are)"
    )
    add_checkpoint(parser)

    parser.add_argument(
        "--model",
        dest="model_paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="instead of -d, -m, -p: the folder of a trained model, or a file of ct2pet_export_model, or box, the "
        "model that is a part of ct2pet; of several the mean is predicted",
    )
    parser.add_argument(
        "--ensemble",
        nargs="+",
        metavar="NAME",
        help="the mean of these trained models: MODEL__PLANS (all districts) or MODEL__PLANS__CONFIGURATION",
    )
