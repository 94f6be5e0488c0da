"""Real slices of the studies' tests, made once."""

import pytest
from disc_slices import disc_slices


@pytest.fixture(scope="session")
def training():
    return disc_slices(40, seed=1)


@pytest.fixture(scope="session")
def validation():
    return disc_slices(12, seed=2, first=100)


@pytest.fixture(scope="session")
def tested():
    return disc_slices(60, seed=3, first=200)
