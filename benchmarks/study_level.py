"""How often two arms of an augmentation study differ significantly although neither is better.

    python benchmarks/study_level.py [--studies N]

Simulated studies with 60 + 60 patients: the strength of each run's classifier is drawn at random (standard deviation
40% of its mean), runs share the noise of the patients. A test at the level of 5% is positive in 5% of such studies; few
runs are a small sample of the scatter between runs, and the share is higher.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from ct2pet.study.statistics import auc_difference

RUNS = (3, 5, 12)
PATIENTS, LEVEL = 120, 0.05


def positive_share(runs: int, studies: int) -> float:
    random = np.random.default_rng(1)
    labels = np.arange(PATIENTS) % 2
    positive = 0
    for study in range(studies):
        strengths = random.normal(1.0, 0.4, (2, runs, 1))
        noise = random.normal(0, 1, PATIENTS) + random.normal(0, 0.5, (2, runs, PATIENTS))
        first, second = strengths * labels + noise
        positive += auc_difference(labels, first, second, seed=study).p < LEVEL
    return positive / studies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400)
    parsed = parser.parse_args()
    started = time.process_time()
    for runs in RUNS:
        print(f"{runs} runs: p < {LEVEL} in {positive_share(runs, parsed.studies):.1%} of studies", flush=True)
    print(f"{time.process_time() - started:.0f} CPU s")


if __name__ == "__main__":
    main()
