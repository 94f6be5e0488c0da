"""Compare evaluated models case by case: which is better, by how much, and how sure that is.

Every further model is compared with the first one; a single model with its trivial baselines.

Example: ct2pet_compare predictions_per_district predictions_whole_body -o comparison
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.command import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results",
        nargs="+",
        type=Path,
        metavar="RESULTS",
        help="summary.json of ct2pet_evaluate, or a folder of predictions or of a training that holds one",
    )
    parser.add_argument(
        "-o", dest="output", type=Path, metavar="FOLDER", help="write comparison.json, .csv and .tex (LaTeX) there"
    )
    parser.add_argument(
        "-metrics", nargs="+", metavar="METRIC", help="(default: mae psnr ssim suv_mean_bias suv_max_bias)"
    )


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.comparison import compare_results
    from ct2pet.evaluation.comparing import METRICS, text
    from ct2pet.evaluation.comparing.files import write_comparison

    comparison = compare_results(arguments.results, arguments.metrics or METRICS)
    print(text(comparison))
    if arguments.output is not None:
        for path in write_comparison(arguments.output, comparison):
            print(f"written: {path}")


main = command("ct2pet_compare", __doc__ or "", add_arguments, execute)
