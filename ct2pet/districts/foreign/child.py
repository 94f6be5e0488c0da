"""What runs in the process of a foreign segmenter: it answers one request, without a network, and ends with us."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

REQUEST, REPLY = "request.json", "reply.json"

_NO_NETWORK = "no network here: "


def answer(segment: Callable[[Path, dict[str, Any]], dict[str, Any]]) -> None:
    """The main function of a runner: ``segment`` gets the folder that is named on the command line and the request
    in it, and what it returns becomes the reply. An error becomes a reply of one line, and exit code 1."""
    folder = Path(sys.argv[1])
    _end_with_parent()
    try:
        reply = segment(folder, json.loads((folder / REQUEST).read_text(encoding="utf-8")))
    except Exception as error:
        traceback.print_exc()
        reply = {"error": _one_line(error)}
    (folder / REPLY).write_text(json.dumps(reply), encoding="utf-8")
    sys.stdout.flush()
    sys.exit("error" in reply)


def refuse_network() -> None:
    """From here on this process connects to no other machine. Its workers call this too, when they import the runner.

    Packages fetch weights and send statistics without asking; who uses ct2pet decides about that, not they.
    """
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple) -> None:
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        target = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):  # a str or bytes is a socket of this machine
        target = arguments[1][0]
    else:
        return
    raise PermissionError(f"{_NO_NETWORK}{target}")


def link_weights(folders: Mapping[str, str], target: Path) -> None:
    """Make ``target``/NAME with the content of each folder {name: folder}, as links.

    A package that deletes weights there, or adds files, changes nothing in the folder that the user keeps.
    """
    for name, folder in folders.items():
        (target / name).mkdir(parents=True)
        for item in Path(folder).iterdir():
            place = target / name / item.name
            try:
                place.symlink_to(item.resolve(), target_is_directory=item.is_dir())
            except OSError:  # Windows, without the right to make links
                (shutil.copytree if item.is_dir() else shutil.copy)(item, place)


def device_or_best(device: str | None) -> str:
    """The device as torch names it; CUDA where there is one and None was asked for."""
    if device:
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _one_line(error: Exception) -> str:
    refused = re.search(rf"{_NO_NETWORK}([\w.:-]+)", "".join(traceback.format_exception(error)))
    if refused:  # somewhere in the chain of its causes
        return f"it wanted something from {refused.group(1)}, but ct2pet lets it use no network"
    if isinstance(error, MemoryError):
        return "not enough memory"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _end_with_parent() -> None:
    """The parent holds the other end of our standard input: when it is gone, killed even, all of us end."""
    threading.Thread(target=_exit_at_end_of_input, daemon=True).start()


def _exit_at_end_of_input() -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock would outlive the main thread
        pass
    if hasattr(os, "killpg"):
        os.killpg(os.getpgid(0), signal.SIGKILL)  # our own group, made by the parent: the workers end too
    os._exit(1)
