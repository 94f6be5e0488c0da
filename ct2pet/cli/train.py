"""Train one network per district: ct2pet_train DATASET MODEL FOLD.

Example: ct2pet_train 001 pix2pix all
         ct2pet_train 001 pix2pix all --seeds 3
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

from ct2pet.cli.arguments import (
    add_configurations,
    add_device,
    add_plans,
    add_positional_dataset,
    add_positional_model,
    integer,
    positive_integer,
    seed,
)
from ct2pet.cli.command import command
from ct2pet.errors import Ct2PetError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_positional_dataset(parser)
    add_positional_model(parser)
    parser.add_argument(
        "fold", metavar="FOLD", type=_fold, help="the fold: 0 to 4, or all (train on every training case)"
    )
    add_configurations(parser)
    add_plans(parser)
    add_device(parser)
    parser.add_argument(
        "-num_gpus",
        type=integer(1, 1024),
        default=1,
        metavar="N",
        help="number of GPUs; each trains one district at a time (default: 1)",
    )
    _add_start(parser)
    _add_initial_weights(parser)
    _add_length(parser)
    _add_computation(parser)


def _add_start(parser: argparse.ArgumentParser) -> None:
    """Whether a training starts, continues or is only validated, and its checkpoints."""
    parser.add_argument("--c", dest="resume", action="store_true", help="continue from the latest checkpoint")
    parser.add_argument("--overwrite", action="store_true", help="repeat a finished training (default: refuse it)")
    parser.add_argument(
        "--val", dest="only_validate", action="store_true", help="only predict and evaluate the validation cases"
    )
    parser.add_argument(
        "--val_best",
        dest="validate_best",
        action="store_true",
        help="validate with checkpoint_best.pth, into validation_best, in place of checkpoint_final.pth",
    )
    parser.add_argument(
        "--disable_checkpointing",
        dest="checkpointing",
        action="store_false",
        help="write only the final checkpoint; an interrupted training starts again from the first epoch",
    )


def _add_initial_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-pretrained_weights",
        type=Path,
        metavar="PATH",
        help="initial weights: a checkpoint file, the folder of a training or model, an archive of "
        "ct2pet_export_model, or box, the built-in model (plans with its networks: -p box)",
    )
    parser.add_argument(
        "--pretrain_whole_body",
        action="store_true",
        help="train the whole body first, if it is not trained yet; its weights initialize each district",
    )


def _add_length(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--num_epochs", type=positive_integer, metavar="N", help="number of epochs (default: that of the plans)"
    )
    parser.add_argument(
        "--iterations_per_epoch",
        type=positive_integer,
        metavar="N",
        help="iterations per epoch (default: that of the plans)",
    )
    parser.add_argument(
        "--save_every", type=positive_integer, default=1, metavar="N", help="epochs between checkpoints (default: 1)"
    )
    parser.add_argument(
        "--early_stop",
        type=positive_integer,
        metavar="N",
        help="stop after N epochs without a lower validation MAE (default: never)",
    )


def _add_computation(parser: argparse.ArgumentParser) -> None:
    """Threads, compilation and random numbers."""
    parser.add_argument(
        "-num_workers",
        type=integer(0, 256),
        metavar="N",
        help="number of threads that load patches (default: 1 on a CPU, up to 8 on a GPU)",
    )
    parser.add_argument("--compile", action="store_true", help="compile the networks with torch.compile")
    parser.add_argument("--seed", type=seed, default=12345, metavar="N", help="random seed (default: 12345)")
    parser.add_argument(
        "--seeds",
        dest="num_seeds",
        type=integer(2, 100),
        metavar="N",
        help="train N times, with the seeds --seed, --seed + 1, ..., each into a results folder of its own: "
        "seed_SEED in $ct2pet_results",
    )
    parser.add_argument(
        "--deterministic",
        action="store_true",
        help="use deterministic algorithms: two runs give the same weights; may be slower",
    )


def execute(arguments: argparse.Namespace) -> None:
    if arguments.overwrite and (arguments.resume or arguments.only_validate):
        raise Ct2PetError(
            "--overwrite repeats a training, --c continues it and --val only validates: choose one of them"
        )
    from ct2pet import distributed
    from ct2pet.api.training import options_from, train, train_seeds
    from ct2pet.api.training_table import show_seeds, show_trainings

    chosen = arguments.dataset, arguments.model, arguments.fold
    how: dict[str, Any] = {
        "configurations": arguments.configurations,
        "plans_name": arguments.plans_name,
        "device": arguments.device,
        "options": options_from(vars(arguments)),
        "only_validate": arguments.only_validate,
        "num_gpus": arguments.num_gpus,
        "pretrain_whole_body": arguments.pretrain_whole_body,
    }
    if arguments.num_seeds is not None:
        show_seeds(train_seeds(*chosen, num_seeds=arguments.num_seeds, **how), arguments.model, arguments.fold)
        return
    folders = train(*chosen, **how)
    if not distributed.launched_by_torchrun() or os.environ["RANK"] == "0":
        show_trainings(folders, arguments.model, arguments.fold)


def _fold(text: str) -> int | str:
    if text == "all":
        return text
    if re.fullmatch("[0-9]{1,6}", text):
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a fold number or all, not {text!r}")


main = command("ct2pet_train", __doc__ or "", add_arguments, execute)

if __name__ == "__main__":  # torchrun -m ct2pet.cli.train
    sys.exit(main(None))
