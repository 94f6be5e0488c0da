"""A campaign of changed files, kills and signals against the commands: every problem must be reported.

    python benchmarks/campaign.py                    15 minutes
    python benchmarks/campaign.py --full             four hours
    python benchmarks/campaign.py --only "CT, predict" --first 17 --trials 1    one trial again

Makes a small phantom dataset, its plans, stores, a short training, predictions and a DICOM study through the commands,
then changes one file at a time (NIfTI, JSON, checkpoints, stores, DICOM), or kills a command or sends it a signal at a
random moment and finishes its work, and checks the end of the command and its files. Prints the number of each problem
for each kind of trial:

crash: ended by a signal, or with an exit code that is none of ct2pet's    hang: not ended in 90 s
traceback: an error that is not the user's, or a traceback                 unnamed: refused without the file's name
silent change: another result without a word                               memory: more than 6 GiB
lost signal: not ended 30 s after it, or with the exit code of success

Trial n of a kind is the same for the same ``--seed``. Ends with exit code 1 where any problem was found.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

from _campaign_kinds import EVALUATE, KINDS, LIMIT_S, PREDICT, RAW, TRAIN, Finding
from _campaign_runs import CLASSES, load, run

QUICK_MINUTES, FULL_MINUTES = 12.0, 240.0  # beside two for the dataset


def make(root: Path) -> None:
    """The files that the trials begin with."""
    from dicom_studies import study_of, write_studies

    from ct2pet.phantom import COARSE, write_dataset

    write_dataset(root / RAW, num_train=4, num_test=2, seed=3, scanner=COARSE)
    write_studies(root / "dicom", study_of())
    for line in (
        "plan_and_preprocess -d 077 -gpu_memory_target 0.39 -device cpu -np 1",
        TRAIN,
        PREDICT.replace("-o new", "-o predictions"),
        EVALUATE,
    ):
        outcome = run(line, root, 10 * LIMIT_S)
        if outcome.code:
            sys.exit(f"ct2pet_{line}: exit code {outcome.code}\n{outcome.text}")


def trials(base: Path, names: list[str], first: int, number: int | None, seed: int, end: float) -> Iterator:
    """The name of the kind and the finding (None: no problem) of one trial after another, the kinds alternating."""
    references: dict[str, dict[str, str]] = {}
    index = first
    while number is None or index < first + number:
        for name in names:
            if time.monotonic() >= end:
                return
            if name not in references:
                with _copy(base) as root:
                    references[name] = KINDS[name].reference(Path(root))
            with _copy(base) as root:
                random = Random(f"{seed}/{name}/{index}")
                _, finding = KINDS[name].trial(f"{name} {index}", Path(root), random, references[name])
            yield name, finding
        index += 1


def _copy(base: Path) -> tempfile.TemporaryDirectory:
    folder = tempfile.TemporaryDirectory(dir=base.parent, ignore_cleanup_errors=True)
    shutil.copytree(base, folder.name, dirs_exist_ok=True)
    return folder


def described(finding: Finding) -> str:
    lines = [line for line in finding.outcome.text.splitlines() if line.strip() and "it/s" not in line]
    last = "\n    ".join(line[:300] for line in lines[-2:])
    return (
        f"{finding.problem}: {finding.trial}: {finding.change}\n  ct2pet_{finding.outcome.line}\n"
        f"  exit code {finding.outcome.code} after {finding.outcome.seconds:.1f} s; {finding.more}\n    {last}"
    )


def table(counts: Counter, problems: Counter) -> str:
    width = max(map(len, counts))
    lines = [" ".join([f"{'':{width}}", "trials", *CLASSES])]
    for name in counts:
        numbers = [f"{problems[name, kind] or '.':>{len(kind)}}" for kind in CLASSES]
        lines.append(" ".join([f"{name:{width}}", f"{counts[name]:6}", *numbers]))
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--minutes", type=float, default=QUICK_MINUTES, help=f"for the trials (default: {QUICK_MINUTES})"
    )
    parser.add_argument("--full", action="store_const", const=FULL_MINUTES, dest="minutes", help="the trials of hours")
    parser.add_argument("--seed", type=int, default=0, help="another number gives other trials (default: 0)")
    parser.add_argument("--only", nargs="+", choices=KINDS, help="kinds of trials (default: all, in turn)")
    parser.add_argument("--first", type=int, default=0, help="number of the first trial of each kind (default: 0)")
    parser.add_argument("--trials", type=int, help="of each kind, at most (default: until the time is over)")
    parsed = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "SOURCE_DATE_EPOCH": "1700000000"}
    load()
    counts: Counter = Counter()
    problems: Counter = Counter()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base"
        base.mkdir()
        make(base)
        end = time.monotonic() + 60 * parsed.minutes
        names = parsed.only or list(KINDS)
        for name, finding in trials(base, names, parsed.first, parsed.trials, parsed.seed, end):
            counts[name] += 1
            if finding is not None:
                problems[name, finding.problem] += 1
                print(described(finding), flush=True)
    print(table(counts, problems))
    total = sum(problems.values())
    print(f"{sum(counts.values())} trials, {total} with a problem")
    return int(total > 0)


if __name__ == "__main__":
    sys.exit(main())
