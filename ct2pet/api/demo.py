"""All stages of a method on a procedural phantom, for ``ct2pet_demo`` and ``make demo``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ct2pet import layout
from ct2pet.api.demonstrations import load_demonstration
from ct2pet.api.demonstrations.base import Demonstration, Trained
from ct2pet.api.planning import extract_fingerprint, plan
from ct2pet.api.preprocessing import preprocess
from ct2pet.api.training import train
from ct2pet.paths import raw_folder
from ct2pet.planning.plans import Plans
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.training import TrainingOptions

_BEFORE_THE_CONCLUSION = 4


def run_demo(folder: Path, method: str = "pix2pix", *, device: str | None = None) -> Path:
    """Make phantom patients, plan, train ``method``, predict test patients, and evaluate.

    Everything is written to ``folder``: raw, preprocessed, results, predictions, summary.json, report.html. Returns the
    path of the report. An interrupted run continues. Raises PluginError for a method without a demonstration.
    """
    folder = Path(folder).resolve()
    demonstration = load_demonstration(method)
    dataset, steps = demonstration.dataset, _Steps(_BEFORE_THE_CONCLUSION + len(demonstration.conclusion))
    with _working_in(folder):
        raw = raw_folder() / dataset
        with steps.step("a phantom dataset"):
            if not (raw / layout.DATASET).exists():
                demonstration.write(raw)
        with steps.step("fingerprint and plans"):
            extract_fingerprint(dataset)
            _make_plans(demonstration, device)
        with steps.step("preprocessing"):
            preprocess(dataset, plans_name=demonstration.plans_name)
        with steps.step("training"):
            begun = any((folder / "results").glob("*/*/fold_*/checkpoint_*.pth"))
            options, plans_name = TrainingOptions(resume=begun), demonstration.plans_name
            trainings = train(dataset, method, "all", device=device, plans_name=plans_name, options=options)
        trained = Trained(folder, dataset, method, trainings, device)
        for title, stage in demonstration.conclusion.items():
            with steps.step(title):
                stage(trained)
    return folder / layout.REPORT


def _make_plans(demonstration: Demonstration, device: str | None) -> None:
    """Shortened plans, or those of an interrupted run: its training must continue with them, independent of free
    memory."""
    path = PreprocessedDataset.find(demonstration.dataset).plans_file(demonstration.plans_name)
    if path.exists() and (made := Plans.load(path)) == demonstration.shortened(made):
        return
    made = plan(demonstration.dataset, plans_name=demonstration.plans_name, device=device)
    demonstration.shortened(made).save(path)


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """Inside the block the three folders of ct2pet are in ``folder``."""
    ours = {f"ct2pet_{kind}": str(folder / kind) for kind in ("raw", "preprocessed", "results")}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Steps:
    """Prints the title, number and duration of each step."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self._done += 1
        numbered = f"{self._done}/{self._total} {title}"
        started = time.monotonic()
        print(f"{numbered} ...", flush=True)
        yield
        print(f"{numbered}: {time.monotonic() - started:.0f} s", flush=True)
