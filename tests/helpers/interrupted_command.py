"""A command for tests of signals: python interrupted_command.py WORK. It says when the work begins."""

import contextlib
import sys
import time
import weakref

from ct2pet.cli.command import command

LONGEST = 60.0  # seconds, after which the work ends by itself and the signal was lost


class Finalized:
    """An object whose finalizer takes longer than the rest of its life."""

    def __del__(self):
        sum(number**2 for number in range(100))


class Referent:
    pass


def use_weak_reference():
    referent = Referent()
    reference = weakref.ref(referent, lambda _: sum(number**2 for number in range(100)))
    del referent
    return reference


def catch_everything():
    with contextlib.suppress(BaseException):
        sum(number**2 for number in range(100))


WORK = {"finalizers": Finalized, "callbacks": use_weak_reference, "catching": catch_everything}


def add_arguments(parser):
    parser.add_argument("work", choices=sorted(WORK))


def execute(arguments):
    print("working", flush=True)
    begin = time.monotonic()
    while time.monotonic() - begin < LONGEST:
        WORK[arguments.work]()


main = command("interrupted", "Work that drops exceptions.", add_arguments, execute)

if __name__ == "__main__":
    sys.exit(main())
