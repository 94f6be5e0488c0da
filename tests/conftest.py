"""What several tests share and what takes long to make: made once."""

import getpass
import json
import os
import shutil
import socket

import pytest
from browser import browser
from filelock import FileLock
from raw_cases import case_volumes, write_raw
from whole_pipeline import FOLDERS, MACHINE, NAME, USER, Pipeline, run_all, write_phantom


@pytest.fixture(scope="session", autouse=True)
def one_day():
    """No midnight between two runs whose bytes are compared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        yield


@pytest.fixture(scope="session", autouse=True)
def few_plots():
    """One metric and one quantity stand for all plots of a report, which take long to draw."""
    from ct2pet.report import sections

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "BOX_METRICS", ("mae",))
        patch.setattr(sections, "AGREEMENT_QUANTITIES", ("suv_mean",))
        yield


@pytest.fixture(scope="session")
def chromium():
    """One browser for all pages: its driver cannot be started twice in a process."""
    with browser() as found:
        yield found


@pytest.fixture(scope="session")
def finished_pipeline(tmp_path_factory):
    """The folders of all commands and their exit codes: run once for all processes of pytest-xdist, each of which has a
    copy. Read only; ``pipeline_copy`` may be changed."""
    base, worker = tmp_path_factory.getbasetemp(), os.environ.get("PYTEST_XDIST_WORKER")
    shared = (base.parent if worker else base) / "pipelines" / NAME
    done = shared.with_name("exit_codes.json")
    shared.parent.mkdir(exist_ok=True)
    with FileLock(shared.with_name("lock")):
        if not done.exists():
            shutil.rmtree(shared, ignore_errors=True)  # of another process that failed
            done.write_text(json.dumps(_exit_codes(Pipeline(shared))))
    own = Pipeline(shared.with_name(f"{NAME}_{worker}"))
    shutil.copytree(shared, own.root)
    return own, json.loads(done.read_text())


def _exit_codes(pipeline):
    with pytest.MonkeyPatch.context() as patch:
        pipeline.enter(patch)
        patch.setattr(getpass, "getuser", lambda: USER)
        patch.setattr(socket, "gethostname", lambda: MACHINE)
        write_phantom(pipeline)
        return run_all(pipeline)


@pytest.fixture
def pipeline(finished_pipeline, monkeypatch):
    """The finished pipeline, in whose folders the commands work. Read only; predictions go into other folders."""
    finished_pipeline[0].enter(monkeypatch)
    return finished_pipeline[0]


@pytest.fixture
def pipeline_copy(finished_pipeline, tmp_path, monkeypatch):
    """A copy of the three folders of the finished pipeline, to be changed."""
    for kind in FOLDERS:
        shutil.copytree(finished_pipeline[0].root / kind, tmp_path / kind)
    copy = Pipeline(tmp_path)
    copy.enter(monkeypatch)
    return copy


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Three cases, ready for training. The district low is in the first two only."""
    from ct2pet.api.planning import plan_and_preprocess  # torch, which most tests do not need

    root = tmp_path_factory.mktemp("prepared")
    cases = {f"case{number}": case_volumes(number) for number in range(3)}
    array = cases["case2"]["district_map"].array
    array[array == 1] = 0
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("raw", "preprocessed"):
            patch.setenv(f"ct2pet_{kind}", str(root / kind))
        write_raw(root / "raw", cases)
        plan_and_preprocess("901", num_processes=1, device="cpu", gpu_memory_target=0.5)
    return root / "preprocessed"


@pytest.fixture
def results(prepared, tmp_path, monkeypatch):
    """The results of the prepared dataset, empty; commands read and write there."""
    monkeypatch.setenv("ct2pet_preprocessed", str(prepared))
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "results"))
    return tmp_path / "results" / "Dataset901_Hand"
