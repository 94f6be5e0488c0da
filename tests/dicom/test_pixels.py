"""Voxels: SimpleITK's answer for classic series, the exact values for each compression, padding and damage."""

import gdcm
import numpy as np
import pytest
import SimpleITK as sitk
from dicom_compression import compress
from dicom_files import CT_GRID, PET_GRID, ct_series, enhanced_pet, pet_series, pixels, put, values, write
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from ct2pet.dicom.frames import series_stack
from ct2pet.dicom.pixels import read_ct, read_pet
from ct2pet.dicom.tree import scan_tree
from ct2pet.errors import ImageError
from ct2pet.volume import Grid


def stack_of(folder):
    (series,) = scan_tree(folder).series
    return series_stack(series)


def read_folder(folder):
    placed = stack_of(folder)
    return read_ct(placed) if "CT" in str(folder) else read_pet(placed, np.ones(len(placed.slices)))


def test_ct_values_are_those_that_simpleitk_reads(tmp_path):
    write(ct_series(RescaleSlope=2.0, RescaleIntercept=-900.0)[::-1], tmp_path)
    volume = read_ct(stack_of(tmp_path))
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path)))
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(image))
    assert volume.array.dtype == np.int16
    assert volume.unit == "HU"


def test_each_slice_of_a_pet_has_its_own_slope(tmp_path):
    """Compared with SimpleITK slice by slice: as a series it rescales all with the slope of one."""
    paths = write(pet_series(), tmp_path)
    volume = read_pet(stack_of(tmp_path), np.arange(1.0, 10.0))
    for z, path in enumerate(paths):
        plane = sitk.GetArrayFromImage(sitk.ReadImage(str(path), sitk.sitkFloat64))[0]
        np.testing.assert_allclose(volume.array[z], plane * (z + 1), rtol=1e-6)
    assert volume.array.dtype == np.float32
    assert volume.unit == "SUV"


def test_the_frames_of_an_enhanced_pet_have_slopes_of_their_own(tmp_path):
    write(enhanced_pet(), tmp_path / "enhanced")
    write(pet_series(), tmp_path / "classic")
    np.testing.assert_allclose(read_folder(tmp_path / "enhanced").array, read_folder(tmp_path / "classic").array)


def test_a_ct_of_fractions_or_of_large_numbers_is_float(tmp_path):
    write(ct_series(RescaleSlope=0.5), tmp_path / "halves")
    volume = read_ct(stack_of(tmp_path / "halves"))
    assert volume.array.dtype == np.float32
    assert volume.array.min() == -1024 + 24 / 2
    array = np.zeros(CT_GRID.shape)
    array[3, 2, 1] = 40000
    write(ct_series(array=array), tmp_path / "large")
    volume = read_ct(stack_of(tmp_path / "large"))
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array, array)


@pytest.mark.parametrize("stored", [-2000, 63536], ids=["signed", "written as unsigned"])
def test_padding_of_a_ct_becomes_air(tmp_path, stored):
    datasets = ct_series()
    for dataset in datasets:
        inside = dataset.pixel_array.astype(np.int32)
        inside[:3] = -2000
        pixels(dataset, inside, signed=True)
        put(dataset, {"PixelPaddingValue": stored % 65536})
        dataset["PixelPaddingValue"].VR = "US"
    write(datasets, tmp_path)
    array = read_ct(stack_of(tmp_path)).array
    assert (array[:, :3] == -1024).all()
    np.testing.assert_array_equal(array[:, 3:], np.stack([values([d])[0] for d in datasets])[:, 3:])


def test_a_range_of_padding(tmp_path):
    datasets = ct_series()
    for dataset in datasets:
        inside = dataset.pixel_array.astype(np.int32)
        inside[0], inside[1] = -2000, -1500
        pixels(dataset, inside, signed=True)
        put(dataset, {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1200})
    write(datasets, tmp_path)
    array = read_ct(stack_of(tmp_path)).array
    assert (array[:, :2] == -1024).all()
    assert array[:, 2:].min() >= -1000


def test_a_padding_value_in_the_range_of_tissue_is_ignored(tmp_path):
    write(ct_series(PixelPaddingValue=1024), tmp_path)
    assert (read_ct(stack_of(tmp_path)).array == 0).any()


def test_padding_of_a_pet_becomes_zero(tmp_path):
    datasets = pet_series()
    for dataset in datasets:
        inside = dataset.pixel_array.astype(np.int32)
        inside[-2:] = -32768
        pixels(dataset, inside, signed=True)
        put(dataset, {"PixelPaddingValue": -32768})
    write(datasets, tmp_path)
    array = read_folder(tmp_path).array
    assert (array[:, -2:] == 0).all()
    np.testing.assert_allclose(array[:, :-2], values(datasets)[:, :-2], rtol=1e-6)


UNCOMPRESSED = {
    "implicit little endian": ImplicitVRLittleEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "RLE": RLELossless,
}
LOSSLESS = {
    "JPEG lossless": gdcm.TransferSyntax.JPEGLosslessProcess14,
    "JPEG lossless, first order": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    "JPEG-LS": gdcm.TransferSyntax.JPEGLSLossless,
    "JPEG 2000 lossless": gdcm.TransferSyntax.JPEG2000Lossless,
}
LOSSY = {
    "JPEG baseline (8 bits)": (gdcm.TransferSyntax.JPEGBaselineProcess1, 8),
    "JPEG-LS near-lossless": (gdcm.TransferSyntax.JPEGLSNearLossless, 16),
    "JPEG 2000": (gdcm.TransferSyntax.JPEG2000, 16),
}


def noisy_ct(**tags):
    noise = np.random.default_rng(2).integers(-1000, 3000, CT_GRID.shape)
    noise[:, :4] = -1000  # flat parts take other ways through the coders
    return ct_series(array=noise, **tags), noise


@pytest.mark.parametrize("name", UNCOMPRESSED)
def test_images_of_other_transfer_syntaxes_have_the_same_values(tmp_path, name):
    datasets, expected = noisy_ct()
    for dataset in datasets:
        if UNCOMPRESSED[name] == RLELossless:
            dataset.compress(RLELossless)
        dataset.file_meta.TransferSyntaxUID = UNCOMPRESSED[name]
    write(datasets, tmp_path)
    np.testing.assert_array_equal(read_ct(stack_of(tmp_path)).array, expected)


def test_big_endian(tmp_path):
    datasets, expected = noisy_ct()
    for dataset in datasets:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        dataset["PixelData"].VR = "OW"
        dataset._read_little = None
    tmp_path.mkdir(exist_ok=True)
    for index, dataset in enumerate(datasets):
        dataset.save_as(tmp_path / str(index), implicit_vr=False, little_endian=False)
    array = read_ct(stack_of(tmp_path)).array
    assert array.dtype == np.dtype(np.int16)
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_compression(tmp_path, name):
    datasets, expected = noisy_ct()
    for path in write(datasets, tmp_path):
        compress(path, LOSSLESS[name])
    np.testing.assert_array_equal(read_ct(stack_of(tmp_path)).array, expected)


@pytest.mark.parametrize("name", ["JPEG lossless, first order", "JPEG 2000 lossless", "JPEG-LS"])
def test_lossless_compression_of_signed_values(tmp_path, name):
    grid = Grid((9, 40, 40), PET_GRID.spacing)
    datasets = pet_series(grid=grid, array=np.random.default_rng(3).normal(0, 1000, grid.shape), slopes=[0.1] * 9)
    for path in write(datasets, tmp_path):
        compress(path, LOSSLESS[name])
    np.testing.assert_allclose(read_folder(tmp_path).array, values(datasets), rtol=1e-6)
    assert values(datasets).min() < -1000


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_compression_is_near(tmp_path, name):
    syntax, bits = LOSSY[name]
    limit = min(2**bits - 1, 4095)
    smooth = np.linspace(0, limit, CT_GRID.shape[2]).round() * np.ones(CT_GRID.shape)
    datasets = ct_series(array=smooth - 1024)
    for dataset in datasets:
        stored = smooth[0].astype(np.uint8 if bits == 8 else np.uint16)
        dataset.PixelData = stored.tobytes()
        put(dataset, {"BitsAllocated": 8 if bits == 8 else 16, "BitsStored": bits, "HighBit": bits - 1})
        dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    for path in write(datasets, tmp_path):
        compress(path, syntax)
    array = read_ct(stack_of(tmp_path)).array
    assert np.abs(array - (smooth - 1024)).max() < 0.05 * limit
    assert np.ptp(array) > 0.8 * limit


def broken(tmp_path, datasets, spoil):
    paths = write(datasets, tmp_path)
    spoil(paths[4])
    placed = stack_of(tmp_path)
    with pytest.raises(ImageError) as caught:
        read_pet(placed, np.ones(len(placed.slices)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("cut", [1, 100])
def test_a_file_that_is_truncated(tmp_path, cut):
    message = broken(tmp_path, pet_series(), lambda path: path.write_bytes(path.read_bytes()[:-cut]))
    assert message.startswith("image 5: its pixels are missing, truncated or damaged")


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_compressed_file_that_is_truncated(tmp_path, name):
    def spoil(path):
        compress(path, LOSSLESS[name])
        path.write_bytes(path.read_bytes()[:-60])

    assert broken(tmp_path, noisy_ct()[0], spoil).startswith("image 5: its pixels are missing, truncated or damaged")


def test_a_file_without_pixels(tmp_path):
    datasets = pet_series()
    del datasets[4].PixelData
    assert "image 5: its pixels are missing" in broken(tmp_path, datasets, lambda path: None)


def test_a_file_that_vanishes(tmp_path):
    paths = write(pet_series(), tmp_path)
    placed = stack_of(tmp_path)
    paths[4].unlink()
    with pytest.raises(ImageError, match=r"image 5: cannot be read \(No such file"):
        read_pet(placed, np.ones(9))


@pytest.mark.parametrize(("keyword", "value"), [("RescaleSlope", b"NaN "), ("RescaleSlope", b"0 ")])
def test_an_invalid_rescale_slope_is_refused(tmp_path, keyword, value):
    datasets = pet_series()
    datasets[4][keyword]._value = value.decode().strip()
    message = broken(tmp_path, datasets, lambda path: None)
    assert message.startswith("image 5: its RescaleSlope")


def test_factors_that_are_no_numbers(tmp_path):
    write(pet_series(), tmp_path)
    with pytest.raises(ImageError, match="is invalid"):
        read_pet(stack_of(tmp_path), np.full(9, np.nan))


def test_pixels_of_another_size_than_in_the_header_are_refused(tmp_path):
    paths = write(pet_series(), tmp_path)
    placed = stack_of(tmp_path)
    write([pet_series(grid=CT_GRID)[0]], tmp_path / "other")[0].replace(paths[4])
    with pytest.raises(ImageError, match=r"image 5: its pixels are not 8 x 9"):
        read_pet(placed, np.ones(9))


def test_a_transfer_syntax_that_is_not_supported(tmp_path):
    datasets = pet_series()
    datasets[4].file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    datasets[4].PixelData = encapsulate([b"\0" * 16])
    datasets[4]["PixelData"].is_undefined_length = True
    message = broken(tmp_path, datasets, lambda path: None)
    assert message.startswith("image 5: its transfer syntax (MPEG-4 AVC/H.264 High Profile")
    assert message.endswith("is not supported; decompress it first")


def test_jpeg_of_12_bits_is_not_supported(tmp_path):
    """No decoder with a suitable licence reads it."""
    datasets = pet_series(BitsStored=12, HighBit=11)
    datasets[4].file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.51"
    datasets[4].PixelData = encapsulate([b"\0" * 16])
    datasets[4]["PixelData"].is_undefined_length = True
    assert "its transfer syntax (JPEG Extended" in broken(tmp_path, datasets, lambda path: None)
