"""One district of all cases on disk: two compressed arrays per case, with fast access to random patches."""

from __future__ import annotations

import dataclasses
import threading
import zlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ct2pet.dataset.fields import LESIONS, MASK
from ct2pet.errors import DatasetError
from ct2pet.files import atomic_path, check_readable, write_json
from ct2pet.preprocessing.case_on_grid import PreparedDistrict
from ct2pet.preprocessing.case_record import CaseRecord
from ct2pet.schema import read_as
from ct2pet.volume import Box

FORMAT_VERSION = 2
_CHUNK, _BLOCK = 64, 16
_DISTRICT, _LESION = 1, 2  # bits of the first channel of the label file
_MAX_FOREGROUND, _MAX_LESION_VOXELS, _MAX_LABEL_VOXELS = 20_000, 5_000, 2_000
IMAGES, REGIONS = ".b2nd", "_labels.b2nd"
_LENGTHS, _VOXELS = "lengths", "voxels"  # of the lists of voxels in a file


class StoredCase:
    """One case of a store. Reading is thread-safe."""

    def __init__(self, folder: Path, case: str, record: CaseRecord) -> None:
        assert record.grid is not None
        self.case = case
        self.images, self.labels = record.images, record.labels
        self.has_lesions, self.conditions = record.has_lesions, record.conditions
        self.grid = record.grid
        self.shape: tuple[int, int, int] = self.grid.shape
        self._images = _Array(folder / f"{case}{IMAGES}", (len(self.images), *self.shape))
        self._regions = _Array(folder / f"{case}{REGIONS}", (1 + len(self.labels), *self.shape))
        self.foreground = self._regions.voxels("foreground")
        self.lesion_voxels = self._regions.voxels("lesion_voxels")
        self.label_voxels: dict[str, dict[int, np.ndarray]] = {
            name: {label: self._regions.voxels(f"{name}:{label}") for label in labels}
            for name, labels in record.labels_found.items()
        }

    def read(self, box: Box) -> dict[str, Any]:
        """The voxels of ``box`` (inside the stored shape) by field: images float16 normalised, label maps small
        integers; ``mask`` bool and ``lesions`` bool or None; all (Z, Y, X). Raises DatasetError where a file is
        damaged."""
        images, regions = self._images.read(box), self._regions.read(box)
        content: dict[str, Any] = dict(zip(self.images, images))
        content |= zip(self.labels, regions[1:])
        content[MASK] = (regions[0] & _DISTRICT) > 0
        content[LESIONS] = (regions[0] & _LESION) > 0 if self.has_lesions else None
        return content

    def read_all(self) -> dict[str, Any]:
        """As ``read``, the whole stored box."""
        return self.read(Box((0, 0, 0), self.shape))


class _Array:
    """A blosc2 file with channels first and lists of voxels. ``shape``: that of the case's record."""

    def __init__(self, path: Path, shape: tuple[int, ...] | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()  # one decompression context per opened file
        import blosc2  # takes 0.5 s to import, and prediction needs no store

        try:
            self._array = blosc2.open(str(path), mode="r", dparams={"nthreads": 1})
            lengths = self._array.schunk.vlmeta[_LENGTHS]
            content = self._array.schunk.vlmeta[_VOXELS]
        except Exception as error:
            raise self._damaged(error) from error
        if shape not in (None, self._array.shape):
            raise self._damaged(f"its shape is {self._array.shape}, but {shape} in the case's record")
        ends = np.cumsum([*lengths.values()])
        self._voxels = {name: content[end - lengths[name] : end] for name, end in zip(lengths, ends)}

    def read(self, box: Box) -> np.ndarray:
        """(channels, Z, Y, X)."""
        z, y, x = box.slices
        try:
            with self._lock:
                return self._array[:, z, y, x]
        except (RuntimeError, OSError) as error:
            raise self._damaged(error) from error

    def voxels(self, name: str) -> np.ndarray:
        """(N, 3): a list of voxels (Z, Y, X)."""
        if name not in self._voxels:
            raise self._damaged(f"it has no voxels of {name}, which are in the case's record")
        return np.frombuffer(self._voxels[name], dtype="<i4").reshape(-1, 3)

    def _damaged(self, reason: object) -> DatasetError:
        return DatasetError(f"{self.path}: cannot be read ({reason}); preprocess the dataset again")


class DistrictStore:
    """The folder of one configuration: for each case ``CASE.b2nd`` (images as float16 channels), ``CASE_labels.b2nd``
    (district and lesions as bits, then label maps) and ``CASE.json``.

    The JSON file is written last: a case without it does not exist. Cases without the district have only the JSON file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    @property
    def cases(self) -> list[str]:
        """The sorted names of the cases with the district."""
        return [case for case in self.recorded_cases() if self.record(case).present]

    def recorded_cases(self) -> list[str]:
        """The sorted names of all finished cases, including those without the district. Raises DatasetError where the
        folder is not readable."""
        if self.folder.is_dir():
            check_readable(self.folder, DatasetError)
        return sorted(path.name[: -len(".json")] for path in self.folder.glob("*.json") if path.name[0] != ".")

    def record(self, case: str) -> CaseRecord:
        """The record in the JSON file. Raises DatasetError where it is missing or invalid."""
        return read_as(self.folder / f"{case}.json", CaseRecord, DatasetError, "preprocess the dataset again")

    def open(self, case: str) -> StoredCase:
        """A finished case. Raises DatasetError where it does not exist or is damaged."""
        return StoredCase(self.folder, case, self.present_record(case))

    def present_record(self, case: str) -> CaseRecord:
        """The record of a case with the district. Raises DatasetError where the district is absent."""
        record = self.record(case)
        if not record.present:
            raise DatasetError(f"{self.folder / case}.json: the district is absent in this case")
        return record

    def check_files(self, case: str) -> None:
        """Raises DatasetError where a file was changed: flipped bits would give other voxels."""
        for ending, expected in self.record(case).crc32.items():
            path = self.folder / f"{case}{ending}"
            try:
                intact = crc32_of(path) == expected
            except PermissionError:
                raise DatasetError(f"{path}: no permission to read") from None
            except OSError as error:
                raise DatasetError(f"{path}: cannot be read ({error.strerror}); preprocess again") from None
            if not intact:
                raise DatasetError(f"{path}: wrong checksum: the file was changed or damaged; preprocess again")

    def is_done(self, case: str, key: str) -> bool:
        """Whether the case is finished, with the sources and parameters of ``key``."""
        try:
            record = self.record(case)
        except DatasetError:
            return False
        if record.key != key:
            return False
        return not record.present or all((self.folder / f"{case}{end}").exists() for end in (IMAGES, REGIONS))

    def discard(self, case: str) -> None:
        """Remove a case: the JSON file first, so that an unfinished case never appears as finished."""
        for ending in (".json", IMAGES, REGIONS):
            (self.folder / f"{case}{ending}").unlink(missing_ok=True)

    def write(
        self,
        case: str,
        prepared: PreparedDistrict | None,
        key: str,
        decisions: Mapping[str, Any],
        conditions: Mapping[str, str] | None = None,
    ) -> None:
        """Store a case; None records that the district is absent. ``key`` and ``decisions``: its sources and
        parameters, ``conditions``: its class in each condition."""
        self.discard(case)
        record = CaseRecord(key, dict(decisions), present=False)
        if prepared is not None:
            write_images(self.folder / f"{case}{IMAGES}", [*prepared.images.values()])
            _write_regions(self.folder / f"{case}{REGIONS}", prepared)
            record = CaseRecord(
                key,
                dict(decisions),
                present=True,
                grid=prepared.grid,
                images=list(prepared.images),
                labels=list(prepared.labels),
                labels_found={name: _labels_in(labels) for name, labels in prepared.labels.items()},
                has_lesions=prepared.lesions is not None,
                conditions=dict(conditions or {}),
                crc32={ending: crc32_of(self.folder / f"{case}{ending}") for ending in (IMAGES, REGIONS)},
            )
        write_json(self.folder / f"{case}.json", dataclasses.asdict(record))


def check_names(cases: Collection[str]) -> None:
    """Raise DatasetError where files of two ``cases`` would have the same name."""
    for case in cases:
        other = f"{case}{REGIONS}".removesuffix(IMAGES)
        if other in cases:
            raise DatasetError(f"the cases {case} and {other} would have the same stored file; rename one of them")


def crc32_of(path: Path) -> int:
    """The CRC-32 of a file."""
    found = 0
    with path.open("rb") as file:
        while chunk := file.read(2**22):
            found = zlib.crc32(chunk, found)
    return found


def write_images(path: Path, images: Sequence[np.ndarray]) -> None:
    """Write images (Z, Y, X) of one shape as the float16 channels of a file."""
    channels = np.empty((len(images), *images[0].shape), dtype=np.float16)
    for channel, image in zip(channels, images):
        channel[...] = image
    _write(path, channels, {})


def read_images(path: Path, box: Box) -> np.ndarray:
    """(channels, Z, Y, X) float16 of what write_images wrote."""
    return _Array(path).read(box)


def _write_regions(path: Path, prepared: PreparedDistrict) -> None:
    kind = np.result_type(np.uint8, *(labels.dtype for labels in prepared.labels.values()))
    channels = np.empty((1 + len(prepared.labels), *prepared.grid.shape), dtype=kind)
    channels[0] = prepared.mask
    if prepared.lesions is not None:
        channels[0] |= _LESION * prepared.lesions.astype(kind)
    voxels = {
        "foreground": _sample(prepared.mask, _MAX_FOREGROUND),
        "lesion_voxels": _sample(prepared.lesions, _MAX_LESION_VOXELS),
    }
    for channel, (name, labels) in zip(channels[1:], prepared.labels.items()):
        channel[...] = labels
        voxels |= {f"{name}:{label}": _sample(labels == label, _MAX_LABEL_VOXELS) for label in _labels_in(labels)}
    _write(path, channels, voxels)


def _write(path: Path, channels: np.ndarray, voxels: Mapping[str, bytes]) -> None:
    import blosc2

    cparams = {"codec": blosc2.Codec.LZ4, "clevel": 5, "filters": [blosc2.Filter.SHUFFLE], "nthreads": 1}
    chunks = (1, *(min(_CHUNK, n) for n in channels.shape[1:]))
    blocks = (1, *(min(_BLOCK, n) for n in channels.shape[1:]))
    with atomic_path(path) as temporary:
        temporary.unlink()
        array = blosc2.asarray(
            channels, urlpath=str(temporary), mode="w", chunks=chunks, blocks=blocks, cparams=cparams
        )
        # One list after another: blosc2 takes 16 entries at most.
        array.schunk.vlmeta[_LENGTHS] = {name: len(content) for name, content in voxels.items()}
        array.schunk.vlmeta[_VOXELS] = b"".join(voxels.values())
        del array


def _labels_in(labels: np.ndarray) -> list[int]:
    """The labels that occur, without the background."""
    return [int(label) for label in np.flatnonzero(np.bincount(labels.ravel())) if label]


def _sample(mask: np.ndarray | None, most: int) -> bytes:
    """At most ``most`` voxel indices (Z, Y, X) of a mask, with a fixed seed, in order, as bytes of int32."""
    if mask is None:
        return b""
    flat = np.flatnonzero(mask)
    if len(flat) > most:
        flat = np.sort(np.random.default_rng(0).choice(flat, most, replace=False))
    return np.stack(np.unravel_index(flat, mask.shape), axis=1).astype("<i4").tobytes()
