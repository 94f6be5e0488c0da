"""How long the commands take to answer ``--help``, and ``import ct2pet``; nnU-Net and MONAI beside them.

Run: python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from _measure import ROUNDS, in_turns, table

BIN = Path(sys.executable).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=["quick", "full"], help="of no meaning here")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--threads", help="of no meaning here")
    parsed = parser.parse_args()
    commands = {"python alone": [sys.executable, "-c", "pass"]}
    commands |= {f"import {name}": [sys.executable, "-c", f"import {name}"] for name in ("ct2pet", "nnunetv2", "monai")}
    helps = [*sorted(BIN.glob("ct2pet_*")), BIN / "nnUNetv2_predict", BIN / "nnUNetv2_train"]
    commands |= {f"{path.name} --help": [str(path), "--help"] for path in helps}
    figures = in_turns(commands, parsed.rounds)
    columns = {"seconds": ("seconds", ".2f"), "cpu_seconds": ("CPU s", ".2f"), "peak_mib": ("peak MiB", ".0f")}
    print(table(figures, columns))


if __name__ == "__main__":
    main()
