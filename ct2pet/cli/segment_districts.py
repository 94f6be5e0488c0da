"""Segment the districts of the body in CTs: one label map per CT on the CT's grid, with its quality checks.

Example: ct2pet_segment_districts -i imagesTs -o maps --pictures
         ct2pet_segment_districts -d 001
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.arguments import add_device, add_processes, add_segmenter
from ct2pet.cli.cluster import OPTIONS, add_cluster, on_cluster_of
from ct2pet.cli.command import command
from ct2pet.outputs import check_apart
from ct2pet.paths import raw_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", dest="source", type=Path, metavar="PATH", help="folder of CTs in HU, or one CT file")
    parser.add_argument(
        "-o", dest="target", type=Path, metavar="PATH", help="folder of the district maps, or a file for one CT"
    )
    parser.add_argument(
        "-d",
        dest="dataset",
        metavar="DATASET",
        help="in place of -i and -o: segment all CTs of this raw dataset (001) into its districtsTr and districtsTs",
    )
    add_segmenter(parser, None, "that of the dataset, or rules")
    parser.add_argument(
        "--districts", type=Path, metavar="FOLDER", help="for --segmenter files: folder of existing maps, CASE.nii.gz"
    )
    parser.add_argument("--pictures", action="store_true", help="write a PNG next to each map: the map over the CT")
    parser.add_argument(
        "--continue_segmentation", action="store_true", help="keep the maps that this segmenter made; make the others"
    )
    add_device(parser)
    add_processes(parser)
    add_cluster(parser)


def execute(arguments: argparse.Namespace) -> None:
    if arguments.source is not None and arguments.target is not None:
        check_apart(arguments.target, arguments.source, "-o")
    from ct2pet.api.segmentation import segment_districts

    inputs = [path for path in (arguments.source, arguments.districts) if path is not None]
    with on_cluster_of(arguments, inputs=inputs, outputs=[arguments.target or raw_folder()]):
        others = ("verbose", *OPTIONS)
        segment_districts(**{name: value for name, value in vars(arguments).items() if name not in others})


main = command("ct2pet_segment_districts", __doc__ or "", add_arguments, execute)
