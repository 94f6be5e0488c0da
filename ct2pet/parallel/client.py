"""The connection to a Dask scheduler that has other clients, too."""

from __future__ import annotations

from typing import Any

from distributed import Client

_ATTEMPTS = 10


class _Client(Client):
    """A Client that is closed when it does not start. One that is left open delays those that start later."""

    def start(self, **options: Any) -> None:
        try:
            super().start(**options)
        except Exception:
            self.close()
            raise


def connected(address: str | Any, seconds: float) -> Client:
    """A Client of a scheduler (its address, or a cluster object of Dask). Raises OSError where none answers within
    ``seconds``.

    The scheduler notifies all its clients when one of them cancels tasks. A Client that receives this message before it
    has started raises AssertionError, because it expects a single message: it is then started again.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _Client(address, timeout=seconds, set_as_default=False)
        except AssertionError:
            continue
    raise OSError("other clients disturb the connection")
