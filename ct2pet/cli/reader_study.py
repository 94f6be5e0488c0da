"""Test whether readers can distinguish synthetic images from real ones.

make writes one HTML file that works offline, for the reader, and a key that the reader must not see. score compares
the files that readers saved with the key: exact binomial tests, d', AUC. An accuracy below chance means that the
reader distinguishes the two kinds.

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
        "--key", type=Path, required=True, metavar="FILE", help="the key: written by make, read by score"
    )
    add_folder(parser, "-real", "real", "make: PNG or NIfTI images, one slice each", required=False)
    add_folder(parser, "-synthetic", "synthetic", "make: the same of synthetic images", required=False)
    parser.add_argument("-o", dest="output", type=Path, metavar="FILE", help="make: the page, an HTML file")
    parser.add_argument(
        "-n",
        dest="number",
        type=positive_integer,
        default=80,
        metavar="N",
        help="make: images of each kind (default: 80)",
    )
    parser.add_argument("--seed", type=seed, default=12345, metavar="N", help="make: choice and order")
    parser.add_argument(
        "--window",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="make: SUV or HU shown as black and white (default: the range of all images); PNG are shown as they are",
    )
    parser.add_argument("--answers", nargs="+", type=Path, metavar="FILE", help="score: what the readers saved")


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
