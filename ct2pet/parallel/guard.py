"""Scripts that call ct2pet without a guard: their processes must not do the script's work again."""

from __future__ import annotations

import inspect
import os

UNGUARDED = 86  # the exit code of a process whose script calls ct2pet while it is imported
REMEDY = (
    'a script that calls ct2pet must do so below `if __name__ == "__main__":`, because its processes import the '
    "script; indent the calls below this line"
)


def end_if_unguarded() -> None:
    """End this process where it is a worker that is still importing the main script.

    A worker of multiprocessing (spawn) imports the script that started it. A script that calls ct2pet outside of
    ``if __name__ == "__main__":`` would do all of its work again there. The process ends silently, with an exit code by
    which its parent says what is wrong with the script.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == "__mp_main__" and frame.f_code.co_name == "<module>":
            os._exit(UNGUARDED)
        frame = frame.f_back
