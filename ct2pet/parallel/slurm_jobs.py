"""The jobs of a Dask cluster by dask-jobqueue: what SLURM answered, and whether they are still in its queue."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distributed.core import Status

from ct2pet.errors import ClusterError
from ct2pet.parallel.cluster import imported

_STANDARD_OUTPUT = "slurm-%j.out"  # sbatch's, where a script names no file
_OUTPUTS = ("-e|--error", "-o|--output")  # the directives that name a file, the one with error messages first


@dataclass
class Submissions:
    """The ``numbers`` of the jobs that SLURM has accepted, and its ``refusals`` of others (one line each)."""

    numbers: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers) + len(self.refusals)

    def check(self, script: str) -> None:
        """Raises ClusterError, which names the output of one of the jobs (``script``), where no job waits or runs."""
        queue = _queue()
        if queue is None or not queue.isdisjoint(self.numbers):
            return
        output = _output(script, self.numbers[-1])
        ending = _last_line(output)
        raise ClusterError(
            f"--slurm: all jobs ({len(self.numbers)}) have ended and no worker is left; what is finished stays. "
            f"The output of the last job is {output}" + (f", which ends with: {ending}" if ending else "")
        )


class Job(imported("dask_jobqueue").slurm.SLURMJob):  # type: ignore[misc]
    """A job that adds its number, or why SLURM refused it, to ``submissions``; a refusal is no error for Dask."""

    def __init__(self, *arguments: Any, submissions: Submissions, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._submissions = submissions

    async def start(self) -> None:
        try:
            await super().start()
            self._submissions.numbers.append(str(self.job_id))
        except OSError as error:
            self._refused(f"sbatch does not work here ({error.strerror})")
        except (RuntimeError, ValueError) as error:
            self._refused(f"SLURM refuses the jobs ({_reason(str(error))})")

    def _refused(self, reason: str) -> None:
        self._submissions.refusals.append(reason)
        self.status = Status.running  # Dask expects it of each job, and without it does not close the cluster

    async def close(self) -> None:
        await super().close()
        self.status = Status.closed  # as above


def _reason(error: str) -> str:
    """The last line that sbatch wrote to stderr, from dask-jobqueue's description of a command that failed."""
    lines = [line for line in error.splitlines() if line.strip()]
    return lines[-1] if lines[-1] != "stderr:" else lines[1]


def _queue() -> set[str] | None:
    """The numbers of this user's jobs that wait or run; None where squeue does not work."""
    try:
        command = ["squeue", "--me", "--noheader", "--format=%A"]
        listed = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return None if listed.returncode else set(listed.stdout.split())


def _output(script: str, number: str) -> Path:
    """The file of the standard error of a job, which is also that of its standard output where it names no other."""
    named = [re.findall(rf"^#SBATCH +(?:{option})[ =]?(\S+)", script, re.MULTILINE) for option in _OUTPUTS]
    pattern = next((files[-1] for files in named if files), _STANDARD_OUTPUT)
    return Path(pattern.replace("%J", number).replace("%j", number)).absolute()


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(errors="replace").split("\n")
    except OSError:
        return ""  # not written yet, or on another machine
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
