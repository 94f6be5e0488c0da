"""A synthetic PET as a series of DICOM objects, one per slice, in the study of its CT."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pydicom.valuerep import DSfloat

from ct2pet.dicom.pet_header import file_meta, new_header, reference_images
from ct2pet.dicom.reading import discreet, quiet
from ct2pet.dicom.source import CtSource
from ct2pet.errors import ImageError
from ct2pet.files import atomic_folder
from ct2pet.volume import Grid, Volume

_LARGEST = 65535  # of 16 bits without a sign
_SMALLEST_SLOPE = 1e-7  # of slices without activity; 0 is not a valid slope


def write_pet_series(folder: Path, pet: Volume, source: CtSource, how: str) -> None:
    """Write a PET (SUV, Z, Y, X, not negative) as DICOM PET images (GML) into ``folder``, atomically; an existing
    series is replaced.

    Each slice has its own rescale slope: an SUV is kept to 1/131070 of its slice's maximum, to 1e-3 up to 131. The
    patient, the study and the frame of reference are those of ``source``, all other UIDs are new. ``how``: the model of
    the PET, for DerivationDescription. Raises ImageError, naming the folder, where the values are not SUV or cannot be
    written.
    """
    if not np.isfinite(pet.array).all() or pet.array.min() < 0:
        raise ImageError(f"{folder}: not written: the PET contains negative or non-finite values")
    array, grid = _ascending(pet)
    try:
        with discreet(), quiet(), atomic_folder(folder) as temporary:
            header = new_header(source, how)
            _put_geometry(header, grid)
            for index, plane in enumerate(array):
                _put_slice(header, source, grid, index)
                _put_pixels(header, plane)
                _save(header, temporary / f"{index + 1:05d}.dcm")
    except OSError as error:
        raise ImageError(f"{folder}: cannot be written ({error.strerror or error})") from None


def _ascending(pet: Volume) -> tuple[np.ndarray, Grid]:
    """The slices in the order of their normal, rows' direction times columns', as readers put them."""
    rotation = np.array(pet.grid.direction).reshape(3, 3)
    if np.linalg.det(rotation) > 0:
        return pet.array, pet.grid
    affine = pet.grid.affine
    affine[:3, 3] += affine[:3, 2] * (pet.grid.shape[0] - 1)
    affine[:3, 2] *= -1
    return pet.array[::-1], Grid.from_affine(pet.grid.shape, affine)


def _decimals(values: Iterable[float]) -> list[DSfloat]:
    """Numbers in the 16 characters of a decimal string."""
    return [DSfloat(float(value), auto_format=True) for value in values]


def _put_geometry(header: Dataset, grid: Grid) -> None:
    rotation = np.array(grid.direction).reshape(3, 3)
    header.ImageOrientationPatient = _decimals([*rotation[:, 0], *rotation[:, 1]])
    header.PixelSpacing = _decimals(grid.spacing[1:])
    header.SliceThickness = header.SpacingBetweenSlices = _decimals(grid.spacing[:1])[0]
    header.NumberOfSlices, header.Rows, header.Columns = grid.shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit, header.PixelRepresentation = 15, 0


def _put_slice(header: Dataset, source: CtSource, grid: Grid, index: int) -> None:
    header.SOPInstanceUID = generate_uid()
    header.InstanceNumber = header.ImageIndex = index + 1
    position = (grid.affine @ [0, 0, index, 1])[:3]
    header.ImagePositionPatient = _decimals(position)
    ends = [_slice_corners(grid, z) @ source.normal for z in (index - 0.5, index + 0.5)]
    reference_images(header, source, source.images_between(np.min(ends), np.max(ends)))


def _slice_corners(grid: Grid, z: float) -> np.ndarray:
    """(4, 3): the centres of the corner voxels of a plane, mm."""
    _, rows, columns = grid.shape
    index = np.array([(x, y, z, 1.0) for x in (0, columns - 1) for y in (0, rows - 1)])
    return (index @ grid.affine.T)[:, :3]


def _put_pixels(header: Dataset, plane: np.ndarray) -> None:
    slope = _decimals([max(float(plane.max()) / _LARGEST, _SMALLEST_SLOPE)])[0]
    stored = np.clip(np.rint(plane.astype(np.float64) / float(slope)), 0, _LARGEST)
    header.RescaleSlope, header.RescaleIntercept = slope, 0
    header.PixelData = stored.astype("<u2").tobytes()
    header["PixelData"].VR = "OW"


def _save(header: Dataset, path: Path) -> None:
    header.file_meta = file_meta(header)
    with path.open("wb") as file:
        pydicom.dcmwrite(file, header, enforce_file_format=True)
        file.flush()
        os.fsync(file.fileno())
