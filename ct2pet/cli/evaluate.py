"""Compare predicted PETs with the real ones of a dataset: errors inside the body, beside four trivial baselines.

Example: ct2pet_evaluate -d 001 -i predictions
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.arguments import add_dataset, add_folder, add_processes
from ct2pet.cli.cluster import add_cluster, on_cluster_of
from ct2pet.cli.command import command
from ct2pet.outputs import check_apart, check_output_file, check_output_folder, check_replaceable, holds_keys
from ct2pet.paths import raw_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    add_folder(parser, "-i", "predictions", "predicted PETs: CASE.nii.gz, in SUV")
    parser.add_argument(
        "-o", dest="output", type=Path, metavar="FILE", help="the summary (default: summary.json in the folder of -i)"
    )
    parser.add_argument("-split", choices=("Ts", "Tr"), default="Ts", help="test or training cases (default: Ts)")
    add_folder(parser, "--lesions", "lesions", "lesion masks: CASE.nii.gz (default: the dataset's)", required=False)
    add_folder(parser, "--organs", "organs", "organ maps: CASE.nii.gz (default: the dataset's)", required=False)
    add_folder(
        parser, "--error_maps", "error_maps", "write prediction - real PET (SUV) of each case here", required=False
    )
    add_processes(parser)
    add_cluster(parser)


def _check(arguments: argparse.Namespace, output: Path) -> None:
    check_output_file(output)
    check_replaceable(output, _is_summary, "a summary of ct2pet_evaluate")
    if arguments.error_maps is not None:
        check_apart(arguments.error_maps, raw_folder(), "--error_maps")
        check_output_folder(arguments.error_maps)


def _is_summary(path: Path) -> bool:
    return holds_keys(path, ("cases", "mean"))


def _folders(arguments: argparse.Namespace) -> list[Path]:
    """Those that the cases write to."""
    return [] if arguments.error_maps is None else [arguments.error_maps]


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.api.evaluation import evaluate, summary_file
    from ct2pet.errors import CasesFailed
    from ct2pet.evaluation import read_summary, table

    output = arguments.output or summary_file(arguments.predictions)
    _check(arguments, output)
    try:
        with on_cluster_of(arguments, inputs=[raw_folder(), arguments.predictions], outputs=_folders(arguments)):
            evaluate(
                arguments.predictions,
                arguments.dataset,
                split=arguments.split,
                output=output,
                lesions=arguments.lesions,
                organs=arguments.organs,
                error_maps=arguments.error_maps,
                num_processes=arguments.num_processes,
            )
    except CasesFailed as failed:
        if failed.some_done:
            print(table(read_summary(output)))
        raise
    print(table(read_summary(output)))


main = command("ct2pet_evaluate", __doc__ or "", add_arguments, execute)
