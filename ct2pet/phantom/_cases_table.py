"""cases.csv of the phantom's datasets."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from ct2pet.files import atomic_path


def write_cases_table(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows that all have the columns of the first one, atomically."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
