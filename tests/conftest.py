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
from road import FOLDERS, MACHINE, USER, Road, walk, write_phantom


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
def walked(tmp_path_factory):
    """All commands, done once for all processes of pytest-xdist, and their exit codes. Read only; ``road_copy`` may be
    changed."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "walked"
    road, done = Road(folder), folder.with_name("walked.json")
    with FileLock(folder.with_name("walked.lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of another process that failed
            done.write_text(json.dumps(_exit_codes(road)))
    return road, json.loads(done.read_text())


def _exit_codes(road):
    with pytest.MonkeyPatch.context() as patch:
        road.enter(patch)
        patch.setattr(getpass, "getuser", lambda: USER)
        patch.setattr(socket, "gethostname", lambda: MACHINE)
        write_phantom(road)
        return walk(road)


@pytest.fixture
def road(walked, monkeypatch):
    """The road as it was gone; the commands work there. To look at, and to predict from into other folders."""
    walked[0].enter(monkeypatch)
    return walked[0]


@pytest.fixture
def road_copy(walked, tmp_path, monkeypatch):
    """A copy of the road's three folders, to be changed."""
    for kind in FOLDERS:
        shutil.copytree(walked[0].root / kind, tmp_path / kind)
    copy = Road(tmp_path)
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
