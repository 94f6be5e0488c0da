"""ct2pet: configures itself for a dataset of paired CT and PET, and translates whole-body CT into FDG-PET.

``from ct2pet import convert_dicom, plan_and_preprocess, train, predict, evaluate`` gives the commands as functions,
loaded at first use, so that ``import ct2pet`` is instant.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_FUNCTIONS = {
    "convert_dicom": "ct2pet.conversion",
    "segment_districts": "ct2pet.api.segmentation",
    "plan_and_preprocess": "ct2pet.api.planning",
    "train": "ct2pet.api.training",
    "predict": "ct2pet.api.prediction",
    "evaluate": "ct2pet.api.evaluation",
}
__all__ = ["__version__", *_FUNCTIONS]


def __getattr__(name: str) -> Any:
    if name not in _FUNCTIONS:
        raise AttributeError(f"module 'ct2pet' has no attribute {name!r}")
    return getattr(importlib.import_module(_FUNCTIONS[name]), name)
