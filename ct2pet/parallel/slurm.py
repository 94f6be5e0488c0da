"""A Dask cluster whose workers are SLURM jobs, by dask-jobqueue."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ct2pet.errors import ClusterError
from ct2pet.parallel.cluster import imported

_KEYS = ("jobs", "cores", "memory", "walltime", "queue", "account")
_DIRECTIVE = "directive"
_MOST_JOBS = 10_000
_SECONDS_BETWEEN_LOOKS = 0.1


@contextlib.contextmanager
def slurm_cluster(settings: Sequence[str]) -> Iterator[tuple[Any, Callable[[], None]]]:
    """Inside the block SLURM jobs with a worker each are queued; yields the cluster object of Dask, and what raises
    ClusterError where all jobs have ended (see on_cluster).

    ``settings``: KEY=VALUE with the keys jobs, cores, memory, walltime, queue, account, and directive, which may be
    repeated and is passed to sbatch as it is. What is not given comes from dask-jobqueue's configuration
    (~/.config/dask/jobqueue.yaml). The jobs are cancelled after the block. Prints where SLURM refuses some of the jobs.
    Raises ClusterError for other settings, where dask-jobqueue is not installed, and where no job can be submitted.
    """
    jobs, options = parse_settings(settings)
    jobqueue = imported("dask_jobqueue")
    from ct2pet.parallel.slurm_jobs import Job, Submissions

    submissions = Submissions()
    options |= {"processes": 1, "python": sys.executable, "worker_extra_args": ["--nthreads", "1"]}
    try:
        cluster = jobqueue.SLURMCluster(job_cls=Job, submissions=submissions, **options)
    except (ValueError, TypeError, OSError) as error:
        raise ClusterError(f"--slurm: {error}") from None
    with cluster:
        cluster.scale(jobs=jobs)
        while len(submissions) < jobs:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        if not submissions.numbers:
            raise ClusterError(f"--slurm: {submissions.refusals[0]}")
        if submissions.refusals:
            refused = f"{len(submissions.refusals)} of {jobs} jobs were not submitted"
            print(f"warning: --slurm: {refused}: {submissions.refusals[0]}", file=sys.stderr)
        yield cluster, lambda: submissions.check(cluster.job_script())


def parse_settings(settings: Sequence[str]) -> tuple[int, dict[str, Any]]:
    """The number of jobs, and the arguments of SLURMCluster. Raises ClusterError where a setting is none."""
    options: dict[str, Any] = {}
    directives = []
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not value or key not in (*_KEYS, _DIRECTIVE):
            raise ClusterError(f"--slurm {setting}: expected KEY=VALUE with one of {', '.join((*_KEYS, _DIRECTIVE))}")
        if key == _DIRECTIVE:
            directives.append(value)
        else:
            options[key] = _whole_number(key, value) if key in ("jobs", "cores") else value
    if directives:
        options["job_extra_directives"] = directives
    return options.pop("jobs", 1), options


def _whole_number(key: str, text: str) -> int:
    value = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    if not 1 <= value <= _MOST_JOBS:
        raise ClusterError(f"--slurm {key}={text}: expected a whole number from 1 to {_MOST_JOBS}")
    return value
