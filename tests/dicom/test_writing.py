"""A PET as DICOM objects: pydicom, SimpleITK, dciodvfy and our own importer read back what was written."""

import errno
import os

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_files import CT_GRID, PET_GRID, ct_series, enhanced_ct
from dicom_pets import (
    HAS_DCIODVFY,
    HOW,
    ORIENTATIONS,
    complaints,
    random_pet,
    read_by_itk,
    source_of,
    written,
)

from ct2pet.dicom.frames import series_stack
from ct2pet.dicom.pixels import read_pet
from ct2pet.dicom.tree import scan_tree
from ct2pet.dicom.writing import write_pet_series
from ct2pet.errors import ImageError
from ct2pet.suv import suv_factors
from ct2pet.volume import Grid, Volume

LEFT_HANDED = Grid(PET_GRID.shape, PET_GRID.spacing, (16, 14, 20), (-1, 0, 0, 0, 0, -1, 0, 1, 0))


@pytest.fixture
def source(tmp_path):
    return source_of(tmp_path / "ct")


def our_own_reading(folder):
    """As the conversion reads a PET."""
    (series,) = scan_tree(folder).series
    stack = series_stack(series)
    headers = [pydicom.dcmread(item.path, stop_before_pixels=True) for item in stack.slices]
    return read_pet(stack, suv_factors(headers).factors)


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_every_reader_finds_the_values_where_they_were(tmp_path, name):
    grid = ORIENTATIONS[name]
    pet = random_pet(grid)
    folder = tmp_path / "pet"
    write_pet_series(folder, pet, source_of(tmp_path / "ct", grid=grid), HOW)
    image = read_by_itk(folder)
    np.testing.assert_allclose(sitk.GetArrayFromImage(image), pet.array, atol=1e-3)
    assert image.GetSize() == grid.shape[::-1]
    for index in np.ndindex(2, 2, 2):  # all corners
        corner = [int(i * (n - 1)) for i, n in zip(index, grid.shape[::-1])]
        place = (grid.affine @ [*corner, 1])[:3]
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(corner), place, atol=1e-3)
    ours = our_own_reading(folder)
    np.testing.assert_allclose(ours.array, pet.array, atol=1e-3)
    np.testing.assert_allclose(ours.grid.affine, grid.affine, atol=1e-6)


def test_a_pet_on_a_grid_of_another_handedness_keeps_its_places(tmp_path, source):
    pet = random_pet(LEFT_HANDED)
    datasets = written(tmp_path / "pet", pet, source)
    axes = np.array(datasets[0].ImageOrientationPatient).reshape(2, 3)
    along = [np.array(dataset.ImagePositionPatient) @ np.cross(*axes) for dataset in datasets]
    np.testing.assert_allclose(np.diff(along), LEFT_HANDED.spacing[0])  # numbered along their normal
    ours = our_own_reading(tmp_path / "pet").reorient_like(LEFT_HANDED)
    np.testing.assert_allclose(ours.grid.affine, LEFT_HANDED.affine, atol=1e-6)
    np.testing.assert_allclose(ours.array, pet.array, atol=1e-3)


@pytest.mark.parametrize("largest", [1e-6, 0.3, 20.0, 131.0, 1e3])
def test_values_are_kept_to_half_a_step_of_their_slice(tmp_path, source, largest):
    pet = random_pet(CT_GRID, largest)
    datasets = written(tmp_path / "pet", pet, source)
    for dataset, plane in zip(datasets, pet.array):
        slope = float(dataset.RescaleSlope)
        assert slope > 0
        assert dataset.RescaleIntercept == 0
        stored = dataset.pixel_array
        assert stored.dtype == np.uint16
        step = max(plane.max() / 65535, 1e-7)
        np.testing.assert_allclose(stored * slope, plane, atol=0.5001 * step)
    assert np.abs(our_own_reading(tmp_path / "pet").array - pet.array).max() <= max(1e-3, largest / 131000)


def test_the_largest_stored_value_is_not_read_as_negative(tmp_path, source):
    pet = Volume(np.full(CT_GRID.shape, 7.5, np.float32), CT_GRID, "SUV")
    (first, *_) = written(tmp_path / "pet", pet, source)
    assert (first.pixel_array == 65535).all()  # as a signed number it would be -1
    np.testing.assert_allclose(sitk.GetArrayFromImage(read_by_itk(tmp_path / "pet")), 7.5, rtol=1e-6)


def test_a_pet_of_zeros_is_written_as_zeros(tmp_path, source):
    pet = Volume(np.zeros(CT_GRID.shape, np.float32), CT_GRID, "SUV")
    assert {float(dataset.RescaleSlope) > 0 for dataset in written(tmp_path / "pet", pet, source)} == {True}
    assert not our_own_reading(tmp_path / "pet").array.any()


@pytest.mark.parametrize("value", [-1e-3, np.nan, np.inf])
def test_values_that_are_no_suv_are_refused(tmp_path, source, value):
    pet = random_pet(CT_GRID)
    pet.array[2, 3, 4] = value
    with pytest.raises(ImageError, match="negative or non-finite"):
        write_pet_series(tmp_path / "pet", pet, source, HOW)
    assert not (tmp_path / "pet").exists()


@pytest.mark.skipif(not HAS_DCIODVFY, reason="dicom3tools is not installed")
@pytest.mark.parametrize("name", ["oblique, feet first"])
@pytest.mark.parametrize("position", [None, "HFS", "FFP", "HFDR", "OTHER"])
def test_the_validator_finds_no_error(tmp_path, name, position):
    grid = ORIENTATIONS[name]
    source = source_of(tmp_path / "ct", grid=grid, PatientPosition=position)
    write_pet_series(tmp_path / "pet", random_pet(grid), source, HOW)
    for path in sorted((tmp_path / "pet").iterdir())[::5]:
        assert complaints(path) == []


@pytest.mark.skipif(not HAS_DCIODVFY, reason="dicom3tools is not installed")
def test_the_validator_finds_no_error_for_sparse_and_for_enhanced_cts(tmp_path):
    sparse = dict.fromkeys(["PatientSex", "StudyID", "AccessionNumber", "ReferringPhysicianName", "PatientWeight"])
    sparse |= dict.fromkeys(["FrameOfReferenceUID", "PositionReferenceIndicator", "StudyDate", "StudyTime"])
    for name, datasets in {"sparse": ct_series(**sparse), "enhanced": enhanced_ct()}.items():
        source = source_of(tmp_path / name, datasets)
        write_pet_series(tmp_path / f"{name} pet", random_pet(PET_GRID), source, HOW)
        assert complaints(tmp_path / f"{name} pet" / "00003.dcm") == []


@pytest.mark.skipif(not HAS_DCIODVFY, reason="dicom3tools is not installed")
def test_the_validator_would_find_one(tmp_path, source):
    (first, *_) = written(tmp_path / "pet", random_pet(CT_GRID), source)
    del first.CountsSource
    first.save_as(tmp_path / "wrong.dcm")
    assert any("CountsSource" in line for line in complaints(tmp_path / "wrong.dcm"))


def fail_at(monkeypatch, number, error):
    """The ``number``-th file cannot be brought to the disk."""
    calls = iter(range(1, 1000))

    def fsync(descriptor):
        if next(calls) == number:
            raise error

    monkeypatch.setattr(os, "fsync", fsync)


class KilledError(BaseException):
    pass


def test_a_writing_that_is_killed_leaves_the_old_series_or_none(tmp_path, source, monkeypatch):
    folder = tmp_path / "out" / "pet"
    for there in (False, True):
        before = {path.name: path.read_bytes() for path in folder.iterdir()} if there else None
        with monkeypatch.context() as patch:
            fail_at(patch, 7, KilledError())
            with pytest.raises(KilledError):
                write_pet_series(folder, random_pet(CT_GRID), source, HOW)
        assert folder.exists() == there
        if there:
            assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        else:
            write_pet_series(folder, random_pet(CT_GRID), source, HOW)
    write_pet_series(folder, random_pet(PET_GRID), source, HOW)
    assert len(list(folder.iterdir())) == PET_GRID.shape[0]  # nothing of the old series is among the new one
    assert [path.name for path in folder.parent.iterdir()] == ["pet"]


def test_a_full_disk_is_one_line(tmp_path, source, monkeypatch):
    fail_at(monkeypatch, 7, OSError(errno.ENOSPC, "No space left on device", "/secret/name"))
    with pytest.raises(ImageError) as caught:
        write_pet_series(tmp_path / "out" / "pet", random_pet(CT_GRID), source, HOW)
    assert str(caught.value) == f"{tmp_path / 'out' / 'pet'}: cannot be written (No space left on device)"
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unwritable_output_is_one_line(tmp_path, source):
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(ImageError, match=r"out/pet: cannot be written \("):
        write_pet_series(tmp_path / "out" / "pet", random_pet(CT_GRID), source, HOW)
