"""A disk that is full, for this process."""

import contextlib

import pytest

resource = pytest.importorskip("resource", reason="this system cannot limit the size of files")


@contextlib.contextmanager
def file_size_limit(size):
    """Inside the block the system lets this process write no file beyond ``size`` bytes, as a full disk would not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
