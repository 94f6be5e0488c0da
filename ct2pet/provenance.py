"""Provenance of results: versions, commit, command line, device, seed, and digests of the inputs.

The records do not name a patient, a user, a machine or its folders: they keep only the last part of paths, and only
digests of case names.
"""

from __future__ import annotations

import contextlib
import contextvars
import datetime
import getpass
import hashlib
import json
import os
import platform
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ct2pet import __version__, layout
from ct2pet.errors import Ct2PetError
from ct2pet.files import read_json

PREDICTION_FILE = layout.PREDICTION  # in a folder of predictions
TRAINING_FILE = layout.TRAINING_PROVENANCE  # in the folder of a training
_LIBRARIES = ("numpy", "scipy", "SimpleITK", "nibabel")
_LENGTH = 16  # hex digits of a case's digest; enough for a billion cases
_command: contextvars.ContextVar[str | None] = contextvars.ContextVar("command", default=None)


def this_run(**facts: Any) -> dict[str, Any]:
    """The current run: ``versions``, ``commit`` of ct2pet (None where unknown), ``date``, ``system``, ``command``
    (None outside of a command), and ``facts``, for example ``device`` and ``seed``."""
    return {
        "versions": _versions(),
        "commit": _commit(),
        "date": _date(),
        "system": f"{platform.system()} {platform.machine()}",
        "command": this_command(),
        **facts,
    }


def _date() -> str:
    """Today (UTC), or the day of SOURCE_DATE_EPOCH (reproducible-builds.org), for reproducible results."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = float(epoch) if epoch.isdecimal() else time.time()
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).date().isoformat()


def device_name(device: str) -> str:
    """The device with the name of the GPU, where torch reports it: cuda (NVIDIA H100)."""
    if device.startswith("cuda") and "torch" in sys.modules:
        return f"{device} ({sys.modules['torch'].cuda.get_device_name(device)})"
    return device


def added_run(runs: Any, run: dict[str, Any]) -> list[dict[str, Any]]:
    """The earlier runs (empty unless a list), and ``run`` unless it equals the last of them."""
    so_far = list(runs) if isinstance(runs, list) else []
    return so_far if so_far[-1:] == [run] else [*so_far, run]


@contextlib.contextmanager
def command_line(name: str, arguments: Sequence[str]) -> Iterator[None]:
    """Inside the block ``this_run`` names this command, with the last part of each path."""
    with command_of(shlex.join([name, *map(_without_folders, arguments)])):
        yield


def this_command() -> str | None:
    """The command of ``this_run``."""
    return _command.get()


@contextlib.contextmanager
def command_of(command: str | None) -> Iterator[None]:
    """Inside the block ``this_run`` has this command, a result of ``this_command``, for example in another process."""
    token = _command.set(command)
    try:
        yield
    finally:
        _command.reset(token)


def digest(content: Any) -> str:
    """SHA-256 of JSON content; the order of keys and the layout of the file do not matter."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_json(path: Path) -> str | None:
    """``digest`` of a JSON file's content; None where it is missing or damaged."""
    try:
        return digest(read_json(path))
    except Ct2PetError:
        return None


def case_digests(dataset_name: str, cases: Iterable[str]) -> str:
    """The digest of each case of a dataset, sorted and separated by spaces. Membership of a known case name can be
    tested; names cannot be read from it."""
    return " ".join(sorted(_case_digest(dataset_name, case) for case in cases))


def cases_among(digests: str, dataset_name: str, cases: Iterable[str]) -> list[str]:
    """Those of ``cases`` whose digest is among ``digests`` (see ``case_digests``)."""
    known = set(digests.split())
    return sorted(case for case in cases if _case_digest(dataset_name, case) in known)


def training_cases_of(provenance: Mapping[str, Any]) -> str | None:
    """The digests of the cases that a checkpoint was trained with; None where those of it, or of its initial weights,
    are unknown."""
    weights, cases = provenance.get("pretrained_weights"), provenance.get("training_cases")
    if isinstance(weights, dict) and weights.get("training_cases_known") is False:
        return None
    return cases if isinstance(cases, str) else None


def _case_digest(dataset_name: str, case: str) -> str:
    return digest([dataset_name, case])[:_LENGTH]


def _versions() -> dict[str, str]:
    versions = {"ct2pet": __version__, "python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in _LIBRARIES}
    if "torch" in sys.modules:
        versions["torch"] = str(sys.modules["torch"].__version__)
    return versions


@cache
def _commit() -> str | None:
    """The commit of the installed code, with -dirty where files were changed since."""
    root = Path(__file__).parents[1]
    if (root / ".git").exists():
        return _git_describe(root)
    with contextlib.suppress(metadata.PackageNotFoundError, ValueError, AttributeError):
        origin = json.loads(metadata.distribution("ct2pet").read_text("direct_url.json") or "{}")
        return origin.get("vcs_info", {}).get("commit_id")
    return None


def _git_describe(root: Path) -> str | None:
    words = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        found = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True)
        return found.stdout.strip() or None
    return None


def without_path(run: dict[str, Any], path: Path) -> dict[str, Any]:
    """The run with ``...`` in place of the last part of each path in its command: names of DICOM folders often contain
    patient names."""
    if run["command"] is None:
        return run
    name = _without_folders(str(path))
    words = shlex.split(run["command"])
    hidden = [re.sub(rf"(^|^-i|=){re.escape(name)}$", r"\1...", word) for word in words]
    return {**run, "command": shlex.join(hidden)}


def _without_folders(argument: str) -> str:
    """An argument with the last part of its path; names of this machine and its user are left out, too."""
    option, equals, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    if {*"/\\"} & {*option}:  # -i/data/images
        option, equals, value = argument[:2], "", argument[2:]
    name = value.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    return f"{option}{equals}{without_names(name)}"


def without_names(name: str) -> str:
    """The name of a file or folder; ``...`` where it is the name of this machine or its user."""
    return "..." if name in _own_names() else name


def _own_names() -> frozenset[str]:
    names = {socket.gethostname()}
    with contextlib.suppress(RuntimeError):  # a user without a home folder
        names.add(Path.home().name)
    with contextlib.suppress(KeyError, OSError, ImportError):  # a user without a name
        names.add(getpass.getuser())
    return frozenset(names)
