"""Arguments that several commands have, in nnU-Net's words."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from ct2pet import layout

Parser = argparse.ArgumentParser
_MOST_PROCESSES = 1024
_MOST_DIGITS = 20


def add_dataset(parser: Parser, required: bool = True) -> None:
    parser.add_argument(
        "-d",
        dest="dataset",
        required=required,
        metavar="DATASET",
        help="the dataset: its number (001) or folder name (Dataset001_NAME)",
    )


def add_plans(parser: Parser) -> None:
    parser.add_argument(
        "-p",
        dest="plans",
        default=layout.DEFAULT_PLANS,
        metavar="PLANS",
        help="name of the plans (default: ct2petPlans)",
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
        type=integer(1, _MOST_PROCESSES),
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
        help=f"what makes district maps: rules, body, moose, totalsegmentator or files (default: {said})",
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
        type=number(0.01, 10_000, "GiB"),
        metavar="GIB",
        help="memory that one training may take, in GiB (on a CPU: of RAM); moves patch and batch size",
    )


def add_sized_models(parser: Parser) -> None:
    parser.add_argument(
        "-m",
        dest="models",
        nargs="+",
        metavar="MODEL",
        help="the methods whose training must fit into that memory (default: pix2pix where it fits the dataset, "
        "else all that do; cyclegan needs more)",
    )


def add_checkpoint(parser: Parser) -> None:
    """Which checkpoint of a training is used."""
    parser.add_argument(
        "-chk",
        dest="checkpoint",
        default=layout.CHECKPOINT_FINAL,
        metavar="FILE",
        help="or checkpoint_best.pth (default: checkpoint_final.pth)",
    )


def add_crossval(parser: Parser) -> None:
    """How the cases of a cross-validation are predicted."""
    parser.add_argument(
        "-f", dest="folds", nargs="+", metavar="FOLD", help="these folds (default: all of splits_final.json)"
    )
    add_checkpoint(parser)
    add_device(parser)
    add_step_size(parser)
    add_processes(parser)


def add_step_size(parser: Parser) -> None:
    parser.add_argument(
        "-step_size",
        type=number(0.1, 1),
        metavar="SHARE",
        help="from window to window, as a share of the window (default: the plans')",
    )
    parser.add_argument("--disable_tta", action="store_true", help="do not average over mirrored CTs: faster")
    parser.add_argument(
        "--float32", action="store_true", help="never compute in bfloat16: slower, and the same on every machine"
    )


def add_target_spacing(parser: Parser) -> None:
    parser.add_argument(
        "-overwrite_target_spacing",
        dest="target_spacing",
        nargs=3,
        type=number(0.05, 100, "mm"),
        metavar=("Z", "Y", "X"),
        help="spacing of every district in mm (default: the median of the cases); choose another name of plans (-p)",
    )


def add_folder(parser: Parser, flag: str, destination: str, help_text: str, required: bool = True) -> None:
    parser.add_argument(flag, dest=destination, type=Path, required=required, metavar="FOLDER", help=help_text)


def integer(lowest: int, highest: int) -> Callable[[str], int]:
    """An argparse type: a whole number from ``lowest`` to ``highest``."""

    def whole_number(text: str) -> int:
        digits = text.removeprefix("-")
        value = int(text) if digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS else None
        if value is None or not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f"expected a whole number from {lowest} to {highest}, not {text!r}")
        return value

    return whole_number


def number(lowest: float, highest: float, unit: str = "") -> Callable[[str], float]:
    """An argparse type: a number from ``lowest`` to ``highest``, in ``unit``."""

    def real_number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not lowest <= value <= highest:
            bounds = f"{lowest:g} to {highest:g}{unit and f' {unit}'}"
            raise argparse.ArgumentTypeError(f"expected a number from {bounds}, not {text!r}")
        return value

    return real_number


positive_integer = integer(1, 1_000_000)
seed = integer(0, 2**32 - 1)
