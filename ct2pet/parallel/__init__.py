"""Many cases, several processes or machines, one progress bar: what fails is named, and the others go on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from ct2pet.console import progress
from ct2pet.parallel.cluster import current_cluster
from ct2pet.parallel.guard import end_if_unguarded
from ct2pet.parallel.memory import available_memory_gib, default_processes, processes_that_fit
from ct2pet.parallel.outcomes import CaseResults, outcome_of

__all__ = [
    "CaseResults",
    "available_memory_gib",
    "default_processes",
    "end_if_unguarded",
    "map_cases",
    "map_cases_on",
]


def map_cases(
    function: Callable[..., Any],
    cases: Mapping[str, tuple],
    *,
    num_processes: int = 1,
    memory_per_process_gib: float = 0.0,
    description: str = "",
) -> CaseResults:
    """Call ``function(*arguments)`` for every case of ``{case: arguments}``, ``num_processes`` at a time.

    Fewer processes run where ``memory_per_process_gib`` says that more would not fit into the free memory; one always
    runs. With one process everything happens in the caller's. A case that raises is recorded and the others go on; so
    is a case whose process dies (out of memory). An interruption ends all processes at once and is passed on.

    Inside a block of ``ct2pet.parallel.cluster.on_cluster`` the workers of that cluster compute instead.
    """
    cluster = current_cluster()
    if cluster is not None:
        outcomes = cluster.outcomes(function, cases)
    else:
        num_processes = processes_that_fit(min(num_processes, len(cases)), memory_per_process_gib)
        outcomes = _in_processes(function, cases, [()] * num_processes) if num_processes > 1 else _here(function, cases)
    return _collected(outcomes, len(cases), description)


def map_cases_on(function: Callable[..., Any], cases: Mapping[str, tuple], places: Sequence[Any]) -> CaseResults:
    """As map_cases, with one process at a time for each of ``places`` (devices, say): ``function(place, *arguments)``.

    Whichever place is free takes the next case, in a process that is new for it and leaves nothing on the place.
    """
    outcomes = _in_processes(function, cases, [(place,) for place in places], one_case_each=True)
    return _collected(outcomes, len(cases), "")


def _collected(outcomes: Generator[tuple[str, Any], None, None], num_cases: int, description: str) -> CaseResults:
    results = CaseResults()
    with progress(description, num_cases, shown=bool(description)) as bar, contextlib.closing(outcomes):
        for case, outcome in outcomes:
            results.record(case, outcome)
            bar.advance()
    return results


def _in_processes(
    function: Callable, cases: Mapping[str, tuple], places: Sequence[tuple], one_case_each: bool = False
) -> Generator[tuple[str, Any], None, None]:
    from ct2pet.parallel.processes import in_processes  # pebble is needed for several processes alone

    return in_processes(function, cases, places, one_case_each)


def _here(function: Callable, cases: Mapping[str, tuple]) -> Generator[tuple[str, Any], None, None]:
    for case, arguments in cases.items():
        yield case, outcome_of(function, arguments)
