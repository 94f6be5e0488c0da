"""Segmenters of other packages: each CT in a process of its own, where the package can change nothing of ours."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from abc import abstractmethod
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ct2pet.districts.base import Segmenter
from ct2pet.districts.foreign.child import REPLY, REQUEST
from ct2pet.errors import GeometryError, PluginError
from ct2pet.imageio import read_volume, write_volume
from ct2pet.volume import Grid, Volume

_LOG = logging.getLogger(__name__)
_RAS = Grid((1, 1, 1), (1.0, 1.0, 1.0), direction=(-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0))
_PAGE = "documentation/how_to/foreign_segmenters.md"


class ForeignSegmenter(Segmenter):
    """Runs a package on a CT, with weights that lie on this machine. Nothing is ever fetched.

    ``weights`` is the folder that holds the ``models``; without it, the package's own. ``device`` is torch's name of
    one; without it, CUDA where there is one. Raises PluginError where the package or weights are missing.
    """

    options = ("weights", "device")
    districts: ClassVar[tuple[str, ...] | None] = ("head", "trunk", "arms", "legs")
    max_processes = 1  # one takes a whole GPU, or all cores
    package: ClassVar[str]  # as in pip install
    module: ClassVar[str]  # as in import
    runner: ClassVar[str]  # the module of ct2pet that calls it, in the other process
    models: ClassVar[tuple[str, ...]]  # the folders of its weights

    def __init__(self, weights: str | os.PathLike | None = None, device: str | None = None) -> None:
        if importlib.util.find_spec(self.module) is None:
            raise PluginError(f"the segmenter {self.name} needs {self.package}: pip install 'ct2pet[{self.name}]'")
        self.weights = Path(self.own_weights() if weights is None else weights).absolute()
        self.device = device
        missing = [name for name in self.models if not (self.weights / name).is_dir()]
        if missing:
            where = "" if weights is not None else " (another folder: --weights)"
            raise PluginError(
                f"{self.weights}: the weights of {self.package} are missing, {' and '.join(missing)}; unpack them "
                f"there{where}, see {_PAGE}"
            )

    @property
    def version(self) -> str:
        return version(self.package)

    @classmethod
    @abstractmethod
    def own_weights(cls) -> Path:
        """Where the package keeps its weights."""

    def run(self, ct_hu: Volume, maps: tuple[str, ...], **request: Any) -> tuple[dict[str, Any], dict[str, Volume]]:
        """The runner's reply to ``request``, and the label maps that it wrote (by file name, without the ending), on
        the CT's grid.

        Raises PluginError where the process fails, GeometryError where a map lies elsewhere than the CT.
        """
        with tempfile.TemporaryDirectory(prefix="ct2pet_") as name:
            folder = Path(name).resolve()
            # all packages work on RAS inside: what arrives so, need not be turned there, and their bugs in it sleep
            ct = Volume(_whole_hu(ct_hu.array), ct_hu.grid, "HU").reorient_like(_RAS)
            write_volume(folder / "ct.nii", ct)
            request |= {"weights": str(self.weights), "device": self.device}
            (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
            reply = _run(f"ct2pet.districts.foreign.{self.runner}", folder, self.package)
            return reply, {name: self._read(folder / f"{name}.nii.gz", ct.grid, ct_hu.grid) for name in maps}

    def _read(self, path: Path, expected: Grid, wanted: Grid) -> Volume:
        labels = read_volume(path, "label")
        if not labels.grid.matches(expected):
            raise GeometryError(f"{self.package} gave a map on another grid than the CT's")
        return Volume(labels.reorient_like(wanted).array, wanted, "label")


def relabelled(labels: np.ndarray, mapping: Mapping[int, int], package: str) -> np.ndarray:
    """uint8, of the same shape: each label (0: outside) replaced. Raises PluginError for a label without a name."""
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=1))
    unknown = [int(label) for label in present if label and int(label) not in mapping]
    if unknown:
        raise PluginError(f"{package} gave the label {unknown[0]}, for which its model has no name")
    table = np.zeros(max([int(present[-1]), *mapping]) + 1, np.uint8)
    for old, new in mapping.items():
        table[old] = new
    return table[labels]


def _whole_hu(ct_hu: np.ndarray) -> np.ndarray:
    if ct_hu.dtype == np.int16:
        return ct_hu
    return np.rint(np.nan_to_num(ct_hu, nan=-1024.0).clip(-32768, 32767)).astype(np.int16)


def _run(module: str, folder: Path, package: str) -> dict[str, Any]:
    """Run a runner on what lies in ``folder`` and return its reply. However this ends, its processes end with it."""
    environment = {**os.environ, "nnUNet_def_n_proc": "1"}  # nnU-Net would start eight processes for one CT
    output = folder / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder)],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,  # never written to: its end ends the other process when this one ends
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait()
        finally:
            _end(process)
    text = output.read_text(encoding="utf-8", errors="replace")
    _LOG.debug("output of %s:\n%s", package, text)
    reply = folder / REPLY
    answer = json.loads(reply.read_text(encoding="utf-8")) if reply.is_file() else {}
    if code or not answer or "error" in answer:
        raise PluginError(f"{package} failed: {answer.get('error') or _cause(code, text)}")
    return answer


def _end(process: subprocess.Popen) -> None:
    """End the process and those that it has started, where they still run."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
    if process.stdin:
        process.stdin.close()


def _cause(code: int, output: str) -> str:
    lines = [line.strip() for line in output.replace("\r", "\n").splitlines() if line.strip()]
    last = lines[-1] if lines else "it printed nothing"
    if code == -signal.SIGKILL:
        return "its process was killed (probably out of memory: use a machine with more of it)"
    return f"exit code {code}: {last}"
