"""Make images of a class with a model that was trained to (medscangan): NIfTI files and a sheet to look at.

Example: ct2pet_synthesize -d 104 --label malignant -n 500 -o synthetic --seed 1
"""

from __future__ import annotations

import argparse

from ct2pet.cli.arguments import add_checkpoint, add_device, add_folder, positive_integer, seed
from ct2pet.cli.command import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_folder(parser, "-o", "target", "folder of the images")
    parser.add_argument(
        "--label",
        dest="labels",
        nargs="+",
        default=(),
        metavar="CLASS",
        help="the class of every condition: CLASS, or CONDITION=CLASS where several conditions have it",
    )
    parser.add_argument(
        "-n", dest="count", type=positive_integer, default=1, metavar="N", help="how many images (default: 1)"
    )
    parser.add_argument("--seed", type=seed, default=12345, metavar="N", help="(default: 12345)")
    why = "needed where several are trained"
    parser.add_argument("-d", dest="dataset", metavar="DATASET", help=f"trained on this dataset, 104; {why}")
    parser.add_argument("-m", dest="model", metavar="MODEL", help=f"the method; {why}")
    parser.add_argument("-p", dest="plans_name", metavar="PLANS", help=f"trained with these plans; {why}")
    parser.add_argument("-f", dest="fold", metavar="FOLD", help=f"the fold; {why}")
    add_checkpoint(parser)
    add_device(parser)


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.synthesis import synthesize

    options = {name: value for name, value in vars(arguments).items() if name not in ("target", "verbose")}
    paths = synthesize(arguments.target, **options)
    print(f"{arguments.target}: {len(paths)} image(s) written")


main = command("ct2pet_synthesize", __doc__ or "", add_arguments, execute)
