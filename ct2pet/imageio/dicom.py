"""A folder with one CT series (DICOM), as one volume in HU."""

from __future__ import annotations

from pathlib import Path

from ct2pet.errors import ImageError
from ct2pet.imageio.base import Reader
from ct2pet.volume import Grid, Volume


class DicomReader(Reader):
    """Reads the only CT series below a folder; localisers, reports and other objects are ignored."""

    suffixes = ()
    reads_folders = True

    def read(self, path: Path) -> Volume:
        from ct2pet.dicom.pixels import read_ct  # pydicom loads slowly, and few datasets need it
        from ct2pet.dicom.reading import discreet

        with discreet():
            return read_ct(_ct_stack(path))

    def read_grid(self, path: Path) -> Grid:
        from ct2pet.dicom.reading import discreet

        with discreet():
            return _ct_stack(path).grid

    def write(self, path: Path, volume: Volume) -> None:
        raise ImageError(f"{path}: is a folder; name a file")


def _ct_stack(folder: Path):  # type: ignore[no-untyped-def]
    from ct2pet.dicom.folders import only_ct_series
    from ct2pet.dicom.frames import series_stack

    return series_stack(only_ct_series(folder))


READER = DicomReader
