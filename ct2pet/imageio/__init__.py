"""Reading and writing of image files, and their names. The formats are plug-ins, one file each."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from ct2pet.errors import DatasetError, GeometryError, ImageError
from ct2pet.files import check_readable
from ct2pet.imageio._complete import data_file
from ct2pet.imageio.base import Reader
from ct2pet.plugins import load_plugin, plugin_names
from ct2pet.volume import Grid, Volume


def image_suffixes() -> tuple[str, ...]:
    """The file endings that can be read and written, with the dot; the longest first."""
    return tuple(_readers())


def strip_suffix(path: str | os.PathLike) -> str:
    """The file's name without folder and without the ending of its image format."""
    name = Path(path).name
    suffix = _suffix(name)
    return name[: -len(suffix)] if suffix else name


def image_files(folder: Path) -> dict[str, Path]:
    """The images of a folder by case (the file name without its image suffix). Raises DatasetError where the folder
    does not exist, or where two files have the same case name."""
    if not Path(folder).is_dir():
        raise DatasetError(f"{folder}: no such folder")
    files: dict[str, Path] = {}
    for path in sorted(Path(folder).iterdir()):
        if not path.name.lower().endswith(image_suffixes()) or path.name.startswith("."):
            continue
        case = strip_suffix(path.name)
        if case in files:
            raise DatasetError(f"{folder}: {files[case].name} and {path.name} have the same case name; remove one")
        files[case] = path
    return files


def read_volume(path: str | os.PathLike, unit: str = "") -> Volume:
    """Read one image of three axes as stored: values in their own type (real numbers as float32), Z, Y, X, LPS.

    The scaling in the file is applied. Raises ImageError, naming the file, where it is missing, damaged, truncated,
    sheared, or not one volume. A folder is read as its only CT series (DICOM).
    """
    path = Path(path)
    with _naming(path):
        volume = _reader(path).read(path)
        return Volume(volume.array, volume.grid, unit)


def read_grid(path: str | os.PathLike) -> Grid:
    """Read the grid of an image from its header. Raises ImageError as read_volume does."""
    path = Path(path)
    with _naming(path):
        return _reader(path).read_grid(path)


def files_of(path: Path) -> list[Path]:
    """The files of an image to be moved with it: that of its data in the same folder, where the header has its own, and
    last ``path``. Raises ImageError where the header is damaged."""
    if path.suffix.lower() not in (".mhd", ".nrrd"):
        return [path]
    with _naming(path):
        data = data_file(path)
    own = data is not None and data != path and data.parent == path.parent and data.is_file()
    return [data, path] if own and data is not None else [path]


def count_voxels(path: str | os.PathLike | None) -> int:
    """The number of voxels of an image, from its header, for memory estimates. 0 for None, and for an unreadable file,
    which is reported when it is read."""
    try:
        return 0 if path is None else math.prod(read_grid(path).shape)
    except ImageError:
        return 0


def write_volume(path: str | os.PathLike, volume: Volume) -> None:
    """Write a volume (Z, Y, X), atomically, in the format of the path's ending. bool becomes uint8, float16 float32.

    Raises ImageError, naming the file, where the format is unknown or cannot hold the volume, or the disk is full.
    """
    path = Path(path)
    reader = _reader(path)
    if volume.array.ndim != 3:
        raise ImageError(
            f"{path}: only a volume of three axes can be written, not an array of shape {volume.array.shape}"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        reader.write(path, volume)
    except OSError as error:
        raise ImageError(f"{path}: cannot be written ({error.strerror or _one_line(error)})") from error
    except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        raise ImageError(f"{path}: cannot be written ({_one_line(error)})") from error


@cache
def _all_readers() -> list[Reader]:
    return [load_plugin(__name__, name, "READER")() for name in plugin_names(__name__)]


@cache
def _readers() -> dict[str, Reader]:
    readers = {suffix: reader for reader in _all_readers() for suffix in reader.suffixes}
    return dict(sorted(readers.items(), key=lambda item: (-len(item[0]), item[0])))


def _suffix(name: str) -> str | None:
    return next((suffix for suffix in _readers() if name.lower().endswith(suffix)), None)


def _reader(path: Path) -> Reader:
    if path.is_dir():
        return next(reader for reader in _all_readers() if reader.reads_folders)
    suffix = _suffix(path.name)
    if suffix is None:
        raise ImageError(f"{path}: unknown image format; known are {', '.join(image_suffixes())}")
    return _readers()[suffix]


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """All errors inside become one ImageError that names the file."""
    check_readable(path, ImageError)
    try:
        yield
    except MemoryError:
        raise
    except (ImageError, GeometryError) as error:
        text = str(error)
        raise ImageError(text if text.startswith(str(path)) else f"{path}: {text}") from error
    except Exception as error:  # libraries raise various errors for damaged files
        raise ImageError(f"{path}: cannot be read, the file seems damaged ({_one_line(error)})") from error


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
