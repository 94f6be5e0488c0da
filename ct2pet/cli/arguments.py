"""Arguments that several commands have, in nnU-Net's words."""

from __future__ import annotations

import argparse
from pathlib import Path

Parser = argparse.ArgumentParser


def add_dataset(parser: Parser) -> None:
    parser.add_argument(
        "-d",
        dest="dataset",
        required=True,
        metavar="DATASET",
        help="the dataset: its number (001) or folder name (Dataset001_NAME)",
    )


def add_plans(parser: Parser) -> None:
    parser.add_argument(
        "-p", dest="plans", default="ct2petPlans", metavar="PLANS", help="name of the plans (default: ct2petPlans)"
    )


def add_configurations(parser: Parser) -> None:
    parser.add_argument(
        "-c",
        dest="configurations",
        nargs="+",
        metavar="DISTRICT",
        help="only these districts, or whole_body (default: every district)",
    )


def add_processes(parser: Parser, flag: str = "-np") -> None:
    parser.add_argument(
        flag,
        dest="num_processes",
        type=positive_integer,
        metavar="N",
        help="processes (default: one a core; fewer where the memory is short)",
    )


def add_device(parser: Parser, said: str = "where to compute") -> None:
    parser.add_argument("-device", choices=("cuda", "mps", "cpu"), help=f"{said} (default: cuda, else cpu)")


def add_segmenter(parser: Parser, default: str | None, said: str) -> None:
    parser.add_argument(
        "--segmenter",
        default=default,
        metavar="NAME",
        help=f"what makes district maps: rules, moose, totalsegmentator or files (default: {said})",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FOLDER",
        help="the segmenter's weights, where it needs any: moose, totalsegmentator",
    )


def add_memory_target(parser: Parser) -> None:
    parser.add_argument(
        "-gpu_memory_target",
        type=positive_number,
        metavar="GIB",
        help="memory that one training may take, in GiB (on a CPU: of RAM); moves patch and batch size",
    )


def add_sized_models(parser: Parser) -> None:
    parser.add_argument(
        "-m",
        dest="models",
        nargs="+",
        default=["pix2pix"],
        metavar="MODEL",
        help="the methods whose training must fit into that memory (default: pix2pix; cyclegan needs more)",
    )


def add_folder(parser: Parser, flag: str, destination: str, help_text: str, required: bool = True) -> None:
    parser.add_argument(flag, dest=destination, type=Path, required=required, metavar="FOLDER", help=help_text)


def positive_integer(text: str) -> int:
    """An argparse type: a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def whole_number(text: str) -> int:
    """An argparse type: a whole number of at least 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not at least 0")
    return value


def number_from_zero(text: str) -> float:
    """An argparse type: a number of at least 0."""
    value = float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text} is not at least 0")
    return value


def positive_number(text: str) -> float:
    """An argparse type: a number above 0."""
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value
