"""The file names of predictions."""

from __future__ import annotations

from ct2pet.dataset.fields import Fields

NOT_PREDICTED = "not_predicted"  # folder of the maps of districts without a model
DISTRICT_MAPS = "districts"  # folder of the district maps made for the predictions


def prediction_name(case: str, target: str, fields: Fields) -> str:
    """The file name of a prediction without its ending: CASE, and CASE_TARGET where there are several targets."""
    return case if len(fields.targets) == 1 else f"{case}_{target}"
