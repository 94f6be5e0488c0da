"""By stand-ins of SLURM's commands, which start each job as a process of this machine."""

import importlib.util
import os
import re
import signal
import stat
import subprocess
import sys
import time

import case_functions
import dask
import pytest

from ct2pet.errors import ClusterError
from ct2pet.parallel import cluster, map_cases
from ct2pet.parallel.cluster import on_cluster
from ct2pet.parallel.slurm import parse_settings, slurm_cluster

# SLURM copies a script before sbatch returns, because dask-jobqueue then removes the file.
SBATCH = """#!/bin/bash
cp "$1" "{folder}/../script-$$"
setsid bash -c 'bash "$0" > "slurm-$$.out" 2>&1; touch "ended-$$"' "{folder}/../script-$$" > /dev/null 2>&1 &
cp "{folder}/../script-$$" "{folder}/job-$!"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/bash
kill -- "-$1"
"""
SQUEUE = """#!/bin/bash
for job in "{folder}"/job-*; do
    if [ ! -e "ended-${{job##*-}}" ]; then echo "${{job##*-}}"; fi
done
"""
ONE_JOB = ["jobs=1", "cores=1", "memory=1GB"]


def test_settings_become_arguments_of_dask_jobqueue():
    settings = ["jobs=20", "cores=4", "memory=16GB", "walltime=04:00:00"]
    settings += ["directive=--gres=gpu:1", "directive=--exclusive"]
    jobs, options = parse_settings(settings)
    assert jobs == 20
    assert options == {
        **{"cores": 4, "memory": "16GB", "walltime": "04:00:00"},
        "job_extra_directives": ["--gres=gpu:1", "--exclusive"],
    }


@pytest.mark.parametrize("setting", ["jobs", "jobs=", "nodes=2", "jobs=0", "cores=-1", "jobs=two", "jobs=99999999999"])
def test_an_invalid_setting_is_one_error_line(setting):
    with pytest.raises(ClusterError, match=f"--slurm {setting}"):
        parse_settings([setting])


def test_dask_jobqueue_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(ClusterError, match="dask_jobqueue is not installed: pip install"), slurm_cluster(["jobs=2"]):
        pass


def needs_dask_jobqueue():
    """As pytest.importorskip, but the handler of SIGINT stays."""
    if importlib.util.find_spec("dask_jobqueue") is None:
        pytest.skip("dask_jobqueue is not installed")
    cluster.imported("dask_jobqueue")  # adds its configuration to Dask's, which dask.config.set would remove again


def test_the_import_of_dask_jobqueue_keeps_the_handler_of_sigint():
    needs_dask_jobqueue()
    script = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
import ct2pet.parallel.slurm_jobs
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    subprocess.run([sys.executable, "-c", script], check=True)  # a process that has not imported it


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """The stand-ins on the path; the folder with the scripts of the jobs."""
    needs_dask_jobqueue()
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    for name, text in {"sbatch": SBATCH, "scancel": SCANCEL, "squeue": SQUEUE}.items():
        (tmp_path / name).write_text(text.format(folder=jobs))
        (tmp_path / name).chmod(stat.S_IRWXU)
    helpers = os.path.dirname(case_functions.__file__)
    root = os.path.dirname(os.path.dirname(helpers))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, helpers, os.environ.get("PYTHONPATH", "")]))
    monkeypatch.chdir(tmp_path)
    yield jobs
    for job in jobs.iterdir():
        try:
            os.killpg(int(job.name.removeprefix("job-")), signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_cases_are_computed_in_jobs_that_end_with_the_command(commands):
    settings = ["jobs=2", "cores=1", "memory=1GB", "walltime=00:10:00", "directive=--comment=PET"]
    with slurm_cluster(settings) as (dask_cluster, check_jobs), on_cluster(dask_cluster, check_jobs=check_jobs):
        values = map_cases(case_functions.slow_process_number, {str(n): (n,) for n in range(6)}).values
    assert len(values) == 6
    assert os.getpid() not in values.values()
    scripts = [path.read_text() for path in commands.iterdir()]
    assert len(scripts) == 2
    for script in scripts:
        assert "#SBATCH --comment=PET" in script
        assert "#SBATCH -t 00:10:00" in script
        assert sys.executable in script
    deadline = time.monotonic() + 30
    jobs = [int(path.name.removeprefix("job-")) for path in commands.iterdir()]
    while any(map(is_running, jobs)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, jobs))


def is_running(job):
    try:
        os.killpg(job, 0)
    except ProcessLookupError:
        return False
    return True


def test_jobs_that_all_end_without_a_worker_are_one_line_with_their_output(commands, monkeypatch):
    monkeypatch.setattr(cluster, "_SECONDS_BETWEEN_CHECKS", 0.2)
    prologue = {"jobqueue.slurm.job-script-prologue": ["echo 'No module named ct2pet' >&2", "exit 1"]}
    match = r"--slurm: all jobs \(1\) have ended .* is (.*), which ends with: No module named ct2pet$"
    with (
        dask.config.set(prologue),
        pytest.raises(ClusterError, match=match) as raised,
        slurm_cluster(ONE_JOB) as (dask_cluster, check_jobs),
        on_cluster(dask_cluster, check_jobs=check_jobs),
    ):
        pass
    (job,) = commands.iterdir()
    number = job.name.removeprefix("job-")
    assert re.search(match, str(raised.value))[1] == str(commands.parent / f"slurm-{number}.out")


def test_a_job_that_slurm_refuses_is_named_and_the_others_are_used(commands, capsys):
    """Many clusters limit how many jobs a user may submit."""
    first, others = (commands.parent / "sbatch").read_text().split("\n", 1)
    limit = 'mkdir once 2> /dev/null || { echo "sbatch: error: job limit" >&2; exit 1; }'
    (commands.parent / "sbatch").write_text(f"{first}\n{limit}\n{others}")
    with slurm_cluster(["jobs=3", *ONE_JOB[1:]]):
        assert len([*commands.iterdir()]) == 1
    reason = "2 of 3 jobs were not submitted: SLURM refuses the jobs (sbatch: error: job limit)"
    assert capsys.readouterr().err == f"warning: --slurm: {reason}\n"


def test_jobs_that_slurm_refuses_are_one_line(commands):
    (commands.parent / "sbatch").write_text("#!/bin/bash\necho 'sbatch: error: no such partition' >&2\nexit 1\n")
    match = r"--slurm: SLURM refuses the jobs \(sbatch: error: no such partition\)$"
    with pytest.raises(ClusterError, match=match), slurm_cluster(ONE_JOB):
        pass


def test_a_machine_without_slurm_is_one_line(commands):
    (commands.parent / "sbatch").unlink()
    match = r"--slurm: sbatch does not work here \(No such file or directory\)$"
    with pytest.raises(ClusterError, match=match), slurm_cluster(ONE_JOB):
        pass
