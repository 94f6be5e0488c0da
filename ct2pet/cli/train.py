"""Train one network per district: ct2pet_train DATASET MODEL FOLD.

Example: ct2pet_train 001 pix2pix all
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from ct2pet.cli.arguments import add_configurations, add_device, add_plans, integer, positive_integer, seed
from ct2pet.cli.command import command
from ct2pet.errors import Ct2PetError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="its number (001) or folder name (Dataset001_NAME)")
    parser.add_argument("model", metavar="MODEL", help="the method, for example pix2pix")
    parser.add_argument("fold", metavar="FOLD", type=_fold, help="0 to 4, or all (every training case)")
    add_configurations(parser)
    add_plans(parser)
    add_device(parser)
    parser.add_argument(
        "-num_gpus",
        type=integer(1, 1024),
        default=1,
        metavar="N",
        help="train a district on each of N GPUs (default: 1)",
    )
    parser.add_argument("--c", dest="resume", action="store_true", help="continue from the latest checkpoint")
    parser.add_argument(
        "--overwrite", action="store_true", help="train anew what is finished (default: a finished training is refused)"
    )
    parser.add_argument("--val", dest="only_validate", action="store_true", help="only predict the validation cases")
    parser.add_argument(
        "--val_best",
        dest="validate_best",
        action="store_true",
        help="validate with checkpoint_best.pth, into validation_best; with --val: only that",
    )
    parser.add_argument(
        "--disable_checkpointing",
        dest="checkpointing",
        action="store_false",
        help="write no checkpoint but the final one; an interrupted training starts anew",
    )
    parser.add_argument(
        "-pretrained_weights",
        type=Path,
        metavar="PATH",
        help="begin with the weights of this checkpoint, of the folder of a training or model, of a file of "
        "ct2pet_export_model, or of box, the model that is a part of ct2pet (plans that fit it: -p box when planning)",
    )
    parser.add_argument(
        "--pretrain_whole_body",
        action="store_true",
        help="first train the whole body, unless that is done, and begin each district with its networks and weights",
    )
    parser.add_argument("--num_epochs", type=positive_integer, metavar="N", help="instead of the plans' number")
    parser.add_argument(
        "--iterations_per_epoch", type=positive_integer, metavar="N", help="instead of the plans' number"
    )
    parser.add_argument(
        "--save_every", type=positive_integer, default=1, metavar="N", help="epochs between checkpoints (default: 1)"
    )
    parser.add_argument(
        "--early_stop",
        type=positive_integer,
        metavar="N",
        help="end after N epochs without a better validation MAE (default: never)",
    )
    parser.add_argument(
        "-num_workers",
        type=integer(0, 256),
        metavar="N",
        help="threads that read patches ahead; 0: none (default: 1 on a CPU, up to 8 on a GPU)",
    )
    parser.add_argument(
        "--compile", action="store_true", help="translate the networks by torch.compile before the first steps"
    )
    parser.add_argument("--seed", type=seed, default=12345, metavar="N", help="of all randomness (default: 12345)")
    parser.add_argument("--deterministic", action="store_true", help="two runs give the same weights; may be slower")


def execute(arguments: argparse.Namespace) -> None:
    if arguments.overwrite and (arguments.resume or arguments.only_validate):
        raise Ct2PetError("--overwrite trains anew, --c goes on and --val only validates: choose one of them")
    from ct2pet import distributed
    from ct2pet.api.training import options_from, train
    from ct2pet.api.training_table import show_trainings

    folders = train(
        arguments.dataset,
        arguments.model,
        arguments.fold,
        configurations=arguments.configurations,
        plans_name=arguments.plans,
        device=arguments.device,
        options=options_from(vars(arguments)),
        only_validate=arguments.only_validate,
        num_gpus=arguments.num_gpus,
        pretrain_whole_body=arguments.pretrain_whole_body,
    )
    if not distributed.launched_by_torchrun() or os.environ["RANK"] == "0":
        show_trainings(folders, arguments.model, arguments.fold)


def _fold(text: str) -> int | str:
    if text == "all":
        return text
    if re.fullmatch("[0-9]{1,6}", text):
        return int(text)
    raise argparse.ArgumentTypeError(f"expected the number of a fold, or all, not {text!r}")


main = command("ct2pet_train", __doc__ or "", add_arguments, execute)

if __name__ == "__main__":  # torchrun -m ct2pet.cli.train
    sys.exit(main(None))
