"""The provenance of predictions (prediction.json), and the remaining cases of an interrupted run."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ct2pet
from ct2pet.errors import Ct2PetError
from ct2pet.files import read_json, remove_partial_files_of, write_json
from ct2pet.imageio import image_suffixes, strip_suffix
from ct2pet.inference.choice import Member
from ct2pet.inference.coverage import map_file, remove_map
from ct2pet.inference.dicom_output import DicomOutput, dicom_folder, remove_series
from ct2pet.inference.input_files import Case
from ct2pet.inference.trained_models import LoadedModel, TrainedModel
from ct2pet.layout import PREDICTION
from ct2pet.provenance import added_run, training_cases_of


def provenance(
    trained: TrainedModel, loaded: LoadedModel, folds: Sequence[str] | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The provenance of predictions, without names of patients and folders."""
    chosen = trained.checkpoints([district.name for district in loaded.districts], folds)
    digests = {
        name: {path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
        for name, paths in chosen.items()
    }
    return {
        "ct2pet_version": ct2pet.__version__,
        "units": {one.name: one.unit for one in loaded.plans.all_fields.targets},
        "dataset_name": trained.dataset_name,
        "model": trained.model,
        "plans_name": trained.plans_name,
        "checkpoint": trained.checkpoint,
        "checkpoints_sha256": digests,
        **settings,
        "trained": {
            name: {fold: _training_facts(origin) for fold, origin in folds.items()}
            for name, folds in loaded.origins.items()
        },
        "training_cases": _training_cases([loaded]),
    }


def provenance_of_members(members: Sequence[Member], settings: Mapping[str, Any]) -> dict[str, Any]:
    """As ``provenance``; for several models with that of each in ``ensemble``."""
    first = members[0]
    content = provenance(first.trained, first.loaded, first.folds, settings)
    if len(members) == 1:
        return content
    parts = [
        {**provenance(one.trained, one.loaded, one.folds, {}), **({"only_lesions": True} if one.for_lesions else {})}
        for one in members
    ]
    common = ("ct2pet_version", "units", "training_cases")
    return {
        **{key: content[key] for key in ("ct2pet_version", "units")},
        "dataset_name": " + ".join(dict.fromkeys(one.trained.dataset_name for one in members)),
        "model": " + ".join(one.name for one in members),
        **settings,
        "ensemble": [{key: value for key, value in part.items() if key not in common} for part in parts],
        "training_cases": _training_cases([one.loaded for one in members]),
    }


def _training_facts(origin: dict[str, Any]) -> dict[str, Any]:
    """The provenance of a checkpoint's training, without the cases and the earlier runs."""
    facts = {name: origin.get(name) for name in ("plans", "dataset_fingerprint_sha256", "num_training_cases")}
    return {**facts, "run": (origin.get("runs") or [None])[-1]}


def _training_cases(models: Sequence[LoadedModel]) -> str | None:
    """The digests of all training cases of the networks; None where those of one are unknown."""
    origins = [origin for loaded in models for folds in loaded.origins.values() for origin in folds.values()]
    found = [training_cases_of(origin) for origin in origins]
    known = [digests for digests in found if digests is not None]
    return " ".join(sorted({*" ".join(known).split()})) if len(known) == len(found) else None


def record_file(target: Path, first: Path) -> Path:
    """The record of the predictions in the folder ``target``; NAME.json where ``target`` is itself the file of the
    ``first`` prediction."""
    return target.with_name(f"{strip_suffix(target)}.json") if first == target else target / PREDICTION


@dataclass(frozen=True)
class PredictionRecord:
    """prediction.json of the predictions: ``content`` is their provenance, ``run`` the current run."""

    path: Path
    content: Mapping[str, Any]
    run: Mapping[str, Any]

    @classmethod
    def beside(
        cls, target: Path, cases: Sequence[Case], content: Mapping[str, Any], run: Mapping[str, Any]
    ) -> PredictionRecord:
        """The record of the predictions ``target``: see ``record_file``."""
        path = record_file(target, cases[0].output) if cases else target / PREDICTION
        return cls(path, content, run)

    def begin(
        self, cases: Sequence[Case], go_on: bool, dicom: DicomOutput, other_parts: Sequence[Case] = ()
    ) -> list[Case]:
        """Write the record; returns the cases to predict. Old predictions of other models or settings are not kept.
        Raises Ct2PetError where they would be mixed, or where a file of another program would be replaced.

        ``other_parts``: cases that other processes predict into the same folder, with the same record.
        """
        runs: Any = None
        kept = go_on and self.path.exists()
        if kept:
            earlier, runs = _read_record(self.path)
            if earlier != self.content:
                raise Ct2PetError(
                    f"{self.path}: predicted with another model or other settings{self._differences(earlier)}; choose "
                    "another folder, or run without --continue_prediction to predict all cases again"
                )
            cases = [case for case in cases if not (case.is_done and dicom.has(case))]
        elif self.path.exists():
            runs = self._runs_to_keep(cases, other_parts)
            self._say_what_is_replaced(cases)
        else:
            self._check_no_foreign_files(cases)
        for case in cases:
            _clear(case, keep=kept)
        write_json(self.path, {**self.content, "runs": added_run(runs, dict(self.run)) if cases else runs})
        return list(cases)

    def remove_if_unused(self, cases: Sequence[Case]) -> None:
        """Remove the record where no prediction exists: none of ``cases``, and no other image in its folder."""
        predictions = [path for case in cases for path in case.outputs.values() if path.exists()]
        if not predictions and not self._images_except(()):
            self.path.unlink(missing_ok=True)

    def _runs_to_keep(self, cases: Sequence[Case], other_parts: Sequence[Case]) -> Any:
        """The earlier runs, where predictions of them stay. Raises Ct2PetError where these are of another model or
        other settings: the record would say that they are of this one."""
        staying = self._images_except(cases)
        if not staying:
            return None
        try:
            earlier, runs = _read_record(self.path)
        except Ct2PetError:
            earlier = runs = None
        if earlier == self.content:
            return runs
        foreign = self._images_except([*cases, *other_parts])
        if foreign:
            raise Ct2PetError(
                f"{self.path}: {len(foreign)} image(s) in this folder, such as {foreign[0].name}, were predicted with "
                f"another model or other settings{self._differences(earlier)}; choose another folder, or remove them"
            )
        return None

    def _images_except(self, cases: Sequence[Case]) -> list[Path]:
        """The images in the folder of predictions that are neither predictions nor inputs of ``cases``; none for the
        record of one file."""
        if self.path.name != PREDICTION:
            return []
        own = {path.resolve() for case in cases for path in (*case.outputs.values(), *case.images.values())}
        found = sorted(self.path.parent.glob("[!.]*"))
        return [path for path in found if path.name.lower().endswith(image_suffixes()) and path.resolve() not in own]

    def _differences(self, earlier: Any) -> str:
        """The keys of the record with another value than in an earlier one, in parentheses."""
        if not isinstance(earlier, dict):
            return ""
        keys = [key for key in {**self.content, **earlier} if self.content.get(key) != earlier.get(key)]
        return f" ({', '.join(keys)})" if keys else ""

    def _say_what_is_replaced(self, cases: Sequence[Case]) -> None:
        count = sum(any(path.exists() for path in case.outputs.values()) for case in cases)
        if count:
            kept = "--continue_prediction keeps finished ones"
            print(f"{self.path.parent}: {count} existing prediction(s) are replaced; {kept}", file=sys.stderr)

    def _check_no_foreign_files(self, cases: Sequence[Case]) -> None:
        for case in cases:
            for path in (*case.outputs.values(), case.picture, dicom_folder(case)):
                if path.exists():
                    raise Ct2PetError(
                        f"{path}: would be replaced, but is not a prediction of ct2pet (no {self.path.name}); "
                        "choose another -o or remove it"
                    )


def _read_record(path: Path) -> tuple[Any, Any]:
    """The content of a record, and its runs."""
    content = read_json(path)
    runs = content.pop("runs", None) if isinstance(content, dict) else None
    return content, runs


def _clear(case: Case, keep: bool) -> None:
    """Remove the results of an earlier run of a case; with ``keep`` a finished one, of which only the DICOM series may
    be missing, is kept. Temporary files of a killed run are removed only for this case: another machine may predict the
    others."""
    if not (keep and case.is_done):
        for path in (*case.outputs.values(), case.picture):
            path.unlink(missing_ok=True)
        remove_map(case)
        remove_series(case)
    for path in (*case.outputs.values(), map_file(case)):
        remove_partial_files_of(path)
