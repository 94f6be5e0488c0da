"""A user without rights, for tests that the superuser runs, too."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest

_NOBODY = 65534


@pytest.fixture
def open_folder():
    """A folder that every user may enter: those of pytest are its own user's alone."""
    folder = Path(tempfile.mkdtemp(prefix="ct2pet-", dir="/tmp")).resolve()
    folder.chmod(0o755)
    yield folder
    for path, folders, _ in os.walk(folder):
        for name in folders:
            Path(path, name).chmod(0o700)
    shutil.rmtree(folder)


@contextlib.contextmanager
def without_superuser():
    """Inside the block the rights of files hold for this process, whoever runs it."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
