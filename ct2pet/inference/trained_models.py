"""Trained models on disk: ``Dataset001_NAME/MODEL__PLANS__CONFIGURATION/fold_X/checkpoint_final.pth``."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ct2pet.checkpoint import load_checkpoint
from ct2pet.errors import CheckpointError
from ct2pet.inference.predictor import DistrictModels
from ct2pet.layout import CHECKPOINT_FINAL, PLANS, fold_folder, model_folder
from ct2pet.models import build_method
from ct2pet.models.base import Method
from ct2pet.paths import results_folder
from ct2pet.planning.plans import WHOLE_BODY, Plans
from ct2pet.suggestions import did_you_mean

_ALL = "all"


@dataclass(frozen=True)
class TrainedModel:
    """One method, trained with one set of plans on one dataset.

    ``folds``: for each configuration the folds ("0", ..., "all") that have the checkpoint ``checkpoint``.
    """

    results: Path
    dataset_name: str
    model: str
    plans_name: str
    checkpoint: str
    folds: dict[str, list[str]]

    def __str__(self) -> str:
        return f"-d {self.dataset_name} -m {self.model} -p {self.plans_name}"

    def folder(self, configuration: str) -> Path:
        return model_folder(self.results, self.dataset_name, self.model, self.plans_name, configuration)

    def checkpoints(
        self, configurations: Sequence[str] | None = None, folds: Sequence[str] | None = None
    ) -> dict[str, list[Path]]:
        """The checkpoint files of each configuration.

        By default all districts of the plans (``whole_body`` where no district is trained), and of each the numbered
        folds, or ``all`` without numbered ones. Raises CheckpointError that names what is not trained.
        """
        names = list(configurations or self._districts())
        unknown = [name for name in names if name not in self.folds]
        if unknown:
            raise CheckpointError(
                f"{self} -c {unknown[0]}: no {self.checkpoint}; trained are: {', '.join(sorted(self.folds))}"
                f"{did_you_mean(unknown[0], sorted(self.folds))}"
            )
        return {name: [self._file(name, fold) for fold in self._folds(name, folds)] for name in names}

    def _file(self, configuration: str, fold: str) -> Path:
        return fold_folder(self.folder(configuration), fold) / self.checkpoint

    def _districts(self) -> list[str]:
        trained = [name for name in self.folds if name != WHOLE_BODY]
        if not trained:
            return [WHOLE_BODY]
        plans = Plans.load(self.folder(trained[0]) / PLANS)
        wanted = [name for name in plans.configurations if name != WHOLE_BODY]
        missing = [name for name in wanted if name not in self.folds]
        if missing:
            raise CheckpointError(
                f"{self}: {', '.join(missing)} has no {self.checkpoint}; train it, or give "
                f"the districts to use: -c {' '.join(name for name in self.folds)}"
            )
        return wanted

    def _folds(self, configuration: str, wanted: Sequence[str] | None) -> list[str]:
        there = self.folds[configuration]
        if wanted is None:
            wanted = [fold for fold in there if fold != _ALL] or there
        missing = [fold for fold in wanted if fold not in there]
        if missing:
            raise CheckpointError(
                f"{self} -c {configuration}: no {self.checkpoint} of fold {', '.join(missing)}; there are folds: "
                f"{', '.join(there)}"
            )
        return list(wanted)


@dataclass(frozen=True)
class LoadedModel:
    """The districts' models with weights, the plans that they were trained with, and the provenance of each checkpoint:
    ``{configuration: {fold: provenance}}``, empty where unknown."""

    plans: Plans
    districts: list[DistrictModels]
    origins: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


def find_trained(results: Path, checkpoint: str = CHECKPOINT_FINAL) -> list[TrainedModel]:
    """All trained models under ``results`` that have a file ``checkpoint`` in at least one fold, sorted. Unreadable
    folders are named on standard error. Raises CheckpointError where there are only those, and for the name of a
    checkpoint that no training has while others exist."""
    found = _found(Path(results), "*/*", checkpoint)
    known = [] if found else sorted({path.name for path in Path(results).glob("*/*/fold_*/checkpoint_*.pth")})
    if known:
        hint = did_you_mean(checkpoint, known)
        raise CheckpointError(
            f"{results}: no trained model with {checkpoint} (-chk); there are: {', '.join(known)}{hint}"
        )
    return found


def find_in(folder: Path, checkpoint: str = CHECKPOINT_FINAL) -> list[TrainedModel]:
    """The trained models in a folder: of a configuration (MODEL__PLANS__CONFIGURATION), of a dataset (Dataset001_NAME),
    or a results folder. Raises CheckpointError where it has none."""
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder")
    place = folder.resolve()
    name, parent = glob.escape(place.name), glob.escape(place.parent.name)
    places = [
        (place.parents[1], f"{parent}/{name}") if len(place.parts) > 2 else None,
        (place.parent, f"{name}/*"),
        (place, "*/*"),
    ]
    for results, pattern in filter(None, places):
        if found := _found(results, pattern, checkpoint):
            return found
    raise CheckpointError(f"{folder}: no model with a {checkpoint} in folders MODEL__PLANS__CONFIGURATION/fold_X")


def _found(results: Path, models: str, checkpoint: str) -> list[TrainedModel]:
    """Those in the folders of models that match the pattern ``models`` (of two levels)."""
    found: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    for path in sorted(results.glob(f"{models}/fold_*/{checkpoint}")):
        parts, fold = path.parts[-3].split("__"), path.parts[-2].removeprefix("fold_")
        if len(parts) == 3 and (fold.isdecimal() or fold == _ALL):  # not a copy such as fold_0_old
            model, plans_name, configuration = parts
            folds = found.setdefault((path.parts[-4], model, plans_name), {})
            folds.setdefault(configuration, []).append(fold)
    for folder in _unreadable(results, models):
        text = f"{folder}: no permission to read; the trained models in it cannot be used"
        if not found:
            raise CheckpointError(text)
        print(text, file=sys.stderr)
    return [TrainedModel(results, *key, checkpoint, folds) for key, folds in sorted(found.items())]


def _unreadable(results: Path, models: str) -> list[Path]:
    """The unreadable folders of datasets, models and folds, in which a pattern finds nothing."""
    depths = (models.partition("/")[0], models, f"{models}/fold_*")
    folders = [results, *(folder for depth in depths for folder in results.glob(depth))]
    return [folder for folder in folders if not _may_be_read(folder)]


def _may_be_read(folder: Path) -> bool:
    try:
        os.scandir(folder).close()
    except PermissionError:
        return False
    except OSError:  # a file, or missing
        return True
    return True


def choose(
    trained: Sequence[TrainedModel],
    dataset: str | None = None,
    model: str | None = None,
    plans_name: str | None = None,
) -> TrainedModel:
    """The one trained model of a ``dataset`` (number or folder name), a method and plans; None: any.

    Raises CheckpointError that lists the trained models where none or several match.
    """
    if not trained:
        given = {"-d": dataset, "-m": model, "-p": plans_name}
        wanted = "".join(f" {option} {value}" for option, value in given.items() if value is not None)
        raise CheckpointError(
            f"no trained model{wanted and f' of{wanted}'} in {results_folder()}: it has none with this checkpoint; "
            "train one (ct2pet_train), change -chk, check ct2pet_results, or use the built-in model (--model box)"
        )
    fitting = matching(trained, dataset, model, plans_name)
    if len(fitting) > 1:
        raise CheckpointError(f"several trained models; choose one: {'; '.join(map(str, fitting))}")
    return fitting[0]


def matching(
    trained: Sequence[TrainedModel],
    dataset: str | None = None,
    model: str | None = None,
    plans_name: str | None = None,
) -> list[TrainedModel]:
    """All trained models of a dataset, a method and plans; None: any. Raises CheckpointError where there is none."""
    fitting = [
        one
        for one in trained
        if (dataset is None or _is_dataset(one.dataset_name, dataset))
        and model in (None, one.model)
        and plans_name in (None, one.plans_name)
    ]
    if not fitting:
        wanted = {"-d": dataset, "-m": model, "-p": plans_name}
        raise CheckpointError(f"{_unknown(trained, wanted)}; trained are: {'; '.join(map(str, trained)) or 'none'}")
    return fitting


def _unknown(trained: Sequence[TrainedModel], wanted: Mapping[str, str | None]) -> str:
    """The options that no trained model has, with the most similar known value of each."""
    known = {
        "-d": {one.dataset_name for one in trained},
        "-m": {one.model for one in trained},
        "-p": {one.plans_name for one in trained},
    }
    given = {option: value for option, value in wanted.items() if value is not None}
    missing = [
        f"{option} {value}{did_you_mean(value, sorted(known[option]))}"
        for option, value in given.items()
        if value not in known[option] and not (option == "-d" and any(_is_dataset(name, value) for name in known["-d"]))
    ]
    chosen = ", ".join(missing) or " ".join(f"{option} {value}" for option, value in given.items())
    return f"no trained model has {chosen}"


def _is_dataset(name: str, wanted: str) -> bool:
    return name == wanted or (wanted.isdecimal() and name.startswith(f"Dataset{int(wanted):03d}_"))


def load_trained(
    trained: TrainedModel, configurations: Sequence[str] | None = None, folds: Sequence[str] | None = None
) -> LoadedModel:
    """Read the checkpoints (see TrainedModel.checkpoints) and put their weights into models, on the CPU.

    Raises CheckpointError, naming the file, for checkpoints that are damaged, in the wrong folder, or do not belong
    together.
    """
    plans: Plans | None = None
    districts = []
    origins: dict[str, dict[str, dict[str, Any]]] = {}
    for name, paths in trained.checkpoints(configurations, folds).items():
        models: list[Method] = []
        origins[name] = {}
        for path in paths:
            content = load_checkpoint(path)
            origin = content.get("provenance")
            origins[name][path.parent.name] = origin if isinstance(origin, dict) else {}
            own = own_plans(content, path, trained.model, name)
            plans = own if plans is None else plans
            if own.districts != plans.districts:
                raise CheckpointError(f"{path}: trained with other districts than the others; choose with -c or -p")
            if models and own.configuration(name) != models[0].configuration:
                raise CheckpointError(f"{path}: trained with other plans than the other folds; choose with -f")
            models.append(_model(content, own, path))
        districts.append(DistrictModels(name, models[0].configuration, models))
    assert plans is not None
    _check_disjoint(districts)
    return LoadedModel(plans, districts, origins)


def own_plans(content: dict[str, Any], path: Path, model: str, configuration: str) -> Plans:
    """The plans in a checkpoint. Raises CheckpointError where it is of another method or configuration than its folder,
    PlansError where its plans cannot be read."""
    found = content.get("model_name"), content.get("configuration_name")
    if found != (model, configuration):
        raise CheckpointError(f"{path}: contains {found[0]} of {found[1]}, which does not match its folder's name")
    return Plans.from_json(content.get("plans", {}), str(path))


def _model(content: dict[str, Any], plans: Plans, path: Path) -> Method:
    model = build_method(content["model_name"], plans, content["configuration_name"], str(path))
    try:
        model.load_state_dict(content["model"])
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise CheckpointError(f"{path}: its weights do not fit the networks of its plans ({reason})") from None
    if not all(bool(torch.isfinite(weights).all()) for weights in model.state_dict().values()):
        raise CheckpointError(f"{path}: its weights contain NaN or infinity: the training failed; train again")
    return model


def _check_disjoint(districts: Sequence[DistrictModels]) -> None:
    owners: dict[int, str] = {}
    for district in districts:
        for label in district.configuration.labels:
            if label in owners:
                raise CheckpointError(f"{owners[label]} and {district.name} overlap; choose one of them (-c)")
            owners[label] = district.name
