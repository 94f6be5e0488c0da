"""The three folders of ct2pet, set by environment variables as in nnU-Net."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

from ct2pet.errors import Ct2PetError


def raw_folder() -> Path:
    """The folder of raw datasets: ``$ct2pet_raw``, or ~/ct2pet/raw."""
    return _folder("raw")


def preprocessed_folder() -> Path:
    """The folder of plans and preprocessed data: ``$ct2pet_preprocessed``, or ~/ct2pet/preprocessed."""
    return _folder("preprocessed")


def results_folder() -> Path:
    """The folder of trained models: ``$ct2pet_results``, or ~/ct2pet/results."""
    return _folder("results")


def _folder(kind: str) -> Path:
    variable = f"ct2pet_{kind}"
    value = os.environ.get(variable)
    if value:
        return Path(value).expanduser()
    try:
        folder = Path.home() / "ct2pet" / kind
    except RuntimeError:
        raise Ct2PetError(f"{variable} is not set, and this user has no home folder; set it") from None
    _say_once(f"{variable} is not set: {folder} is used")
    return folder


@cache
def _say_once(message: str) -> None:
    print(message, file=sys.stderr)
