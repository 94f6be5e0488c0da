"""Predict PETs in SUV from CTs, with models trained by ct2pet_train.

Example: ct2pet_predict -i imagesTs -o predictions
         ct2pet_predict -i imagesTs -o predictions --model model.zip
Without a trained model, the built-in model is used (--model box), which was trained only on phantoms.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from ct2pet import layout
from ct2pet.cli.arguments import (
    add_device,
    add_segmenter,
    add_step_size,
    integer,
    number,
    positive_integer,
)
from ct2pet.cli.cluster import OPTIONS, add_cluster, on_cluster_of
from ct2pet.cli.command import command
from ct2pet.cli.model_arguments import add_choice_of_model
from ct2pet.errors import Ct2PetError
from ct2pet.outputs import check_apart
from ct2pet.paths import results_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _add_images(parser)
    add_choice_of_model(parser)
    parser.add_argument(
        "--lesion_model",
        metavar="MODEL",
        help="a further model for lesions (MODEL__PLANS as for --ensemble, or a path as for --model): its SUV is taken "
        "where it is at least 3 SUV higher, and a mean where it is 1 to 3 SUV higher",
    )
    _add_district_maps(parser)
    add_device(parser)
    _add_way_to_predict(parser)
    _add_other_files(parser)
    _add_districts_without_model(parser)
    _add_amount_of_work(parser)
    add_cluster(parser)


def _add_images(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-i",
        dest="source",
        type=Path,
        required=True,
        metavar="PATH",
        help="folder of CTs in HU (files, or one DICOM folder per CT or patient), or one CT file",
    )
    parser.add_argument(
        "-o", dest="target", type=Path, required=True, metavar="PATH", help="folder of the PETs, or a file for one CT"
    )


def _add_district_maps(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--districts",
        type=Path,
        metavar="FOLDER",
        help="folder of district maps, CASE.nii.gz (default: districtsTs next to imagesTs; missing maps are made)",
    )
    add_segmenter(parser, None, "that of the training, or rules")


def _add_way_to_predict(parser: argparse.ArgumentParser) -> None:
    add_step_size(parser)
    parser.add_argument(
        "--blend_mm",
        type=number(0, 500, "mm"),
        metavar="MM",
        help="width in mm over which districts are blended; 0: no blending (default: that of the plans)",
    )
    parser.add_argument(
        "--grid",
        choices=("pet", "ct"),
        default="pet",
        help="voxel grid of the PETs: the plans' spacing over the CT's field of view (pet, default), or the CT's",
    )
    parser.add_argument(
        "--like",
        type=Path,
        metavar="PATH",
        help="in place of --grid: an image with the grid to use, or a folder with one image per case",
    )


def _add_other_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dicom",
        action="store_true",
        help="for DICOM CTs: also write each PET as a DICOM series, into dicom/CASE in the folder of the predictions",
    )
    parser.add_argument("--pictures", action="store_true", help="write a PNG next to each PET: the PET over the CT")
    parser.add_argument(
        "--patient_map",
        type=Path,
        metavar="FILE",
        help="for DICOM CTs: table of ct2pet_convert_dicom --patient_map, to give the cases the same names",
    )


def _add_districts_without_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--require_all_districts",
        action="store_true",
        help="fail a case that has a district without a trained model (default: leave it out with a warning)",
    )
    parser.add_argument(
        "--fill_with_whole_body",
        action="store_true",
        help="predict districts without a model with the model of the whole body",
    )


def _add_amount_of_work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--continue_prediction", action="store_true", help="keep finished predictions; predict the others"
    )
    for flag, dest, what in (("-npp", "num_readers", "read"), ("-nps", "num_writers", "write")):
        parser.add_argument(
            flag,
            dest=dest,
            type=integer(0, 64),
            default=0,
            metavar="N",
            help=f"number of cases to {what} in threads during the prediction; each needs memory (default: 0)",
        )
    parser.add_argument(
        "-num_parts",
        type=positive_integer,
        default=1,
        metavar="N",
        help="split the cases into N parts and predict one of them (default: 1)",
    )
    parser.add_argument(
        "-part_id",
        type=integer(0, 999_999),
        default=0,
        metavar="N",
        help="the part to predict, from 0 to N - 1 (default: 0)",
    )


def _check(arguments: argparse.Namespace) -> None:
    if not arguments.part_id < arguments.num_parts:
        raise Ct2PetError(f"-part_id {arguments.part_id}: the parts are 0 to {arguments.num_parts - 1} (-num_parts)")
    if arguments.like is not None and not arguments.like.exists():
        raise Ct2PetError(f"--like {arguments.like}: no such file or folder")
    check_apart(arguments.target, arguments.source, "-o")


def _inputs(arguments: argparse.Namespace) -> list[Path]:
    """The folders and files that the cases read."""
    from ct2pet.sharing.box import is_box

    models = [path for path in arguments.model_paths or [results_folder()] if not is_box(path)]
    lesions = arguments.lesion_model
    lesions = Path(lesions) if lesions and not is_box(lesions) and Path(lesions).exists() else None
    others = (lesions, arguments.districts, arguments.weights, arguments.like)
    return [arguments.source, *map(Path, models), *(path for path in others if path is not None)]


def _next_step(arguments: argparse.Namespace, predictions: Path) -> str:
    """The command that evaluates the predictions: with the raw dataset that has the images, or that of the model, or
    else with a folder of the true images."""
    images, quoted = arguments.source.resolve(), shlex.quote(str(predictions))
    dataset, split = arguments.dataset, ""
    if images.name in ("imagesTs", "imagesTr") and (images.parent / layout.DATASET).is_file():
        dataset = images.parent.name
        split = " -split Tr" if images.name == "imagesTr" else ""
    if dataset is None:
        return f"next, with the true images in the folder REAL: ct2pet_evaluate REAL {quoted}"
    return f"next, with the true images: ct2pet_evaluate -d {shlex.quote(dataset)} -i {quoted}{split}"


def execute(arguments: argparse.Namespace) -> None:
    _check(arguments)
    from ct2pet.api.prediction import predict
    from ct2pet.inference.options import PredictionOptions
    from ct2pet.inference.record import record_file

    with on_cluster_of(arguments, inputs=_inputs(arguments), outputs=[arguments.target]):
        others = ("source", "target", "verbose", "disable_tta", *OPTIONS)
        values = {name: value for name, value in vars(arguments).items() if name not in others}
        options = PredictionOptions(**values, mirror=not arguments.disable_tta)
        paths = predict(arguments.source, arguments.target, options)
    folder = paths[0].parent.resolve()
    shown = paths[0].resolve() if len(paths) == 1 else folder
    series = ", DICOM series: dicom" if arguments.dicom else ""
    provenance = record_file(arguments.target, paths[0]).name
    print(f"{len(paths)} predicted image(s): {shown} (provenance: {provenance}{series})")
    print(_next_step(arguments, folder))


main = command("ct2pet_predict", __doc__ or "", add_arguments, execute)
