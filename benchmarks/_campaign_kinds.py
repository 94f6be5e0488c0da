"""The kinds of trials: the changed file or the time of a kill, the commands that run, and the expected files."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from _campaign_mutations import (
    Change,
    change_checkpoint,
    change_dicom,
    change_json,
    change_nifti,
    cut_off,
    flip_bytes,
    leave_out,
)
from _campaign_results import differing, digests, partial_files
from _campaign_runs import Interruption, Outcome, problem, problem_of_signal, run

DATASET = "Dataset077_Campaign"
RAW, PREPROCESSED, RESULTS = f"raw/{DATASET}", f"preprocessed/{DATASET}", f"results/{DATASET}"
MODEL = f"{RESULTS}/pix2pix__ct2petPlans__head"
STORE = f"{PREPROCESSED}/ct2petPlans_head"
SHORT = "-c head --num_epochs 3 --iterations_per_epoch 2 -device cpu --deterministic -num_workers 0"
TRAIN = f"train 077 pix2pix all {SHORT}"
PREPROCESS = "preprocess -d 077 -c head -np 1"
FINGERPRINT = "extract_fingerprint -d 077 -np 1"
PREDICT = f"predict -i {RAW}/imagesTs -o new -c head -device cpu -step_size 1 --disable_tta --float32"
EVALUATE = "evaluate -d 077 -i predictions -np 1"
CONVERT = "convert_dicom -i dicom -d 1 -n CLINIC -np 1"
LIMIT_S = 90.0  # a command of the campaign takes 1 to 20 s on one core

Mutation = Callable[[Path, Random], Change]


@dataclass(frozen=True)
class Finding:
    """The problem of a trial, and its cause."""

    problem: str
    trial: str
    change: str
    outcome: Outcome
    more: str = ""


@dataclass(frozen=True)
class Changed:
    """Trials in which one of ``files`` (patterns) is changed by one of ``mutations`` before the command ``line``.
    ``outputs``: what the command writes (patterns); ``removed``: files of an earlier run that must not remain."""

    files: tuple[str, ...]
    mutations: tuple[Mutation, ...]
    line: str
    outputs: tuple[str, ...]
    removed: str = ""

    def reference(self, root: Path) -> dict[str, str]:
        """The files of the command without a change."""
        self._remove(root)
        outcome = run(self.line, root, LIMIT_S)
        if outcome.code:
            raise SystemExit(f"ct2pet_{self.line}: exit code {outcome.code}\n{outcome.text}")
        return digests(root, self.outputs)

    def trial(self, name: str, root: Path, random: Random, reference: dict[str, str]) -> tuple[Outcome, Finding | None]:
        self._remove(root)
        path = random.choice(sorted(path for pattern in self.files for path in root.glob(pattern)))
        words, may_differ = random.choice(self.mutations)(path, random)
        change = f"{path.relative_to(root)}: {words}"
        outcome = run(self.line, root, LIMIT_S)
        found, more = problem(outcome, _names(path)), ""
        if found is None and not may_differ and outcome.code in (0, 1):
            outputs = [pattern for pattern in self.outputs if outcome.code == 0 or "summary" not in pattern]
            changed = [name for name in differing(digests(root, outputs), reference) if not _is_named(name, outcome)]
            found, more = ("silent change", f"differs: {', '.join(changed[:3])}") if changed else (None, "")
        return outcome, None if found is None else Finding(found, name, change, outcome, more)

    def _remove(self, root: Path) -> None:
        if self.removed:
            shutil.rmtree(root / self.removed, ignore_errors=True)


def _is_named(file: str, outcome: Outcome) -> bool:
    """Whether a command that ended with 1 named the case of a file: then the change was reported."""
    return outcome.code == 1 and _names(Path(file))[-1] in outcome.text


def _names(path: Path) -> tuple[str, ...]:
    """The names of a file in a refusal: itself or its case. DICOM files, whose names often contain those of patients,
    must not be named."""
    return () if "dicom" in path.parts else (path.name, path.name.split("_0000")[0].split(".")[0])


@dataclass(frozen=True)
class Killed(Changed):
    """Trials in which the command ``line`` is killed at a random moment and then finished by ``again``."""

    again: str = ""

    def trial(self, name: str, root: Path, random: Random, reference: dict[str, str]) -> tuple[Outcome, Finding | None]:
        self._remove(root)
        after = random.uniform(0.05, self.longest(root, name))
        run(self.line, root, LIMIT_S, Interruption(signal.SIGKILL, after))
        outcome = run(self.again, root, LIMIT_S)
        found, more = problem(outcome), ""
        if found is None:
            changed = differing(reference, digests(root, self.outputs))  # here nothing may be missing
            left = partial_files(root)
            found = "silent change" if outcome.code or changed or left else None
            more = f"exit code {outcome.code}; differs: {changed[:3]}; left: {left[:3]}"
        change = f"killed after {after:.2f} s"
        return outcome, None if found is None else Finding(found, name, change, outcome, more)

    def longest(self, root: Path, name: str) -> float:
        """Seconds within which the command is killed: about its duration."""
        return {"train": 6.0, "convert_dicom": 2.0}.get(self.line.split()[0], 4.0)


@dataclass(frozen=True)
class Signalled(Changed):
    """Trials in which the command ``line`` gets SIGINT, SIGTERM or SIGUSR1 at a random moment and must end."""

    def reference(self, root: Path) -> dict[str, str]:
        return {}

    def trial(self, name: str, root: Path, random: Random, reference: dict[str, str]) -> tuple[Outcome, Finding | None]:
        self._remove(root)
        number = random.choice([signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
        after = random.uniform(0.05, 8.0)
        outcome = run(self.line, root, LIMIT_S, Interruption(number, after))
        found = problem_of_signal(outcome, number)
        change = f"{number.name} after {after:.2f} s"
        waited = "" if outcome.waited is None else f"ended {outcome.waited:.1f} s after it"
        return outcome, None if found is None else Finding(found, name, change, outcome, waited)


BYTES = (flip_bytes, cut_off)
PETS, STORED = ("new/*.nii.gz",), (f"{STORE}/*",)
WEIGHTS = (f"{MODEL}/fold_all/checkpoint_final.pth",)
TRAINING_FILES = tuple(f"{RAW}/{kind}Tr/phantom_001*.nii.gz" for kind in ("images", "targets", "districts", "lesions"))
STUDY = ("raw/Dataset001_CLINIC/*T[rs]/*.nii.gz",)
FOREVER = TRAIN.replace("--num_epochs 3", "--num_epochs 1000")

KINDS: dict[str, Changed] = {
    "CT, predict": Changed((f"{RAW}/imagesTs/phantom_005*",), (*BYTES, change_nifti, change_nifti), PREDICT, PETS),
    "images, preprocess": Changed(
        TRAINING_FILES, (*BYTES, change_nifti, change_nifti), PREPROCESS, STORED, removed=STORE
    ),
    "images, fingerprint": Changed(
        TRAINING_FILES[:3], (*BYTES, change_nifti), FINGERPRINT, (f"{PREPROCESSED}/dataset_fingerprint.json",)
    ),
    "PETs, evaluate": Changed(
        ("predictions/phantom_005*", f"{RAW}/targetsTs/phantom_005*"),
        (*BYTES, change_nifti),
        EVALUATE,
        ("predictions/summary.json",),
        removed="predictions/summary.json",
    ),
    "dataset.json": Changed((f"{RAW}/dataset.json",), (change_json,), FINGERPRINT, ()),
    "fingerprint": Changed(
        (f"{PREPROCESSED}/dataset_fingerprint.json",), (change_json,), "plan_experiment -d 077 -device cpu", ()
    ),
    "plans, preprocess": Changed((f"{PREPROCESSED}/ct2petPlans.json",), (change_json,), PREPROCESS, ()),
    "plans, train": Changed((f"{PREPROCESSED}/ct2petPlans.json",), (change_json,), TRAIN, (), removed=MODEL),
    "splits": Changed(
        (f"{PREPROCESSED}/splits_final.json",), (change_json,), TRAIN.replace(" all ", " 0 "), (), removed=MODEL
    ),
    "records of a store": Changed((f"{STORE}/*.json",), (change_json,), TRAIN, (), removed=MODEL),
    "model's JSON": Changed((f"{MODEL}/*.json",), (change_json,), PREDICT, ()),
    "prediction.json": Changed(
        ("predictions/prediction.json",),
        (change_json,),
        PREDICT.replace("-o new", "-o predictions --continue_prediction"),
        (),
    ),
    "summary.json": Changed(("predictions/summary.json",), (change_json,), "compare predictions -o new", ()),
    "cases.csv": Changed((f"{RAW}/cases.csv",), BYTES, EVALUATE, ()),
    "checkpoint's bytes": Changed((f"{MODEL}/fold_all/checkpoint_final.pth",), BYTES, PREDICT, PETS),
    "checkpoint": Changed((f"{MODEL}/fold_all/checkpoint_final.pth",), (change_checkpoint,), PREDICT, PETS),
    "store's bytes": Changed((f"{STORE}/*.b2nd",), BYTES, TRAIN, WEIGHTS, removed=MODEL),
    "DICOM's bytes": Changed(("dicom/*/[CP]T*",), (cut_off, leave_out), CONVERT, STUDY),
    "DICOM": Changed(("dicom/*/[CP]T*",), (change_dicom,), CONVERT, ()),
    "killed train": Killed((), (), TRAIN, WEIGHTS, removed=MODEL, again=f"{TRAIN} --c"),
    "killed preprocess": Killed((), (), PREPROCESS, STORED, removed=STORE, again=PREPROCESS),
    "killed predict": Killed((), (), PREDICT, PETS, again=f"{PREDICT} --continue_prediction"),
    "killed convert": Killed((), (), CONVERT, STUDY, again=CONVERT),
    "signalled train": Signalled((), (), FOREVER, (), removed=MODEL),
    "signalled predict": Signalled((), (), PREDICT.replace(" --disable_tta", ""), ()),
    "signalled preprocess": Signalled((), (), PREPROCESS.replace("-np 1", "-np 2"), (), removed=STORE),
    "signalled evaluate": Signalled((), (), EVALUATE.replace("-np 1", "-np 2"), ()),
}
