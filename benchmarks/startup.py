"""The time of ``--help`` of the commands and of ``import ct2pet``, beside nnU-Net and MONAI.

Run: python benchmarks/startup.py [--only NAME ...]
"What ct2pet_predict imports" are the modules that the prediction of one CT in NIfTI needs, beside torch alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from _measure import ROUNDS, in_turns, table

BIN = Path(sys.executable).parent
PREDICTION = "ct2pet.api.prediction, ct2pet.imageio.nifti, ct2pet.models.pix2pix, torch, dynamic_network_architectures"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=["quick", "full"], help="of no meaning here")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--threads", help="of no meaning here")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="titles of the table's rows")
    parsed = parser.parse_args()
    commands = {"python alone": [sys.executable, "-c", "pass"]}
    imports = {f"import {name}": name for name in ("ct2pet", "torch", "nnunetv2", "monai")}
    imports["what ct2pet_predict imports"] = PREDICTION
    commands |= {title: [sys.executable, "-c", f"import {name}"] for title, name in imports.items()}
    helps = [*sorted(BIN.glob("ct2pet_*")), BIN / "nnUNetv2_predict", BIN / "nnUNetv2_train"]
    commands |= {f"{path.name} --help": [str(path), "--help"] for path in helps}
    if parsed.only:
        commands = {title: command for title, command in commands.items() if title in parsed.only}
    figures = in_turns(commands, parsed.rounds)
    columns = {"seconds": ("seconds", ".2f"), "cpu_seconds": ("CPU s", ".2f"), "peak_mib": ("peak MiB", ".0f")}
    print(table(figures, columns))


if __name__ == "__main__":
    main()
