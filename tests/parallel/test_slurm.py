"""By stand-ins of SLURM's commands, which start each job as a process of this machine."""

import os
import signal
import stat
import sys
import time

import case_functions
import pytest

from ct2pet.errors import ClusterError
from ct2pet.parallel import map_cases
from ct2pet.parallel.cluster import on_cluster
from ct2pet.parallel.slurm import parse_settings, slurm_cluster

# SLURM copies a script before sbatch returns, because dask-jobqueue then removes the file.
SBATCH = """#!/bin/bash
if [ "$1" = --test-only ]; then exit 0; fi
cp "$1" "{folder}/../script-$$"
setsid bash "{folder}/../script-$$" > "{folder}/../output-$$" 2>&1 &
cp "{folder}/../script-$$" "{folder}/job-$!"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/bash
kill -- "-$1"
"""


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


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """The stand-ins on the path; the folder with the scripts of the jobs."""
    pytest.importorskip("dask_jobqueue")
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    for name, text in {"sbatch": SBATCH.format(folder=jobs), "scancel": SCANCEL}.items():
        (tmp_path / name).write_text(text)
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
    with slurm_cluster(settings) as cluster, on_cluster(cluster, wait_for_workers=True):
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


def test_jobs_that_slurm_refuses_are_one_line(commands):
    (commands.parent / "sbatch").write_text("#!/bin/bash\necho 'sbatch: error: no such partition' >&2\nexit 1\n")
    match = r"--slurm: SLURM refuses the jobs \(sbatch: error: no such partition\)$"
    with pytest.raises(ClusterError, match=match), slurm_cluster(["jobs=1", "cores=1", "memory=1GB"]):
        pass


def test_a_machine_without_slurm_is_one_line(commands):
    (commands.parent / "sbatch").unlink()
    match = r"--slurm: sbatch does not work here \(No such file or directory\)$"
    with pytest.raises(ClusterError, match=match), slurm_cluster(["jobs=1", "cores=1", "memory=1GB"]):
        pass
