"""The errors and the duration of ``ct2pet_demo``, without the installation.

Run: python benchmarks/demo.py [FOLDER]
Prints minutes, and for the held-out phantoms the mean absolute error (SUV) inside the body and in every district
against the best guess without the real PET, and PSNR (dB) against both such guesses.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from ct2pet.api.demo import run_demo
from ct2pet.evaluation import read_summary
from ct2pet.evaluation.names import ORGAN


def main(folder: Path) -> None:
    started = time.monotonic()
    report = run_demo(folder)
    minutes = (time.monotonic() - started) / 60
    summary = read_summary(folder / "summary.json")
    print(f"\nthe whole demo took {minutes:.1f} min")
    for region, metrics in summary["mean"].items():
        if region.startswith(ORGAN):
            continue
        baselines = {name: summary["baselines"][name][region] for name in ("body_median", "zeros")}
        mae, other = metrics["mae"]["mean"], baselines["body_median"]["mae"]
        psnr = ", ".join(f"{name} {numbers['psnr']:.1f}" for name, numbers in baselines.items())
        print(
            f"{region:>10}: MAE {mae:.3f} SUV, body_median {other:.3f} SUV, {100 * (1 - mae / other):.1f}% lower; "
            f"PSNR {metrics['psnr']['mean']:.1f} dB against {psnr} dB"
        )
    print(f"report: {report}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as temporary:
            main(Path(temporary))
