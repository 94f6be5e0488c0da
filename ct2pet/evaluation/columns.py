"""Rows of text in columns."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """The rows in columns of one width, a line below the first row; the first ``left`` columns begin at the left, the
    numbers in the others end at the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        "  ".join([*map(str.ljust, row[:left], widths), *map(str.rjust, row[left:], widths[left:])]) for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
