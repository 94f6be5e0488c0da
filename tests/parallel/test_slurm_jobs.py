import importlib.util
import stat

import pytest

from ct2pet.errors import ClusterError

if importlib.util.find_spec("dask_jobqueue") is None:
    pytest.skip("dask_jobqueue is not installed", allow_module_level=True)
from ct2pet.parallel import slurm_jobs


@pytest.fixture
def submissions(tmp_path, monkeypatch):
    """Two jobs, submitted from an empty folder that is the only one of the path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return slurm_jobs.Submissions(numbers=["41", "42"])


def squeue(folder, script):
    path = folder / "squeue"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(stat.S_IRWXU)


@pytest.mark.parametrize("script", ["echo 7; echo 41", "echo 42", "echo unreachable >&2; exit 1", None])
def test_nothing_is_raised_while_a_job_waits_or_runs_or_squeue_does_not_work(submissions, tmp_path, script):
    if script is not None:
        squeue(tmp_path, script)
    submissions.check("")


@pytest.mark.parametrize(
    ("directives", "file"),
    [
        ([], "slurm-42.out"),
        (["-o logs/%j.txt"], "logs/42.txt"),
        (["-e logs/dask-worker-%J.err", "-o logs/dask-worker-%J.out"], "logs/dask-worker-42.err"),
        (["--output=all-%j", "--gres=gpu:1"], "all-42"),
    ],
)
def test_jobs_that_have_ended_are_one_line_with_the_file_of_their_output(submissions, tmp_path, directives, file):
    squeue(tmp_path, "echo 7")
    script = "\n".join(["#!/usr/bin/env bash", *(f"#SBATCH {directive}" for directive in directives), "python"])
    with pytest.raises(ClusterError) as raised:
        submissions.check(script)
    said = "--slurm: all jobs (2) have ended and no worker is left; what is finished stays. The output of the last job"
    assert str(raised.value) == f"{said} is {tmp_path / file}"
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("starts\n  CANCELLED DUE TO TIME LIMIT \n\n")
    with pytest.raises(ClusterError) as raised:
        submissions.check(script)
    assert str(raised.value) == f"{said} is {tmp_path / file}, which ends with: CANCELLED DUE TO TIME LIMIT"
