"""NRRD and MetaImage through SimpleITK."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ct2pet.errors import ImageError
from ct2pet.files import atomic_path
from ct2pet.imageio._complete import check_complete
from ct2pet.imageio.base import Reader, common_type, shape_of_three_axes
from ct2pet.resampling import to_itk
from ct2pet.volume import Grid, Volume


class ItkReader(Reader):
    """The formats that SimpleITK reads and writes with an origin and a direction, except NIfTI."""

    suffixes = (".nrrd", ".mha", ".mhd")

    def read(self, path: Path) -> Volume:
        reader = _open(path)
        grid = _grid(reader)
        check_complete(path)  # ITK returns damaged compressed data without an error
        array = sitk.GetArrayFromImage(reader.Execute()).reshape(grid.shape)
        return Volume(common_type(array), grid)

    def read_grid(self, path: Path) -> Grid:
        return _grid(_open(path))

    def write(self, path: Path, volume: Volume) -> None:
        _check_path(path)
        image = to_itk(volume)
        if path.suffix.lower() == ".mhd":
            _write_header_and_data(path, image)
            return
        with atomic_path(path) as temporary:
            written = temporary.with_suffix(path.suffix.lower())  # ITK writes .MHA as another format, to other names
            sitk.WriteImage(image, str(written), useCompression=True)
            written.replace(temporary)


def _check_path(path: Path) -> None:
    """Raise ImageError where ITK, which takes no other bytes than those of UTF-8, would end the process."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ImageError(f"{path}: its path contains bytes that are not UTF-8: rename it") from None


def _open(path: Path) -> sitk.ImageFileReader:
    _check_path(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    if path.suffix.lower() in (".mha", ".mhd"):
        reader.SetImageIO("MetaImageIO")  # which ITK finds for endings in lower case
    reader.ReadImageInformation()
    return reader


def _grid(reader: sitk.ImageFileReader) -> Grid:
    if _without_space(reader):
        raise ImageError("its header has no field 'space': the orientation (left or right) is unknown; add the field")
    if reader.GetNumberOfComponents() != 1:
        raise ImageError(f"each voxel has {reader.GetNumberOfComponents()} values; expected one")
    shape = shape_of_three_axes(reader.GetSize())
    axes = reader.GetDimension()
    direction = np.array(reader.GetDirection()).reshape(axes, axes)[:3, :3]
    spacing = reader.GetSpacing()[2::-1]
    return Grid(shape, spacing, reader.GetOrigin()[:3], tuple(direction.ravel().tolist()))


def _without_space(reader: sitk.ImageFileReader) -> bool:
    """Whether an NRRD does not define its axes; ITK then assumes those of DICOM. No space has four axes, so that ITK
    writes none for such images."""
    is_nrrd = reader.GetFileName().lower().endswith(".nrrd") and reader.GetDimension() == 3
    return is_nrrd and "NRRD_space" not in reader.GetMetaDataKeys()


def _write_header_and_data(path: Path, image: sitk.Image) -> None:
    """MetaImage in two files. The header, which alone makes them an image, comes last."""
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=path.parent) as folder:
        header = Path(folder, path.name).with_suffix(".mhd")
        sitk.WriteImage(image, str(header), useCompression=True)
        path.unlink(missing_ok=True)
        for file in sorted(Path(folder).iterdir(), key=lambda file: file == header):
            file.replace(path if file == header else path.parent / file.name)


READER = ItkReader
