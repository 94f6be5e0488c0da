"""Convert DICOM studies (PET/CT) to a raw dataset: CT in HU, PET in SUV, and lesion masks where the export has them.

Example: ct2pet_convert_dicom -i export -d 001 -n CLINIC --patient_map ~/private/patients.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ct2pet.cli.arguments import add_folder, add_processes, positive_integer
from ct2pet.cli.cluster import OPTIONS, add_cluster, on_cluster_of
from ct2pet.cli.command import command
from ct2pet.paths import raw_folder

if TYPE_CHECKING:
    from ct2pet.conversion import Conversion


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_folder(parser, "-i", "source", "folder of DICOM files, in any order and nesting")
    parser.add_argument(
        "-d",
        dest="dataset_id",
        type=positive_integer,
        required=True,
        metavar="N",
        help="number of the dataset, for example 001",
    )
    parser.add_argument(
        "-n",
        dest="name",
        required=True,
        metavar="NAME",
        help="name of the dataset: DatasetNNN_NAME with cases NAME_0001 ...",
    )
    add_processes(parser)
    add_cluster(parser)
    parser.add_argument(
        "--weights_csv",
        type=Path,
        metavar="FILE",
        help="table (CSV) of patient weights, doses and injection times that the headers lack",
    )
    parser.add_argument(
        "--patient_map", type=Path, metavar="FILE", help="table to write: the patient of each case; keep it private"
    )
    parser.add_argument(
        "--left_out",
        type=Path,
        metavar="FILE",
        help="table to write: the files not used, with the reason; keep it private",
    )
    parser.add_argument(
        "--lesion_rois",
        "--lesion_names",
        dest="lesion_rois",
        metavar="PATTERN",
        help="name pattern of the regions that are lesions, such as '*tumour*' (default: codes and types, then names)",
    )
    parser.add_argument(
        "--register",
        action="store_true",
        help="then register PETs that are not aligned with their CT, as ct2pet_register does",
    )
    parser.add_argument("--split", action="store_true", help="then split the dataset by patient, as ct2pet_split does")


def execute(arguments: argparse.Namespace) -> None:
    with on_cluster_of(arguments, inputs=[arguments.source], outputs=[raw_folder()]):
        _convert(arguments)


def _convert(arguments: argparse.Namespace) -> None:
    from ct2pet.cli.register import register_and_print
    from ct2pet.conversion import convert_dicom
    from ct2pet.conversion.converter import raise_failures, raise_incomplete
    from ct2pet.dataset import RawDataset
    from ct2pet.dataset.train_test_split import split_dataset

    later = ("verbose", "register", "split", *OPTIONS)
    conversion = convert_dicom(**{name: value for name, value in vars(arguments).items() if name not in later})
    _print(conversion)
    raise_failures(conversion)
    if arguments.register:
        register_and_print(RawDataset(conversion.dataset), None, arguments.num_processes)
    if arguments.split:
        counts = split_dataset(conversion.dataset)
        print(", ".join(f"{count} {part}" for part, count in counts.items()))
    raise_incomplete(conversion)


def _print(conversion: Conversion) -> None:
    """What was left out, chosen and made, without paths: folder names often contain patient names."""
    from ct2pet.conversion.left_out import group_left_out

    for reason, count in group_left_out(conversion.left_out):
        print(f"left out: {reason}" if count == 1 else f"left out: {count} x {reason}")
    for case, choice in conversion.chosen.items():
        for line in (choice, *conversion.notes.get(case, ())):
            print(f"{case}: {line}")
    old = f", {len(conversion.old)} already there" if conversion.old else ""
    print(f"{conversion.dataset}: {len(conversion.new)} case(s) converted{old}")


main = command("ct2pet_convert_dicom", __doc__ or "", add_arguments, execute)
