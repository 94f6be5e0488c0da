"""CPU seconds of SSIM, PSNR and MAE by part: the whole-body pair of PETs of ssim.py, one thread.

Run: python benchmarks/ssim_profile.py [--size quick|full] [--rounds 5]
Of each part the smallest of the rounds. The window means are products of matrices: their operations a second are
printed beside those of one large product.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from predict_profile import Clock
from ssim import prepare

MEANS, COMBINE, REST, ERRORS = "window means", "combine the means", "squares, differences, copies", "PSNR and MAE"


def one_round(fake: Any, real: Any) -> dict[str, float]:
    from unittest.mock import patch

    from ct2pet.evaluation import similarity
    from ct2pet.evaluation.metrics import Sums, error_metrics

    clock = Clock()
    with (
        patch.object(similarity, "_THREADS", 1),
        patch.object(similarity.Window, "means", clock.timed(MEANS, similarity.Window.means)),
        patch.object(similarity, "_combine", clock.timed(COMBINE, similarity._combine)),
    ):
        clock.enter(REST)
        similarity.ssim_map(fake, real)
    clock.enter(ERRORS)
    error_metrics(Sums.together(Sums.of(*pair) for pair in zip(real, fake)))
    clock.enter("")
    return clock.seconds


def operations(shape: tuple[int, ...]) -> float:
    """Multiplications and additions of the four window means of a volume, those with zeros of the matrices included."""
    from ct2pet.evaluation import similarity

    sizes = (similarity._DEPTH, similarity._ROWS, similarity._COLUMNS)
    depth, rows, columns = (size + similarity.SSIM_WINDOW - 1 for size in sizes)
    return 2.0 * 4 * (depth * rows / similarity._ROWS + rows + columns) * shape[0] * shape[1] * shape[2]


def product_speed(rounds: int) -> float:
    """Operations a second of a product of two matrices of 1500 x 1500."""
    import numpy as np

    clock, square = Clock(), np.ones((1500, 1500), np.float32)
    product = [clock.timed(f"product {number}", np.matmul) for number in range(rounds)]
    for function in product:
        function(square, square)
    return 2 * 1500**3 / min(clock.seconds[f"product {number}"] for number in range(rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["quick", "full"], default="quick")
    parser.add_argument("--rounds", type=int, default=5)
    parsed = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import numpy as np

    with TemporaryDirectory() as folder:
        prepare(Path(folder), parsed.size)
        fake, real = (np.load(Path(folder) / f"{name}.npy") for name in ("fake", "real"))
    rounds = [one_round(fake, real) for _ in range(parsed.rounds)]
    parts = (MEANS, COMBINE, REST, ERRORS)
    best = [min(one[part] for one in rounds) for part in parts]
    print(f"| CPU s | {' | '.join(parts)} | sum |\n|{'---|' * (len(parts) + 2)}")
    print(f"| {parsed.size} | {' | '.join(f'{seconds:.3f}' for seconds in best)} | {sum(best):.3f} |\n")
    speeds = operations(real.shape) / best[0] / 1e9, product_speed(parsed.rounds) / 1e9
    print(f"window means: {speeds[0]:.0f} GFLOP/s; one large product: {speeds[1]:.0f} GFLOP/s")


if __name__ == "__main__":
    main()
