"""Show which regions a prediction depends on: hide each region of a CT, predict again, and compare the two PETs.

Writes occlusion.csv (one line per region of each case) and CASE_change.nii.gz: in each region the predicted PET minus
the PET predicted with that region hidden (SUV). Hiding a lesion that the CT does not show changes nothing.

Example: ct2pet_explain -i imagesTs -o explained --regions organsTs --names dataset.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.arguments import add_device, add_segmenter
from ct2pet.cli.command import command
from ct2pet.cli.model_arguments import add_choice_of_model
from ct2pet.outputs import check_apart, check_output_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-i", dest="source", type=Path, required=True, metavar="PATH", help="folder of CTs in HU, or one CT file"
    )
    parser.add_argument("-o", dest="target", type=Path, required=True, metavar="FOLDER", help="folder of the results")
    parser.add_argument(
        "--regions",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="folder of label maps, CASE.nii.gz (organs, lesions, districts); each label is hidden in turn",
    )
    parser.add_argument(
        "--names",
        type=Path,
        metavar="FILE",
        help='file with the names of the labels: {"liver": 1, ...}, or a dataset.json (its districts for districtsTs, '
        "its lesion_groups for lesionsTs, its organs for other folders)",
    )
    parser.add_argument(
        "--hide",
        choices=("replace", "blur"),
        default="replace",
        help="replace: fill the region from its surroundings (default); blur: smooth it, Gaussian of 20 mm",
    )
    add_choice_of_model(parser)
    parser.add_argument(
        "--districts", type=Path, metavar="FOLDER", help="folder of district maps, as for ct2pet_predict"
    )
    add_segmenter(parser, None, "that of the training, or rules")
    add_device(parser)


def execute(arguments: argparse.Namespace) -> None:
    check_apart(arguments.target, arguments.source, "-o")
    check_apart(arguments.target, arguments.regions, "-o")
    check_output_folder(arguments.target)
    from ct2pet.api.explanation import explain
    from ct2pet.inference.options import PredictionOptions

    options = {name: value for name, value in vars(arguments).items() if name in PredictionOptions.__dataclass_fields__}
    table = explain(
        arguments.source,
        arguments.regions,
        arguments.target,
        PredictionOptions(**options),
        names=arguments.names,
        hide=arguments.hide,
    )
    print(f"written: {table}, and CASE_change.nii.gz in the same folder")


main = command("ct2pet_explain", __doc__ or "", add_arguments, execute)
