"""The provenance of a training, for provenance.json, the checkpoints and the validation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ct2pet import distributed
from ct2pet.errors import TrainingError
from ct2pet.files import write_json
from ct2pet.layout import TRAINING_PROVENANCE
from ct2pet.provenance import added_run, case_digests, device_name, digest, this_run, training_cases_of
from ct2pet.schema import read_as
from ct2pet.training.options import TrainingOptions
from ct2pet.training.run import TrainingRun
from ct2pet.training.schedule import Schedule


def recorded_start(folder: Path) -> dict[str, Any]:
    """The last provenance that a training in ``folder`` wrote, or that of its stages before the last one begins; empty
    where there is none."""
    files = [*folder.glob(TRAINING_PROVENANCE), *folder.glob(f"*/{TRAINING_PROVENANCE}")]
    last = max(files, key=lambda path: path.stat().st_mtime_ns, default=None)
    return {} if last is None else read_as(last, dict[str, Any], TrainingError)


class TrainingRecord:
    """``content`` is the provenance: a dict of plain values, with one entry in ``runs`` for every continuation with
    another command, version, device, seed or date."""

    def __init__(self, run: TrainingRun, schedule: Schedule) -> None:
        self.run = _this_run(run.options, schedule)
        plans, cases = run.plans, run.training_cases
        self.content: dict[str, Any] = {
            "dataset_name": plans.dataset_name,
            "model": run.model_name,
            "configuration": run.configuration_name,
            "plans": {"name": plans.plans_name, "sha256": digest(plans.to_json())},
            "num_training_cases": len(cases),
            "training_cases": case_digests(plans.dataset_name, cases),
            "runs": [self.run],
            **run.origin,
        }
        self.own_cases: str = self.content["training_cases"]

    def begin_with(self, source: Mapping[str, Any]) -> None:
        """Record the source of the initial weights. Its training cases count as training cases, too; unknown ones only
        matter where they are of the same dataset."""
        facts = dict(source)
        if facts.get("dataset_name") != self.content["dataset_name"]:
            facts.pop("training_cases_known", None)
        self.add_cases(facts.pop("training_cases", None))
        self.content["pretrained_weights"] = facts

    def add_cases(self, digests: str | None) -> None:
        """Record that the weights were trained with these cases, too (None: unknown ones)."""
        seen = {*self.content["training_cases"].split(), *(digests or "").split()}
        self.content["training_cases"] = " ".join(sorted(seen))

    @property
    def seen_cases(self) -> str | None:
        """The digests of the cases that the weights were trained with; None where some are unknown."""
        return training_cases_of(self.content)

    @property
    def has_initial_weights(self) -> bool:
        """Whether the training, or an earlier part of it, started with the weights of another training."""
        return "pretrained_weights" in self.content

    def go_on(self, earlier: Any) -> None:
        """Continue a checkpoint's provenance (empty unless a dict): its runs precede this one, its training cases count
        as training cases, and its initial weights are kept."""
        earlier = earlier if isinstance(earlier, dict) else {}
        self.content["runs"] = added_run(earlier.get("runs"), self.run)
        self.add_cases(earlier.get("training_cases"))
        if "pretrained_weights" in earlier:
            self.content["pretrained_weights"] = earlier["pretrained_weights"]

    def take_over(self, earlier: Any) -> None:
        """Become a checkpoint's provenance, as far as it has one (a dict), to validate it."""
        self.content |= earlier if isinstance(earlier, dict) else {}

    def has_other_cases(self, checkpoint: Mapping[str, Any]) -> bool:
        """Whether the training of a checkpoint last had other training cases than this one. Checkpoints of older
        versions name them only together with those of its initial weights."""
        if "training_cases" in checkpoint:
            return checkpoint["training_cases"] != self.own_cases
        earlier = checkpoint.get("provenance")
        if not isinstance(earlier, dict) or "training_cases" not in earlier:
            return False
        own, seen = {*self.own_cases.split()}, {*earlier["training_cases"].split()}
        return not own <= seen or earlier.get("num_training_cases", len(own)) != len(own)

    def save(self, folder: Path) -> None:
        write_json(folder / TRAINING_PROVENANCE, self.content)

    def of_validation(self) -> dict[str, Any]:
        """The provenance of the current validation."""
        origin = {name: value for name, value in self.content.items() if name != "training_cases"}
        return {**origin, "run": this_run(device=self.run["device"])}


def _this_run(options: TrainingOptions, schedule: Schedule) -> dict[str, Any]:
    return this_run(
        device=device_name(options.device),
        processes=distributed.world_size(),
        seed=options.seed,
        deterministic=options.deterministic,
        num_epochs=schedule.num_epochs,
        iterations_per_epoch=schedule.iterations,
    )
