"""Out-of-fold predictions: each training case is predicted by the models of the fold that was not trained on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ct2pet.dataset import RawDataset
from ct2pet.dataset.splits import Split
from ct2pet.errors import CheckpointError, Ct2PetError, DatasetError
from ct2pet.files import check_writable, read_json
from ct2pet.inference.case_prediction import CasePrediction, predict_cases, predictor_of
from ct2pet.inference.choice import Member, chosen_members
from ct2pet.inference.dicom_output import DicomOutput
from ct2pet.inference.input_files import Case, find_cases
from ct2pet.inference.options import PredictionOptions
from ct2pet.inference.record import PredictionRecord, provenance_of_members
from ct2pet.inference.trained_models import TrainedModel
from ct2pet.layout import PREDICTION
from ct2pet.locks import folder_lock
from ct2pet.planning.plans import Plans
from ct2pet.provenance import cases_among, device_name, this_run

OUT_OF_FOLD = "out_of_fold"  # in prediction.json


@dataclass(frozen=True)
class OutOfFold:
    """The out-of-fold predictions of one trained model. ``validation``: the validation cases of each fold."""

    dataset: RawDataset
    validation: Mapping[str, Sequence[str]]
    options: PredictionOptions
    device: str

    @classmethod
    def of(
        cls,
        dataset: RawDataset,
        splits: Sequence[Split],
        folds: Sequence[str | int] | None,
        options: PredictionOptions,
        device: str,
    ) -> OutOfFold:
        """Those of the ``folds`` (None: all) of ``splits``. Raises DatasetError for an unknown fold, or a validation
        case of several folds."""
        known = [str(number) for number in range(len(splits))]
        wanted = known if folds is None else [str(fold) for fold in folds]
        unknown = [fold for fold in wanted if fold not in known]
        if unknown or not wanted:
            raise DatasetError(
                f"{dataset.name}: a cross-validation needs numbered folds, not {', '.join(unknown) or 'none'}; there "
                f"are: {', '.join(known) or 'none'}"
            )
        validation = {fold: list(splits[int(fold)]["val"]) for fold in wanted}
        cases = [case for own in validation.values() for case in own]
        twice = sorted({case for case in cases if cases.count(case) > 1})
        if twice:
            raise DatasetError(f"{dataset.name}: {twice[0]} is a validation case of several folds; choose with -f")
        return cls(dataset, validation, options, device)

    @property
    def cases(self) -> list[str]:
        """All validation cases, sorted."""
        return sorted(case for own in self.validation.values() for case in own)

    def predict(self, target: Path) -> list[Case]:
        """Predict the cases into ``target``, as ct2pet_predict does with the models of each case's fold; existing
        predictions of the same models are kept.

        Raises CasesFailed, and CheckpointError where a model was trained with a validation case of its fold.
        """
        check_writable(target)
        parts, plans = self._provenance()
        cases = self._cases(target, plans)
        settings, prediction = {}, None
        with folder_lock(target, "a cross-validation"):
            work: list[Case] = []
            for fold, validation in self.validation.items():
                with self._members(fold) as members:
                    if prediction is None:
                        prediction = CasePrediction.of(members, self._images, cases, self.options, self.device)
                        settings = prediction.settings(self.options, cases)
                        work = self._begin(target, cases, _merged(parts, settings))
                    of_fold = replace(prediction, predictor=predictor_of(members, self.options, self.device))
                    own = [case for case in work if case.name in validation]
                    predict_cases(own, of_fold, len(cases) - len(own))
        return cases

    @property
    def _images(self) -> Path:
        return self.dataset.folder / "imagesTr"

    def _members(self, fold: str) -> contextlib.AbstractContextManager[list[Member]]:
        return chosen_members(replace(self.options, folds=[fold]))

    def _provenance(self) -> tuple[list[dict[str, Any]], Plans]:
        """The provenance of each fold's models, and their plans."""
        parts: list[dict[str, Any]] = []
        plans: Plans | None = None
        for fold, validation in self.validation.items():
            with self._members(fold) as members:
                own = members[0].loaded.plans
                plans = plans or own
                for district in members[0].loaded.districts:
                    if plans.configurations.get(district.name) != own.configurations[district.name]:
                        raise CheckpointError(f"fold {fold}: trained with other plans than the other folds")
                parts.append(provenance_of_members(members, {}))
                seen = cases_among(parts[-1]["training_cases"] or "", self.dataset.name, validation)
                if seen:
                    raise CheckpointError(
                        f"fold {fold} of {members[0].trained}: trained on {seen[0]}, a validation case of "
                        "this fold in splits_final.json, which was changed after training; train this fold again"
                    )
        assert plans is not None
        return parts, plans

    def _cases(self, target: Path, plans: Plans) -> list[Case]:
        if not plans.all_fields.inputs:
            raise DatasetError(f"{self.dataset.name}: the dataset has no input images; nothing can be predicted")
        found = {case.name: case for case in find_cases(self._images, target, plans.all_fields)}
        missing = [case for case in self.cases if case not in found]
        if missing:
            raise DatasetError(f"{self._images}: no input image of the validation case {missing[0]}")
        return [found[case] for case in self.cases]

    def _begin(self, target: Path, cases: Sequence[Case], content: dict[str, Any]) -> list[Case]:
        record = PredictionRecord(target / PREDICTION, content, this_run(device=device_name(self.device)))
        return record.begin(cases, _was_made_so(record), DicomOutput(False, None))


def missing_trainings(
    trained: TrainedModel, configurations: Sequence[str], folds: Sequence[str]
) -> list[tuple[str, str]]:
    """The (configuration, fold) pairs that are not trained."""
    return [(name, fold) for name in configurations for fold in folds if fold not in trained.folds.get(name, ())]


def _merged(parts: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """One prediction.json from those of the folds: no case was predicted by models trained on it."""
    merged = {**parts[0], **settings}
    for key in ("checkpoints_sha256", "trained"):
        names = dict.fromkeys(name for part in parts for name in part[key])
        merged[key] = {name: dict(_items(parts, key, name)) for name in names}
    known = all(part["training_cases"] is not None for part in parts)
    return {**merged, OUT_OF_FOLD: True, "training_cases": "" if known else None}


def _items(parts: Sequence[Mapping[str, Any]], key: str, name: str) -> Iterator[tuple[str, Any]]:
    for part in parts:
        yield from part[key].get(name, {}).items()


def _was_made_so(record: PredictionRecord) -> bool:
    """Whether existing predictions are of these models and settings."""
    try:
        earlier = read_json(record.path)
    except Ct2PetError:
        return False
    return isinstance(earlier, dict) and {k: v for k, v in earlier.items() if k != "runs"} == record.content
