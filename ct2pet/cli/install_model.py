"""Install an archive of ct2pet_export_model into the results folder. All files are checked before anything is written.

Example: ct2pet_install_model pix2pix.zip
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.command import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("package", type=Path, metavar="FILE", help="archive written by ct2pet_export_model")


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.model_sharing import install_model

    for folder in install_model(arguments.package):
        print(f"installed: {folder}")


main = command("ct2pet_install_model", __doc__ or "", add_arguments, execute)
