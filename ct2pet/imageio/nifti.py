"""NIfTI-1 and NIfTI-2 in one file: headers by nibabel, data by isal's igzip (several times faster)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import nibabel
import numpy as np
from isal import igzip

from ct2pet.errors import ImageError
from ct2pet.files import atomic_path
from ct2pet.imageio.base import Reader, common_type, shape_of_three_axes
from ct2pet.volume import Grid, Volume

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_LARGEST_NIFTI1_AXIS = 32767
_UNITS = {0: ("nothing", 1.0), 1: ("metres", 1e3), 2: ("millimetres", 1.0), 3: ("microns", 1e-3)}  # nifti1.h
_PLAUSIBLE_MM = (0.01, 100.0)  # voxel sizes if the header has another unit than mm
_HEADER_BYTES = 540  # of NIfTI-2, the larger one
_CHUNK = 1 << 24


class NiftiReader(Reader):
    """Single-file NIfTI. The affine is the sform where it has a code, else the qform, in the header's unit of lengths.

    A file without both is refused: its orientation is undefined (ITK assumes the axes of DICOM, nibabel flips two).
    """

    suffixes = (".nii.gz", ".nii")

    def read(self, path: Path) -> Volume:
        with _open(path) as file:
            header = _read_header(file)
            grid = header_grid(header)
            array = np.empty(grid.shape, _stored_type(header))
            _skip(file, header.get_data_offset() - file.tell())
            _fill(file, array)
            more = 0
            while chunk := file.read(_CHUNK):  # reads to the end of a compressed file, to verify its checksum
                more += len(chunk)
            if more:
                raise ImageError(
                    f"it has {more} bytes more than its header says: the data type or size in the header is wrong"
                )
        return Volume(_scaled(array, *header.get_slope_inter()), grid)

    def read_grid(self, path: Path) -> Grid:
        with _open(path) as file:
            return header_grid(_read_header(file))

    def write(self, path: Path, volume: Volume) -> None:
        dtype = _type_to_store(volume.array.dtype)
        header = _new_header(volume.grid, dtype)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            if not path.name.lower().endswith(".gz"):
                _write(file, header, volume.array, dtype)
                return
            # without name and time, so that the same volume gives the same file
            with igzip.IGzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed:
                _write(packed, header, volume.array, dtype)


def _open(path: Path) -> BinaryIO:
    return igzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")


def _read_header(file: BinaryIO) -> Any:
    start = file.read(_HEADER_BYTES)
    for kind in (nibabel.Nifti1Header, nibabel.Nifti2Header):
        if kind.may_contain_header(start):
            file.seek(0)
            return kind.from_fileobj(file)
    raise ImageError("not a NIfTI file (or truncated within its header)")


def header_grid(header: Any) -> Grid:
    """The grid (LPS, mm) of nibabel's header of a NIfTI image. Raises ImageError where it defines no orientation, and
    GeometryError for a sheared image."""
    shape = shape_of_three_axes(header.get_data_shape())
    if header["sform_code"] <= 0 and header["qform_code"] <= 0:
        raise ImageError(
            "its sform_code and qform_code are 0: the orientation (left or right) is unknown; "
            "set one of them, for example by nibabel's set_sform(affine, code=1)"
        )
    affine = _RAS_TO_LPS @ header.get_best_affine()
    affine[:3] *= _mm_per_unit(header, np.linalg.norm(affine[:3, :3], axis=0))
    return Grid.from_affine(shape, affine)


def _mm_per_unit(header: Any, spacing: np.ndarray) -> float:
    """Millimetres in the unit of lengths (bits 0 to 2 of xyzt_units); an unknown unit is read as mm, as in ITK.

    Raises ImageError for an invalid code, and for implausible metres or microns."""
    code = int(header["xyzt_units"]) & 0b111
    if code not in _UNITS:
        raise ImageError(f"its xyzt_units {int(header['xyzt_units'])} are not a unit of length; mm is 2")
    unit, factor = _UNITS[code]
    low, high = _PLAUSIBLE_MM
    if factor != 1 and not all(low <= size <= high for size in spacing * factor):
        sizes = " x ".join(f"{size:g}" for size in spacing * factor)
        raise ImageError(f"its xyzt_units are {unit}, which gives voxels of {sizes} mm; if its sizes are in mm, set 2")
    return factor


def _stored_type(header: Any) -> np.dtype:
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf":
        raise ImageError(f"its values have the type {dtype}; expected integers or real numbers")
    return dtype


def _skip(file: BinaryIO, num_bytes: int) -> None:
    if num_bytes < 0:
        raise ImageError("the offset of the data is within the header: the file is damaged")
    file.read(num_bytes)


def _fill(file: BinaryIO, array: np.ndarray) -> None:
    """Read the bytes of ``array`` straight into it. Raises ImageError where the file ends before."""
    buffer = array.reshape(-1).view(np.uint8).data
    position = 0
    while position < len(buffer):
        count = file.readinto(buffer[position : position + _CHUNK])  # type: ignore[attr-defined]
        if not count:
            raise ImageError(f"the file is truncated: {position} of {len(buffer)} bytes of its data exist")
        position += count


def _scaled(array: np.ndarray, slope: float | None, inter: float | None) -> np.ndarray:
    array = common_type(array)
    slope, inter = (1.0 if slope is None else slope), (0.0 if inter is None else inter)
    if (slope, inter) == (1.0, 0.0):
        return array
    exact = np.result_type(array.dtype, np.float32)  # float64 where float32 cannot represent the stored integers
    scaled = array.astype(exact)
    scaled *= exact.type(slope)
    scaled += exact.type(inter)
    return scaled.astype(np.float32, copy=False)


def _type_to_store(dtype: np.dtype) -> np.dtype:
    if dtype in (np.bool_, np.float16):  # NIfTI has no type for bool and float16
        dtype = np.dtype(np.uint8 if dtype == np.bool_ else np.float32)
    return dtype.newbyteorder("<")


def _new_header(grid: Grid, dtype: np.dtype) -> Any:
    kind = nibabel.Nifti1Header if max(grid.shape) <= _LARGEST_NIFTI1_AXIS else nibabel.Nifti2Header
    header = kind(endianness="<")
    header.set_data_dtype(dtype)
    header.set_data_shape(grid.shape[::-1])
    affine = _RAS_TO_LPS @ grid.affine
    header.set_qform(affine, code="scanner")
    header.set_sform(affine, code="scanner")
    header.set_xyzt_units("mm")
    header.set_slope_inter(1.0, 0.0)
    return header


def _write(file: Any, header: Any, array: np.ndarray, dtype: np.dtype) -> None:
    header.write_to(file)
    for part in array:  # slice by slice: the array may be a view in another order of memory
        file.write(np.ascontiguousarray(part, dtype).reshape(-1).view(np.uint8).data)


READER = NiftiReader
