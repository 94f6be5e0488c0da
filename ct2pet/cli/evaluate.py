"""Compare predicted PETs with the real ones of a dataset: errors inside the body, next to four trivial baselines.

Example: ct2pet_evaluate -d 001 -i predictions
         ct2pet_evaluate real_pets predictions
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from ct2pet.cli.arguments import add_dataset, add_folder, add_processes
from ct2pet.cli.cluster import add_cluster, on_cluster_of
from ct2pet.cli.command import command
from ct2pet.console import output_width
from ct2pet.errors import CasesFailed, Ct2PetError
from ct2pet.outputs import check_apart, check_output_file, check_output_folder, check_replaceable, holds_keys
from ct2pet.paths import raw_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folders",
        nargs="*",
        type=Path,
        metavar="FOLDER",
        help="two folders in place of -d and -i: real PETs, and predicted PETs of the same file names, in SUV",
    )
    add_dataset(parser, required=False)
    add_folder(parser, "-i", "predictions", "folder of the predicted PETs, CASE.nii.gz, in SUV", required=False)
    parser.add_argument(
        "-o",
        dest="output",
        type=Path,
        metavar="FILE",
        help="file of the summary (default: summary.json in the folder of the predictions)",
    )
    parser.add_argument(
        "-split", choices=("Ts", "Tr"), default="Ts", help="Ts: test cases, Tr: training cases (default: Ts)"
    )
    add_folder(
        parser,
        "--lesions",
        "lesions",
        "folder of lesion masks, CASE.nii.gz (default: those of the dataset)",
        required=False,
    )
    add_folder(
        parser,
        "--organs",
        "organs",
        "folder of organ maps, CASE.nii.gz (default: those of the dataset)",
        required=False,
    )
    add_folder(
        parser,
        "--error_maps",
        "error_maps",
        "folder to write the error of each case to: prediction - real PET, in SUV",
        required=False,
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


def _places(arguments: argparse.Namespace) -> tuple[str | Path, Path]:
    """The dataset, or the folder of the real PETs, and the folder of the predictions."""
    folders, given = arguments.folders, (arguments.dataset, arguments.predictions)
    if len(folders) == 2 and given == (None, None):
        return folders[0], folders[1]
    if folders or None in given:
        raise Ct2PetError("give a dataset and its predictions (-d, -i), or two folders: real PETs and predicted PETs")
    return given


def _inputs(arguments: argparse.Namespace, real: str | Path, predictions: Path) -> list[Path]:
    """The folders that the cases read."""
    return [predictions, Path(real) if arguments.folders else raw_folder()]


def _outputs(arguments: argparse.Namespace) -> list[Path]:
    """The folders that the cases write to."""
    return [] if arguments.error_maps is None else [arguments.error_maps]


def _say_what_became_of(output: Path, existed: bool, replaced: bool) -> None:
    if existed:
        what = "this summary was replaced" if replaced else "this summary is of an earlier evaluation"
        print(f"{output}: {what}", file=sys.stderr)


def execute(arguments: argparse.Namespace) -> None:
    real, predictions = _places(arguments)
    from ct2pet.api.evaluation import EvaluationOptions, evaluate, evaluate_folders, summary_file
    from ct2pet.evaluation import read_summary, table

    output = arguments.output or summary_file(predictions)
    _check(arguments, output)
    given = {name: getattr(arguments, name) for name in EvaluationOptions.__dataclass_fields__}
    options = EvaluationOptions(**{**given, "output": output})
    existed = output.exists()
    try:
        with on_cluster_of(arguments, inputs=_inputs(arguments, real, predictions), outputs=_outputs(arguments)):
            if arguments.folders:
                evaluate_folders(real, predictions, options)
            else:
                evaluate(arguments.dataset, predictions, options)
    except CasesFailed as failed:
        _say_what_became_of(output, existed, replaced=failed.some_done)
        if failed.some_done:
            print(table(read_summary(output), arguments.verbose, output_width()))
        raise
    _say_what_became_of(output, existed, replaced=True)
    print(table(read_summary(output), arguments.verbose, output_width()))
    print(f"\nsummary: {output.resolve()}")
    if arguments.dataset is not None:
        print(f"next: ct2pet_report -d {arguments.dataset} -i {shlex.quote(str(predictions.resolve()))}")


main = command("ct2pet_evaluate", __doc__ or "", add_arguments, execute)
