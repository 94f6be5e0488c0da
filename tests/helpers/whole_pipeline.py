"""All commands in order on a tiny phantom, by their ``main`` functions, and a simulation of a killed process."""

import itertools
import json
import shutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ct2pet import files
from ct2pet.phantom import COARSE, write_dataset

DATASET = "Dataset077_Tiny"
FOLDERS = ("raw", "preprocessed", "results")
TEST_CASES = ["phantom_005", "phantom_006"]
USER, MACHINE, NAME = "zzuser", "zzmachine", "zzpipeline"  # the user, the machine and the folder of the test
SMALL = "-gpu_memory_target 0.39"  # the smallest patches
SHORT = "--num_epochs 1 --iterations_per_epoch 1 -device cpu --deterministic"


def run(line):
    """The exit code of a command: its name without ct2pet_, and its arguments. Paths must not hold spaces."""
    name, *arguments = line.split()
    return import_module(f"ct2pet.cli.{name}").main(arguments)


@dataclass(frozen=True)
class Pipeline:
    """The folders of the dataset."""

    root: Path

    @property
    def raw(self):
        return self.root / "raw" / DATASET

    @property
    def preprocessed(self):
        return self.root / "preprocessed" / DATASET

    @property
    def results(self):
        return self.root / "results" / DATASET

    @property
    def predictions(self):
        return self.root / "predictions"

    @property
    def plans(self):
        return json.loads((self.preprocessed / "ct2petPlans.json").read_text())

    def enter(self, monkeypatch):
        """Set the environment variables of the commands to these folders."""
        for kind in FOLDERS:
            monkeypatch.setenv(f"ct2pet_{kind}", str(self.root / kind))

    def edit_plans(self, edit):
        plans = self.plans
        edit(plans)
        (self.preprocessed / "ct2petPlans.json").write_text(json.dumps(plans))

    def predict(self, target, options=""):
        return run(f"predict -i {self.raw}/imagesTs -o {target} -f all -device cpu -step_size 1 {options}")


def write_phantom(pipeline):
    """Four training and two test cases, and what a killed process may have left beside each image."""
    write_dataset(pipeline.raw, num_train=4, num_test=2, seed=3, scanner=COARSE)
    for image in sorted(pipeline.raw.glob("*T[rs]/*.nii.gz")):
        leave_partial(image)


def leave_partial(path):
    """A file as a process that was killed leaves it: half of it, under the name that atomic_path gives."""
    content = path.read_bytes()
    path.with_name(f".partial-abcd1234-{path.name}").write_bytes(content[: len(content) // 2])


def prepare(pipeline, options=""):
    return run(f"plan_and_preprocess -d 077 {SMALL} -device cpu -np 1 {options}")


def run_all(pipeline):
    """All commands in order, with files of killed processes in the folders; returns the exit codes."""
    codes = [prepare(pipeline, "--verify_dataset_integrity")]
    for path in sorted(pipeline.preprocessed.glob("ct2petPlans_*/*")):
        leave_partial(path)
    codes.append(run(f"train 077 pix2pix all {SHORT}"))
    codes.append(run(f"train 077 pix2pix 0 -c trunk {SHORT}"))
    codes.append(pipeline.predict(pipeline.predictions))
    leave_partial(pipeline.predictions / f"{TEST_CASES[0]}.nii.gz")
    here = f"-d 077 -i {pipeline.predictions} -np 1"
    return [*codes, run(f"evaluate {here}"), run(f"report {here}")]


def content_of(folder):
    """The bytes of the files in a folder, by path; without what a killed process left."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(_whole_files(folder))}


def times_of(folder):
    """When the files in a folder were written, by path; without what a killed process left."""
    return {path: path.stat().st_mtime_ns for path in _whole_files(folder)}


def _whole_files(folder):
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".partial-")]


class PulledPlugError(BaseException):
    """Simulates the end of a killed process; only the outermost frame of a command catches it."""


def pull_plug(monkeypatch, number):
    """Simulate a kill of the process when it has written the ``number``-th file (1, ...), before that has its name."""
    counter, flush = itertools.count(1), files._flush_to_disk

    def flush_or_die(temporary):
        if next(counter) == number:
            shutil.copyfile(temporary, temporary.with_name(temporary.name.replace(temporary.name[9:13], "dead", 1)))
            raise PulledPlugError
        flush(temporary)

    monkeypatch.setattr(files, "_flush_to_disk", flush_or_die)


def killed_until_done(work, monkeypatch):
    """Do ``work`` killed at its first file, then, begun again, at its second, ... until it gets through; the number
    of times that it was killed."""
    for number in itertools.count(1):
        with monkeypatch.context() as patch:
            pull_plug(patch, number)
            try:
                work()
            except PulledPlugError:
                continue
            return number - 1


def partial_files(folder):
    return sorted(path.name for path in folder.rglob(".partial-*"))
