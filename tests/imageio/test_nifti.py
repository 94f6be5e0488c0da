"""What only NIfTI has: scales, byte orders, two affines, versions. nibabel is the oracle."""

import gzip

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from ct2pet.errors import ImageError
from ct2pet.imageio import read_grid, read_volume, write_volume
from ct2pet.volume import Grid, Volume

AFFINE = np.array([[-2.0, 0, 0, 30], [0, 0, 4, -50], [0, 3, 0, 700], [0, 0, 0, 1]])
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def stored(array, **fields):
    """A NIfTI image (x, y, z) whose header fields are set by hand."""
    image = nibabel.Nifti1Image(array, AFFINE)
    for name, value in fields.items():
        image.header[name] = value
    return image


def write_bytes(path, header, array):
    content = header.binaryblock + bytes(4) + array.tobytes(order="F")
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize("dtype", ["int16", "uint8", "int32", "float32"])
@pytest.mark.parametrize(("slope", "inter"), [(0.25, -1024.0), (1.0, -1024.0), (0.5, 0.0), (2.0, 0.0)])
def test_scaled_values_are_nibabels(tmp_path, dtype, slope, inter):
    array = np.random.default_rng(1).integers(0, 100, (4, 5, 6)).astype(dtype)
    header = stored(array, scl_slope=slope, scl_inter=inter, vox_offset=352, magic=b"n+1").header
    write_bytes(tmp_path / "a.nii.gz", header, array)
    read = read_volume(tmp_path / "a.nii.gz").array
    assert read.dtype == np.float32
    expected = nibabel.load(tmp_path / "a.nii.gz").get_fdata()
    assert expected.max() != array.max()  # the scale is in the file
    np.testing.assert_allclose(read.transpose(2, 1, 0), expected, rtol=1e-6)


def test_large_integers_are_scaled_exactly_enough(tmp_path):
    array = np.array([2**30 + 1, 2**30 + 129], np.int32).reshape(1, 1, 2)
    header = stored(array, scl_slope=1.0, scl_inter=-(2.0**30), vox_offset=352, magic=b"n+1").header
    write_bytes(tmp_path / "a.nii", header, array)
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii").array.ravel(), [1, 129])


@pytest.mark.parametrize("slope", [0.0, np.nan])
def test_no_slope_means_no_scale(tmp_path, slope):
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    header = stored(array, scl_slope=slope, scl_inter=7, vox_offset=352, magic=b"n+1").header
    write_bytes(tmp_path / "a.nii", header, array)
    read = read_volume(tmp_path / "a.nii").array
    assert read.dtype == np.int16
    np.testing.assert_array_equal(read.transpose(2, 1, 0), array)


def test_the_other_byte_order(tmp_path):
    array = np.arange(24, dtype=">i2").reshape(2, 3, 4)
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nibabel.Nifti1Image(array, AFFINE, header).to_filename(tmp_path / "a.nii.gz")
    read = read_volume(tmp_path / "a.nii.gz").array
    assert read.dtype.isnative
    np.testing.assert_array_equal(read.transpose(2, 1, 0), array)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_nifti_1_and_2_with_header_extensions_are_read(tmp_path, kind):
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    image = kind(array, AFFINE)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"words " * 200))
    image.to_filename(tmp_path / "a.nii.gz")
    read = read_volume(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read.array.transpose(2, 1, 0), array)
    np.testing.assert_allclose(read.grid.affine, LPS @ AFFINE, atol=1e-5)


@pytest.mark.parametrize(("sform", "qform"), [(1, 0), (0, 1), (1, 1), (2, 4)])
def test_the_affine_is_the_one_nibabel_takes(tmp_path, sform, qform):
    image = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), None)
    image.header.set_zooms((2, 3, 4))
    image.set_qform(np.diag([2.0, 3, 4, 1]) + np.eye(4, k=3) * 9, qform)
    image.set_sform(AFFINE, sform)
    image.to_filename(tmp_path / "a.nii.gz")
    grid = read_grid(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(grid.affine, LPS @ nibabel.load(tmp_path / "a.nii.gz").affine, atol=1e-5)


def test_a_file_that_does_not_say_how_it_is_oriented_is_refused(tmp_path):
    """ITK reads it with the axes of DICOM and its corner at 0, nibabel flips two axes about the middle."""
    nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), None).to_filename(tmp_path / "a.nii.gz")
    itk = np.array(sitk.ReadImage(str(tmp_path / "a.nii.gz")).GetDirection()).reshape(3, 3)
    assert not np.allclose((LPS @ nibabel.load(tmp_path / "a.nii.gz").affine)[:3, :3], itk)
    for call in (read_volume, read_grid):
        with pytest.raises(ImageError, match=r"a\.nii\.gz: its sform_code and qform_code are 0: the orientation"):
            call(tmp_path / "a.nii.gz")


def in_unit(path, unit, per_mm, *, sform=1, qform=1, kind=nibabel.Nifti1Image):
    """An image whose header gives its lengths in a unit of which there are ``per_mm`` in a millimetre."""
    affine = AFFINE * np.array([[per_mm], [per_mm], [per_mm], [1]])
    image = kind(np.zeros((4, 5, 6), np.int16), None)
    image.set_qform(affine, qform)
    image.set_sform(affine, sform)
    image.header.set_xyzt_units(unit, "sec")
    image.to_filename(path)
    return path


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("codes", [(1, 1), (1, 0), (0, 1)])
@pytest.mark.parametrize(("unit", "per_mm"), [("meter", 1e-3), ("micron", 1e3), ("mm", 1), ("unknown", 1)])
def test_lengths_in_any_unit_are_those_that_simpleitk_reads(tmp_path, unit, per_mm, codes, kind):
    path = in_unit(tmp_path / "a.nii.gz", unit, per_mm, sform=codes[0], qform=codes[1], kind=kind)
    grid = read_grid(path)
    np.testing.assert_allclose(grid.affine, LPS @ AFFINE, atol=1e-3)
    if kind is nibabel.Nifti2Image:  # which SimpleITK does not read
        return
    image = sitk.ReadImage(str(path))
    np.testing.assert_allclose(grid.spacing[::-1], image.GetSpacing(), rtol=1e-5)
    np.testing.assert_allclose(grid.origin, image.GetOrigin(), atol=1e-3)
    np.testing.assert_allclose(grid.direction, image.GetDirection(), atol=1e-5)


@pytest.mark.parametrize(
    ("unit", "named"), [("meter", "are metres, which gives voxels of 2000 x"), ("micron", "microns")]
)
def test_units_that_cannot_be_right_are_refused(tmp_path, unit, named):
    path = in_unit(tmp_path / "a.nii.gz", unit, 1.0)
    with pytest.raises(ImageError, match=named):
        read_grid(path)


def test_a_code_of_no_unit_is_refused(tmp_path):
    path = in_unit(tmp_path / "a.nii", "mm", 1)
    content = bytearray(path.read_bytes())
    content[123] = 5  # xyzt_units of NIfTI-1
    path.write_bytes(content)
    with pytest.raises(ImageError, match="xyzt_units 5 are not a unit"):
        read_grid(path)


@pytest.mark.parametrize("affine", [AFFINE + np.eye(4, k=1) * 0.5, np.zeros((4, 4)), np.full((4, 4), np.nan)])
def test_affines_that_are_no_grid_are_refused_by_name(tmp_path, affine):
    image = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), None)
    image.header["sform_code"] = 1
    for name, row in zip(("srow_x", "srow_y", "srow_z"), affine):
        image.header[name] = row
    header = image.header
    header["vox_offset"], header["magic"] = 352, b"n+1"
    write_bytes(tmp_path / "bent.nii", header, np.zeros((4, 5, 6), np.int16))
    for call in (read_volume, read_grid):
        with pytest.raises(ImageError, match=r"bent\.nii"):
            call(tmp_path / "bent.nii")


def test_complex_numbers_are_refused(tmp_path):
    nibabel.Nifti1Image(np.zeros((4, 5, 6), np.complex64), AFFINE).to_filename(tmp_path / "a.nii.gz")
    with pytest.raises(ImageError, match="complex64"):
        read_volume(tmp_path / "a.nii.gz")


def test_a_written_file_carries_both_affines_and_mm(tmp_path):
    volume = Volume(np.zeros((3, 4, 5), np.float32), Grid((3, 4, 5), (2.0, 1.5, 1.0), (1.0, 2.0, 3.0)))
    write_volume(tmp_path / "a.nii.gz", volume)
    header = nibabel.load(tmp_path / "a.nii.gz").header
    for affine, code in (header.get_qform(coded=True), header.get_sform(coded=True)):
        assert code == 1
        np.testing.assert_allclose(affine, LPS @ volume.grid.affine, atol=1e-6)
    assert header.get_xyzt_units()[0] == "mm"


def test_writing_a_volume_is_deterministic(tmp_path):
    volume = Volume(np.ones((3, 4, 5), np.float32), Grid((3, 4, 5), (2.0, 1.5, 1.0)))
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, volume)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_an_axis_too_long_for_version_one_is_written_as_version_two(tmp_path):
    volume = Volume(np.arange(40_000, dtype=np.int32).reshape(1, 1, -1), Grid((1, 1, 40_000), (1.0, 1.0, 1.0)))
    write_volume(tmp_path / "a.nii.gz", volume)
    assert isinstance(nibabel.load(tmp_path / "a.nii.gz"), nibabel.Nifti2Image)
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz").array, volume.array)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_more_data_than_the_header_states_is_refused(tmp_path, name):
    """As where the type or the size in the header was changed: the voxels would be read as other numbers."""
    image = stored(np.arange(120, dtype=np.int16).reshape(4, 5, 6), vox_offset=352)
    write_bytes(tmp_path / name, image.header, np.asarray(image.dataobj))
    assert read_volume(tmp_path / name).array.sum() == 7140
    image.header["datatype"], image.header["bitpix"] = 2, 8  # uint8
    write_bytes(tmp_path / name, image.header, np.asarray(image.dataobj))
    with pytest.raises(ImageError, match="it has 120 bytes more than its header says"):
        read_volume(tmp_path / name)


def test_the_checksum_at_the_end_is_looked_at(tmp_path):
    array = np.zeros((64, 128, 128), np.int16)  # more than a reader's buffer holds
    write_volume(tmp_path / "a.nii.gz", Volume(array, Grid(array.shape, (1.0, 1.0, 1.0))))
    content = bytearray((tmp_path / "a.nii.gz").read_bytes())
    content[-8] ^= 1
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.nii\.gz.*damaged"):
        read_volume(tmp_path / "a.nii.gz")
