"""One district of all cases on disk: a compressed array a case that gives random patches fast."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import blosc2
import numpy as np

from ct2pet.errors import Ct2PetError, DatasetError
from ct2pet.files import atomic_path, read_json, write_json
from ct2pet.preprocessing.case_on_grid import PreparedCase
from ct2pet.volume import Box, Grid

FORMAT_VERSION = 1
_CHUNK, _BLOCK = 64, 16
_DISTRICT, _LESION = 1, 2  # bits of the third channel
_BITS = [int(np.float16(code).view(np.uint16)) for code in range(4)]  # ascending, as the codes
_MAX_FOREGROUND, _MAX_LESION_VOXELS = 20_000, 5_000


class StoredCase:
    """One case of a store. Reading is thread-safe."""

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        self.path = path
        try:
            self._array = blosc2.open(str(path), mode="r", dparams={"nthreads": 1})
            samples = {name: self._array.schunk.vlmeta[name] for name in ("foreground", "lesion_voxels")}
        except Exception as error:
            raise DatasetError(f"{path}: cannot be read ({error}); preprocess the dataset again") from error
        self._lock = threading.Lock()
        self.has_lesions = bool(record["has_lesions"])
        self.grid = Grid(**{name: tuple(value) for name, value in record["grid"].items()})
        self.shape: tuple[int, int, int] = self.grid.shape
        self.foreground = _voxels(samples["foreground"])
        self.lesion_voxels = _voxels(samples["lesion_voxels"])

    def read(self, box: Box) -> dict[str, Any]:
        """The voxels of ``box`` (inside the stored shape): ``ct`` and ``pet`` float16 normalised, ``mask`` bool,
        ``lesions`` bool or None, all (Z, Y, X). Raises DatasetError where the file is damaged."""
        z, y, x = box.slices
        try:
            with self._lock:  # one decompression context per opened file
                channels = self._array[:, z, y, x]
        except (RuntimeError, OSError) as error:
            raise DatasetError(f"{self.path}: cannot be read ({error}); preprocess the dataset again") from error
        mask, lesions = _regions(channels[2])
        return {
            "ct": channels[0],
            "pet": channels[1],
            "mask": mask,
            "lesions": lesions if self.has_lesions else None,
        }


class DistrictStore:
    """The folder of one configuration: ``CASE.b2nd`` (CT, PET and regions as float16 channels) and ``CASE.json``.

    The JSON file is written last: a case without it is not there. Cases without the district have only the JSON.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    @property
    def cases(self) -> list[str]:
        """The sorted names of the cases that hold the district."""
        return [case for case in self.recorded_cases() if self.record(case)["present"]]

    def recorded_cases(self) -> list[str]:
        """The sorted names of all finished cases, those without the district too."""
        return sorted(path.name[: -len(".json")] for path in self.folder.glob("*.json") if path.name[0] != ".")

    def record(self, case: str) -> dict[str, Any]:
        """What the JSON file says. Raises Ct2PetError where there is none."""
        return read_json(self.folder / f"{case}.json")

    def open(self, case: str) -> StoredCase:
        """A finished case. Raises DatasetError where it does not exist or is damaged."""
        try:
            record = self.record(case)
        except Ct2PetError as error:
            raise DatasetError(f"{error}; preprocess the dataset again") from None
        if not record.get("present"):
            raise DatasetError(f"{self.folder / case}.json: the district is absent in this case")
        return StoredCase(self.folder / f"{case}.b2nd", record)

    def is_done(self, case: str, key: str) -> bool:
        """Whether the case is finished, from the sources and with the decisions that ``key`` stands for."""
        try:
            record = self.record(case)
        except Ct2PetError:
            return False
        if record.get("key") != key:
            return False
        return not record["present"] or (self.folder / f"{case}.b2nd").exists()

    def discard(self, case: str) -> None:
        """Forget a case: the JSON first, so that no moment shows an unfinished case as finished."""
        (self.folder / f"{case}.json").unlink(missing_ok=True)
        (self.folder / f"{case}.b2nd").unlink(missing_ok=True)

    def write(self, case: str, prepared: PreparedCase | None, key: str, decisions: dict[str, Any]) -> None:
        """Store a case; None records that the district is absent. ``key`` and ``decisions`` say what it was made of."""
        self.discard(case)
        record: dict[str, Any] = {"key": key, "decisions": decisions, "present": prepared is not None}
        if prepared is not None:
            _write_array(self.folder / f"{case}.b2nd", prepared)
            record["grid"] = dataclasses.asdict(prepared.district.grid)
            record["has_lesions"] = prepared.lesions is not None
        write_json(self.folder / f"{case}.json", record)


def _regions(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the district and of the lesions from the third channel.

    The float16 codes 0 to 3 are told apart by their bits: numpy takes thirty times as long to cast them.
    """
    bits = codes.view(np.uint16)
    return (bits == _BITS[_DISTRICT]) | (bits == _BITS[_DISTRICT | _LESION]), bits >= _BITS[_LESION]


def _write_array(path: Path, prepared: PreparedCase) -> None:
    district = prepared.district
    channels = np.empty((3, *district.grid.shape), dtype=np.float16)
    channels[0], channels[1], channels[2] = district.ct, prepared.pet, district.mask
    if prepared.lesions is not None:
        channels[2] += np.float16(_LESION) * prepared.lesions
    cparams = {"codec": blosc2.Codec.LZ4, "clevel": 5, "filters": [blosc2.Filter.SHUFFLE], "nthreads": 1}
    chunks = (1, *(min(_CHUNK, n) for n in district.grid.shape))
    blocks = (1, *(min(_BLOCK, n) for n in district.grid.shape))
    with atomic_path(path) as temporary:
        temporary.unlink()
        array = blosc2.asarray(
            channels, urlpath=str(temporary), mode="w", chunks=chunks, blocks=blocks, cparams=cparams
        )
        array.schunk.vlmeta["foreground"] = _sample(district.mask, _MAX_FOREGROUND)
        array.schunk.vlmeta["lesion_voxels"] = _sample(prepared.lesions, _MAX_LESION_VOXELS)
        del array


def _sample(mask: np.ndarray | None, most: int) -> bytes:
    """At most ``most`` voxel indices (Z, Y, X) of a mask, always the same ones, in order, as bytes of int32."""
    if mask is None:
        return b""
    flat = np.flatnonzero(mask)
    if len(flat) > most:
        flat = np.sort(np.random.default_rng(0).choice(flat, most, replace=False))
    return np.stack(np.unravel_index(flat, mask.shape), axis=1).astype("<i4").tobytes()


def _voxels(content: bytes) -> np.ndarray:
    return np.frombuffer(content, dtype="<i4").reshape(-1, 3)
