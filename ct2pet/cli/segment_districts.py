"""Split the bodies in CTs into districts: one label map per CT, on the CT's own grid, and how sure it is.

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
        "-o", dest="target", type=Path, metavar="PATH", help="folder of the district maps; a file for one CT"
    )
    parser.add_argument(
        "-d",
        dest="dataset",
        metavar="DATASET",
        help="instead of -i and -o: all CTs of this raw dataset, 001, into its districtsTr and districtsTs",
    )
    add_segmenter(parser, None, "that of the dataset, or rules")
    parser.add_argument(
        "--districts", type=Path, metavar="FOLDER", help="of your own maps, CASE.nii.gz, for --segmenter files"
    )
    parser.add_argument("--pictures", action="store_true", help="a PNG beside each map: the map over the CT")
    parser.add_argument(
        "--continue_segmentation", action="store_true", help="leave the maps that this segmenter made as they are"
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
