"""Training logs, as the report draws them."""

from __future__ import annotations

import csv
from pathlib import Path

from ct2pet.errors import Ct2PetError

LOG = "training_log.csv"


def read_log(path: Path) -> list[dict[str, float]]:
    """The rows of a training_log.csv, without what a row lacks. Raises Ct2PetError where it is no such log."""
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            rows = [{name: float(text) for name, text in row.items() if text} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, ValueError, TypeError, AttributeError, csv.Error):
        raise Ct2PetError(f"{path}: cannot be read as a training log") from None
    if any("epoch" not in row for row in rows):
        raise Ct2PetError(f"{path}: not a training log: a row without its epoch")
    return rows
