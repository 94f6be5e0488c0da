"""Test whether readers can distinguish synthetic from real images, and score their answers.

make writes one HTML file for the reader, which works offline, and a key that the reader must not see. score compares
the saved answers with the key: exact binomial tests, d', AUC. An accuracy significantly below chance also means that
the reader sees a difference.

Example: ct2pet_reader_study make -real real_slices -synthetic synthetic_slices -o reader.html --key key.json
         ct2pet_reader_study score --key key.json --answers answers_*.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ct2pet.cli.arguments import add_folder, positive_integer, seed
from ct2pet.cli.command import command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ACTION", choices=("make", "score"), metavar="ACTION", help="make or score")
    parser.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="file of the key; make writes it, score reads it"
    )
    add_folder(parser, "-real", "real", "make: folder of real images (PNG or NIfTI), one slice each", required=False)
    add_folder(
        parser,
        "-synthetic",
        "synthetic",
        "make: folder of synthetic images (PNG or NIfTI), one slice each",
        required=False,
    )
    parser.add_argument("-o", dest="output", type=Path, metavar="FILE", help="make: HTML file to write")
    parser.add_argument(
        "-n",
        dest="number",
        type=positive_integer,
        default=80,
        metavar="N",
        help="make: images of each kind (default: 80)",
    )
    parser.add_argument(
        "--seed", type=seed, default=12345, metavar="N", help="make: random seed of choice and order (default: 12345)"
    )
    parser.add_argument(
        "--window",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="make: SUV or HU shown as black and as white (default: the range of all images); not applied to PNG",
    )
    parser.add_argument("--answers", nargs="+", type=Path, metavar="FILE", help="score: files saved by the readers")


def execute(arguments: argparse.Namespace) -> None:
    from ct2pet.errors import Ct2PetError
    from ct2pet.study.reader_study import ReaderStudyOptions, make_reader_study, score_answers, text

    needed = {"make": ("real", "synthetic", "output"), "score": ("answers",)}[arguments.ACTION]
    missing = [name for name in needed if getattr(arguments, name) is None]
    if missing:
        flags = {"output": "-o", "answers": "--answers", "real": "-real", "synthetic": "-synthetic"}
        raise Ct2PetError(f"{arguments.ACTION} needs {', '.join(flags[name] for name in missing)}")
    if arguments.ACTION == "score":
        print("\n".join(text(score) for score in score_answers(arguments.key, arguments.answers)))
        return
    window = None if arguments.window is None else (arguments.window[0], arguments.window[1])
    options = ReaderStudyOptions(arguments.number, arguments.seed, window)
    name = make_reader_study(arguments.real, arguments.synthetic, arguments.output, arguments.key, options)
    print(f"study {name}: {arguments.number} real and {arguments.number} synthetic images")
    print(f"written: {arguments.output} (for the reader), {arguments.key} (not for the reader)")


main = command("ct2pet_reader_study", __doc__ or "", add_arguments, execute)
