"""Compare evaluated models case by case: which is better, by how much, with which evidence.

Every further model is compared with the first one. A single model is compared with its trivial baselines.

Example: ct2pet_compare predictions_per_district predictions_whole_body -o comparison
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.command import command
from ct2pet.console import output_width
from ct2pet.errors import Ct2PetError
from ct2pet.outputs import check_output_folder, check_replaceable, holds_texts

_PAPER, _GROUPS = "paper_2503_15555", ("proposed", "competitor")
_BEGINNINGS = {".json": '{\n  "models": [', ".csv": "table,subject,metric,", ".tex": r"\begin{table}"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results",
        nargs="*",
        type=Path,
        metavar="RESULTS",
        help="summary.json of ct2pet_evaluate, or a folder with one (of predictions or of a training)",
    )
    parser.add_argument(
        "-o",
        dest="output",
        type=Path,
        metavar="FOLDER",
        help="folder for comparison.json, comparison.csv and comparison.tex (LaTeX)",
    )
    parser.add_argument(
        "-metrics",
        nargs="+",
        metavar="METRIC",
        help="these, and test them all (default: mae psnr ssim suv_mean_bias suv_max_bias, of which mae is tested; of "
        "predicted labels dice iou hd95 asd, of which dice is tested)",
    )
    parser.add_argument(
        "--common_cases",
        action="store_true",
        help="compare the cases that all models have, where some lack a few; the others are named",
    )

    parser.add_argument(
        "--layout",
        choices=(_PAPER,),
        help="print Tables I to III of this paper, of two methods by district (--proposed) and as one network for the "
        "whole body (--competitor)",
    )
    for name in _GROUPS:
        parser.add_argument(
            f"--{name}",
            nargs=2,
            type=Path,
            metavar=("PIX2PIX", "CYCLEGAN"),
            help=f"with --layout: the results of the {name} models",
        )


def _check_arguments(arguments: argparse.Namespace) -> None:
    groups = [getattr(arguments, name) for name in _GROUPS]
    if arguments.layout is None and (any(groups) or not arguments.results):
        raise Ct2PetError("name results to compare, or --layout with --proposed and --competitor")
    if arguments.layout is not None and (not all(groups) or arguments.results):
        raise Ct2PetError(f"--layout {arguments.layout} takes --proposed and --competitor, and no other results")
    if arguments.layout is not None and (arguments.output or arguments.metrics or arguments.common_cases):
        raise Ct2PetError(f"--layout {arguments.layout} has its own metrics and is printed only")


def _check(folder: Path) -> None:
    check_output_folder(folder)
    for ending in _BEGINNINGS:
        check_replaceable(folder / f"comparison{ending}", _is_comparison, "a comparison of ct2pet_compare")


def _is_comparison(path: Path) -> bool:
    return holds_texts(path, _BEGINNINGS[path.suffix])


def execute(arguments: argparse.Namespace) -> None:
    _check_arguments(arguments)
    if arguments.output is not None:
        _check(arguments.output)
    from ct2pet.api.comparison import compare_results, paper_layout
    from ct2pet.evaluation.comparing import text
    from ct2pet.evaluation.comparing.files import write_comparison

    if arguments.layout is not None:
        print(paper_layout(arguments.proposed, arguments.competitor, width=output_width()))
        return
    comparison = compare_results(arguments.results, arguments.metrics, common_cases=arguments.common_cases)
    print(text(comparison, output_width()))
    if arguments.output is not None:
        for path in write_comparison(arguments.output, comparison):
            print(f"written: {path}")


main = command("ct2pet_compare", __doc__ or "", add_arguments, execute)
