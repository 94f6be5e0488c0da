"""Rows of text in columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Rows = Sequence[Sequence[str]]
_GAP = "  "


def aligned(rows: Rows, left: int = 1, width: int | None = None) -> str:
    """The rows in columns of one width, a line below the first row; the first ``left`` columns begin at the left, the
    numbers in the others end at the right.

    A table of lines with more than ``width`` characters becomes several, each with the first columns again. If there
    are two of these, a text in the first one becomes a line of its own, above its rows.
    """
    if width is None or _width(rows) <= width:
        return _table(rows, left)
    if left == 2:
        rows = list(_below_headings(rows))
    return "\n\n".join(_table(part, 1) for part in _parts(rows, width))


def _table(rows: Rows, left: int) -> str:
    widths = _widths(rows)
    lines = [
        _GAP.join([*map(str.ljust, row[:left], widths), *map(str.rjust, row[left:], widths[left:])]) for row in rows
    ]
    return "\n".join(line.rstrip() for line in (lines[0], "-" * len(lines[0]), *lines[1:]))


def _widths(rows: Rows) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows)]


def _width(rows: Rows) -> int:
    widths = _widths(rows)
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _below_headings(rows: Rows) -> Iterator[list[str]]:
    """The rows without their first column, the texts of which are rows of their own."""
    (caption, _, *header), *others = rows
    yield [caption, *header]
    for heading, title, *cells in others:
        if heading:
            yield [heading, *[""] * len(cells)]
        yield [f"{_GAP}{title}", *cells]


def _parts(rows: Rows, width: int) -> Iterator[Rows]:
    """The first column with as many of the others as fit into ``width``, at least one, until all have been taken."""
    widths, begin = _widths(rows), 1
    while begin < len(widths):
        end = begin + 1
        while end < len(widths) and widths[0] + sum(len(_GAP) + one for one in widths[begin : end + 1]) <= width:
            end += 1
        yield [[row[0], *row[begin:end]] for row in rows]
        begin = end
