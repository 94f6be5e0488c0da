"""What several tests share and what takes long to make: made once."""

import getpass
import shutil
import socket

import pytest
from road import FOLDERS, MACHINE, USER, Road, walk, write_phantom


@pytest.fixture(scope="session", autouse=True)
def one_day():
    """No midnight between two runs whose bytes are compared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        yield


@pytest.fixture(scope="session")
def walked(tmp_path_factory):
    """The whole road, gone once, and the exit codes. To look at only; ``road_copy`` may be changed."""
    road = Road(tmp_path_factory.mktemp("road"))
    with pytest.MonkeyPatch.context() as patch:
        road.enter(patch)
        patch.setattr(getpass, "getuser", lambda: USER)
        patch.setattr(socket, "gethostname", lambda: MACHINE)
        write_phantom(road)
        codes = walk(road)
    return road, codes


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
