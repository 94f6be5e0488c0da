"""A Dask cluster whose workers are SLURM jobs, by dask-jobqueue."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from ct2pet.errors import ClusterError
from ct2pet.parallel.cluster import imported

_KEYS = ("jobs", "cores", "memory", "walltime", "queue", "account")
_DIRECTIVE = "directive"
_MOST_JOBS = 10_000


@contextlib.contextmanager
def slurm_cluster(settings: Sequence[str]) -> Iterator[Any]:
    """Inside the block SLURM jobs with a worker each are queued; yields the cluster object of Dask.

    ``settings``: KEY=VALUE with the keys jobs, cores, memory, walltime, queue, account, and directive, which may be
    repeated and is passed to sbatch as it is. What is not given comes from dask-jobqueue's configuration
    (~/.config/dask/jobqueue.yaml). The jobs are cancelled after the block. Raises ClusterError for other settings,
    where dask-jobqueue is not installed, and where sbatch does not work.
    """
    jobs, options = parse_settings(settings)
    jobqueue = imported("dask_jobqueue")
    try:
        cluster = jobqueue.SLURMCluster(
            processes=1, python=sys.executable, worker_extra_args=["--nthreads", "1"], **options
        )
    except (ValueError, TypeError, OSError) as error:
        raise ClusterError(f"--slurm: {error}") from None
    with cluster:
        _try(cluster.job_script())
        cluster.scale(jobs=jobs)
        yield cluster


def _try(script: str) -> None:
    """Let SLURM look at a job's script. Raises ClusterError where it would not queue it."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script)
        file.flush()
        try:
            tried = subprocess.run(["sbatch", "--test-only", file.name], capture_output=True, text=True, check=False)
        except OSError as error:
            raise ClusterError(f"--slurm: sbatch does not work here ({error.strerror})") from None
    if tried.returncode:
        said = (tried.stderr.strip() or f"exit code {tried.returncode}").splitlines()[-1]
        raise ClusterError(f"--slurm: SLURM refuses the jobs ({said})")


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
