"""The most similar known name for an unknown one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LEAST_LIKENESS = 0.6


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` for the most similar of the ``known`` names (difflib), without case and dashes; empty where
    none is similar."""
    names = {_plain(name): name for name in known}
    found = difflib.get_close_matches(_plain(word), names, n=1, cutoff=_LEAST_LIKENESS)
    return f"; did you mean {names[found[0]]}?" if found else ""


def _plain(word: str) -> str:
    return word.lower().lstrip("-").replace("-", "_")
