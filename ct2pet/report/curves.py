"""Training logs for the plots of the report."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from ct2pet import layout
from ct2pet.errors import Ct2PetError
from ct2pet.files import reading

LOG = layout.TRAINING_LOG


def read_log(path: Path) -> list[dict[str, float]]:
    """The rows of a training_log.csv, without empty values. Raises Ct2PetError, naming the file, where it is missing,
    not readable, or not a training log."""
    try:
        with reading(path), Path(path).open(newline="", encoding="utf-8") as file:
            rows = [{name: float(text) for name, text in row.items() if text} for row in csv.DictReader(file)]
    except (ValueError, TypeError, AttributeError, csv.Error):  # of a text that is not UTF-8, a table or numbers
        raise Ct2PetError(f"{path}: cannot be read as a training log") from None
    if not all(math.isfinite(row.get("epoch", math.nan)) for row in rows):
        raise Ct2PetError(f"{path}: not a training log: a row has no epoch")
    return rows
