"""Segment organs in the CTs of a dataset's cases, as training labels of a method that predicts organs without a CT.

Example: ct2pet_segment_organs -d 105 -i cts --segmenter totalsegmentator --weights my_weights
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.arguments import add_dataset, add_device, add_folder, add_processes
from ct2pet.cli.command import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    add_folder(parser, "-i", "source", "folder of the cases' CTs in HU: CASE.nii.gz, or one DICOM folder per case")
    parser.add_argument(
        "--segmenter", required=True, metavar="NAME", help="segmenter of the organs: moose or totalsegmentator"
    )
    parser.add_argument("--weights", type=Path, metavar="FOLDER", help="folder of the segmenter's weights")
    add_device(parser)
    add_processes(parser)


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.organ_segmentation import segment_organs

    segment_organs(**{name: value for name, value in vars(arguments).items() if name != "verbose"})


main = command("ct2pet_segment_organs", __doc__ or "", add_arguments, execute)
