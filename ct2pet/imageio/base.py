"""The interface of a file format. A new format is one new file in this folder that assigns its reader to ``READER``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np

from ct2pet.errors import ImageError
from ct2pet.volume import Grid, Volume


class Reader(ABC):
    """Reads and writes the files that end in one of ``suffixes`` (lower case, with the dot).

    A reader with ``reads_folders`` (only DICOM) reads folders; it has no suffixes and does not write.

    The methods may raise the errors of their library: ct2pet.imageio converts them to an ImageError that names the
    file. ``write`` writes to a temporary name in an existing folder.
    """

    suffixes: ClassVar[tuple[str, ...]]
    reads_folders: ClassVar[bool] = False

    @abstractmethod
    def read(self, path: Path) -> Volume:
        """The volume (Z, Y, X) as stored, on its LPS grid. A damaged file raises an error."""

    @abstractmethod
    def read_grid(self, path: Path) -> Grid:
        """The grid alone, from the header."""

    @abstractmethod
    def write(self, path: Path, volume: Volume) -> None:
        """Write a volume (Z, Y, X) of any numeric type or bool, atomically (ct2pet.files.atomic_path)."""


def shape_of_three_axes(size: tuple[int, ...]) -> tuple[int, int, int]:
    """The shape Z, Y, X of an image whose ``size`` is given as x, y, z, ... Further axes must have a single entry.

    Raises ImageError for images that are not one volume.
    """
    if len(size) < 3 or any(n != 1 for n in size[3:]):
        remedy = ": write each volume to a file" if len(size) > 3 else ""
        raise ImageError(f"its shape is {' x '.join(map(str, size))}; expected one volume of three axes{remedy}")
    x, y, z = (int(n) for n in size[:3])
    return z, y, x


def common_type(array: np.ndarray) -> np.ndarray:
    """The array in native byte order, floating-point numbers in float32. Raises ImageError for other than numbers."""
    if array.dtype.kind not in "iufb":
        raise ImageError(f"its values have the type {array.dtype}; expected integers or real numbers")
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
