import pytest

from ct2pet.training import log


@pytest.fixture(scope="module")
def without_pictures():
    """Trainings draw no progress.png: that takes most of the time of a short one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "_plot", lambda rows, monitor, path: path.write_bytes(b""))
        yield
