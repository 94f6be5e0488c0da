"""Synthetic PETs written as DICOM, for the tests, and readers that know nothing of ct2pet."""

import shutil
import subprocess

import numpy as np
import pydicom
import SimpleITK as sitk
from dicom_files import CT_GRID, ct_series, write

from ct2pet.dicom.source import read_source
from ct2pet.dicom.writing import write_pet_series
from ct2pet.volume import Grid, Volume

HOW = "model hand, plans hands"
_TILT = np.deg2rad([7.2, -4.0])
_ABOUT_Z = np.array([[np.cos(_TILT[0]), -np.sin(_TILT[0]), 0], [np.sin(_TILT[0]), np.cos(_TILT[0]), 0], [0, 0, 1]])
_ABOUT_X = np.array([[1, 0, 0], [0, np.cos(_TILT[1]), -np.sin(_TILT[1])], [0, np.sin(_TILT[1]), np.cos(_TILT[1])]])
_FEET_FIRST = np.diag([-1.0, 1.0, -1.0])
_ORIGIN = (-17.123456789, -15.987654321, -500.1)


def grid_in(rotation, shape=CT_GRID.shape, spacing=CT_GRID.spacing):
    return Grid(shape, spacing, _ORIGIN, tuple(float(value) for value in np.asarray(rotation).ravel()))


ORIENTATIONS = {
    "axial": CT_GRID,
    "oblique": grid_in(_ABOUT_Z @ _ABOUT_X),
    "feet first": grid_in(_FEET_FIRST),
    "oblique, feet first": grid_in(_ABOUT_X @ _ABOUT_Z @ _FEET_FIRST),
    "sagittal": grid_in([[0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "thirds": grid_in(np.eye(3), spacing=(10 / 3, 4.07283, 4.07283)),
}


def random_pet(grid, largest=20.0):
    """SUV from 0 to ``largest``; every slice has another maximum, and one is empty."""
    random = np.random.default_rng(3)
    array = random.uniform(0, 1, grid.shape) * np.geomspace(largest * 1e-3, largest, grid.shape[0])[:, None, None]
    array[1] = 0
    return Volume(array.astype(np.float32), grid, "SUV")


def source_of(folder, datasets=None, **tags):
    """The source of a CT that is written into ``folder``."""
    write(datasets or ct_series(**tags), folder)
    return read_source(folder)


def written(folder, pet, source):
    """The data sets that ``write_pet_series`` writes into ``folder``, in the order of their names."""
    write_pet_series(folder, pet, source, HOW)
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def read_by_itk(folder):
    """The series of a folder by SimpleITK (GDCM)."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


HAS_DCIODVFY = shutil.which("dciodvfy") is not None


def complaints(path):
    """What dciodvfy (dicom3tools) calls errors in an object."""
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert "PETImage" in lines, lines  # it looked at it as what it is
    return [line for line in lines if line.startswith(("Error", "Abort"))]
