"""Arguments that several commands share, named as in nnU-Net where nnU-Net has them."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from ct2pet import layout

Parser = argparse.ArgumentParser
_MOST_PROCESSES = 1024
_MOST_DIGITS = 20
_DATASET_FORMS = "its number (001) or folder name (Dataset001_NAME)"
_METHOD = "the method, for example pix2pix"
_WHERE_SEVERAL = "needed where several are trained"
TRAINED_FOLDS = "the numbered folds that are trained, else all"


def add_dataset(parser: Parser, required: bool = True) -> None:
    parser.add_argument(
        "-d",
        dest="dataset",
        required=required,
        metavar="DATASET",
        help=f"the dataset: {_DATASET_FORMS}",
    )


def add_positional_dataset(parser: Parser) -> None:
    """The dataset as the first argument, in the commands in which nnU-Net has it there."""
    parser.add_argument("dataset", metavar="DATASET", help=f"the dataset: {_DATASET_FORMS}")


def add_plans(parser: Parser, help_text: str = "name of the plans") -> None:
    """The plans of one dataset, by name."""
    parser.add_argument(
        "-p",
        dest="plans_name",
        default=layout.DEFAULT_PLANS,
        metavar="PLANS",
        help=f"{help_text} (default: {layout.DEFAULT_PLANS})",
    )


def add_new_plans(parser: Parser) -> None:
    """The name under which a planning command writes plans."""
    add_plans(parser, "name of the plans to write; paper_... is the name of reference plans, which fix the decisions")


def add_trained_dataset(parser: Parser) -> None:
    """Which trained models: of this dataset."""
    parser.add_argument(
        "-d", dest="dataset", metavar="DATASET", help=f"the dataset: {_DATASET_FORMS}; {_WHERE_SEVERAL}"
    )


def add_trained_model(parser: Parser) -> None:
    """Which trained model of a dataset."""
    parser.add_argument("-m", dest="model", metavar="MODEL", help=f"{_METHOD}; {_WHERE_SEVERAL}")
    add_trained_plans(parser)


def add_trained_plans(parser: Parser) -> None:
    parser.add_argument("-p", dest="plans_name", metavar="PLANS", help=f"name of the plans; {_WHERE_SEVERAL}")


def add_trained_models(parser: Parser) -> None:
    """Which trained models of a dataset; several."""
    everything = "(default: all that are trained)"
    parser.add_argument("-m", dest="models", nargs="+", metavar="MODEL", help=f"the methods {everything}")
    parser.add_argument("-p", dest="plans_names", nargs="+", metavar="PLANS", help=f"names of the plans {everything}")


def add_positional_model(parser: Parser) -> None:
    parser.add_argument("model", metavar="MODEL", help=_METHOD)


def add_fold(parser: Parser) -> None:
    """Which fold of a trained model."""
    parser.add_argument("-f", dest="fold", metavar="FOLD", help=f"the fold; {_WHERE_SEVERAL}")


def add_folds(parser: Parser, default: str) -> None:
    """Which folds of a trained model."""
    parser.add_argument("-f", dest="folds", nargs="+", metavar="FOLD", help=f"the folds (default: {default})")


def add_configurations(parser: Parser) -> None:
    parser.add_argument(
        "-c",
        dest="configurations",
        nargs="+",
        metavar="DISTRICT",
        help="the districts, or whole_body (default: every district)",
    )


def add_processes(parser: Parser, flag: str = "-np") -> None:
    parser.add_argument(
        flag,
        dest="num_processes",
        type=integer(1, _MOST_PROCESSES),
        metavar="N",
        help="number of processes (default: one per core, fewer where memory is short)",
    )


def add_device(parser: Parser, help_text: str = "device to compute on") -> None:
    parser.add_argument("-device", choices=("cuda", "mps", "cpu"), help=f"{help_text} (default: cuda, else cpu)")


def add_segmenter(parser: Parser, default: str | None, default_text: str) -> None:
    parser.add_argument(
        "--segmenter",
        default=default,
        metavar="NAME",
        help=f"segmenter of the districts: rules, body, moose, totalsegmentator or files (default: {default_text})",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FOLDER",
        help="folder of the segmenter's weights (moose and totalsegmentator)",
    )


def add_memory_target(parser: Parser) -> None:
    parser.add_argument(
        "-gpu_memory_target",
        type=number(0.01, 10_000, "GiB"),
        metavar="GIB",
        help="memory limit of one training in GiB (RAM for a CPU); it sets patch and batch size",
    )


def add_sized_models(parser: Parser) -> None:
    parser.add_argument(
        "-m",
        dest="models",
        nargs="+",
        metavar="MODEL",
        help="the methods whose training must fit into that memory; cyclegan needs more (default: pix2pix, "
        "or all methods that fit the dataset where pix2pix does not)",
    )


def add_checkpoint(parser: Parser) -> None:
    """Which checkpoint of a training is used."""
    parser.add_argument(
        "-chk",
        dest="checkpoint",
        default=layout.CHECKPOINT_FINAL,
        metavar="FILE",
        help=f"file name of the checkpoint, such as {layout.CHECKPOINT_BEST} (default: {layout.CHECKPOINT_FINAL})",
    )


def add_crossval(parser: Parser) -> None:
    """How the cases of a cross-validation are predicted."""
    add_folds(parser, "all of splits_final.json")
    add_checkpoint(parser)
    add_device(parser)
    add_step_size(parser)
    add_processes(parser)


def add_step_size(parser: Parser) -> None:
    parser.add_argument(
        "-step_size",
        type=number(0.1, 1),
        metavar="SHARE",
        help="step of the sliding window, as a share of the window (default: that of the plans)",
    )
    parser.add_argument("--disable_tta", action="store_true", help="do not average over mirrored inputs (faster)")
    parser.add_argument(
        "--float32",
        action="store_true",
        help="compute in float32 only, not in bfloat16: slower, with the same result on every machine",
    )


def add_target_spacing(parser: Parser) -> None:
    parser.add_argument(
        "-overwrite_target_spacing",
        dest="target_spacing",
        nargs=3,
        type=number(0.05, 100, "mm"),
        metavar=("Z", "Y", "X"),
        help="spacing of every district in mm (default: the median of the cases); also set a new name (-p)",
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
