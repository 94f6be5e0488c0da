"""The provenance of evaluated predictions: their prediction.json, and the training cases of the networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ct2pet.errors import Ct2PetError
from ct2pet.files import read_json
from ct2pet.provenance import PREDICTION_FILE, cases_among, this_run

EVALUATED_TRAINING_CASES = "evaluated_training_cases"


def origin_of(predictions: Path, dataset_name: str, cases: Iterable[str]) -> dict[str, Any]:
    """For the provenance of a summary: ``run`` (this one), ``dataset_name``, ``prediction`` (the content of
    prediction.json in the folder of the predictions; None without it), and ``evaluated_training_cases``: those of
    ``cases`` that are training cases of a network; None where unknown. ``dataset_name`` is empty without a dataset."""
    prediction = _prediction(predictions) or {}
    trained_with = prediction.pop("training_cases", None)
    known = isinstance(trained_with, str) and dataset_name
    return {
        "run": this_run(device="cpu"),
        "dataset_name": dataset_name or None,
        "prediction": prediction or None,
        EVALUATED_TRAINING_CASES: cases_among(trained_with, dataset_name, cases) if known else None,
    }


def predicted_again(predictions: Path, provenance: Mapping[str, Any]) -> bool:
    """Whether the prediction.json of a folder is another one than that in the ``provenance`` of a summary; False where
    one of them has none to compare."""
    now = _prediction(predictions)
    if now is None or "prediction" not in provenance:
        return False
    now.pop("training_cases", None)
    return (now or None) != provenance["prediction"]


def _prediction(folder: Path) -> dict[str, Any] | None:
    """None for predictions of another program."""
    try:
        content = read_json(Path(folder) / PREDICTION_FILE)
    except Ct2PetError:
        return None
    return dict(content) if isinstance(content, dict) else None
