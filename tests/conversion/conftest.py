"""Where the datasets of these tests lie."""

import pytest


@pytest.fixture
def raw(tmp_path, monkeypatch):
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    return tmp_path / "raw"
