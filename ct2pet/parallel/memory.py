"""The cores and the memory that this process may use."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

_GIB = 2.0**30


def default_processes() -> int:
    """As many processes as there are cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory_gib() -> float:
    """Memory (GiB) that may still be used: the system's, or what the control groups (container, job) leave."""
    available = psutil.virtual_memory().available
    with contextlib.suppress(OSError):  # not Linux
        membership = Path("/proc/self/cgroup").read_text(encoding="utf-8")
        available = min([available, *_left_by_control_groups(membership, Path("/sys/fs/cgroup"))])
    return max(0, available) / _GIB


def processes_that_fit(num_processes: int, memory_per_process_gib: float) -> int:
    """``num_processes``, or fewer where more do not fit into the free memory; at least one."""
    if memory_per_process_gib > 0:
        num_processes = min(num_processes, int(available_memory_gib() / memory_per_process_gib))
    return max(1, num_processes)


def _left_by_control_groups(membership: str, root: Path) -> Iterator[int]:
    """Bytes that each limiting control group leaves; ``membership`` is /proc/self/cgroup. Caches of files count as
    free, because the kernel drops them before it refuses memory."""
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            folder, names = root, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):  # version 1
            folder = root / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = Path(path)
        for part in (group, *group.parents):
            with contextlib.suppress(OSError, ValueError, KeyError):  # not visible from here, or no limit ("max")
                yield _left_by_one(folder / part.relative_to("/"), *names)


def _left_by_one(folder: Path, limit: str, used: str, cache: str) -> int:
    statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    return int((folder / limit).read_text()) - int((folder / used).read_text()) + int(statistics[cache])
