"""JPEG 2000 whose sign differs from the header's: the values that SimpleITK reads."""

import gdcm
import numpy as np
import pytest
import SimpleITK as sitk
from dicom_compression import compress
from dicom_files import ct_series, pixels, put, write
from pydicom import dcmread

from ct2pet.dicom.frames import series_stack
from ct2pet.dicom.jpeg2000 import match_sign
from ct2pet.dicom.pixels import read_ct
from ct2pet.dicom.tree import scan_tree
from ct2pet.volume import Grid

GRID = Grid((2, 40, 40), (3.0, 2.0, 2.0))


def compressed(folder, bits, signed, header_signed, syntax=gdcm.TransferSyntax.JPEG2000Lossless, **tags):
    """Files whose codestreams hold all values of ``bits`` bits; then the header's sign is set."""
    low = -(2 ** (bits - 1)) if signed else 0
    values = np.linspace(low, low + 2**bits - 1, GRID.shape[0] * 1600).round().reshape(GRID.shape)
    datasets = ct_series(grid=GRID, array=np.zeros(GRID.shape), RescaleIntercept=0.0)
    for dataset, plane in zip(datasets, values):
        pixels(dataset, plane, signed)
        put(dataset, {"BitsStored": bits, "HighBit": bits - 1})
    paths = write(datasets, folder)
    for path in paths:
        compress(path, syntax)
        dataset = dcmread(path)
        put(dataset, {"PixelRepresentation": int(header_signed), **tags})
        for keyword in tags:
            dataset[keyword].VR = "SS" if header_signed else "US"
        dataset.save_as(path)
    return paths, values


def read(folder):
    (series,) = scan_tree(folder).series
    return read_ct(series_stack(series)).array


@pytest.mark.parametrize("lossy", [False, True])
@pytest.mark.parametrize("header_signed", [False, True])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_values_are_those_that_simpleitk_reads(tmp_path, bits, signed, header_signed, lossy):
    syntax = gdcm.TransferSyntax.JPEG2000 if lossy else gdcm.TransferSyntax.JPEG2000Lossless
    paths, _ = compressed(tmp_path, bits, signed, header_signed, syntax)
    expected = [sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0] for path in paths]
    np.testing.assert_array_equal(read(tmp_path), np.stack(expected))


def test_signed_values_that_were_compressed_as_unsigned_come_back(tmp_path):
    """-1000 of 12 bits is 3096 without a sign."""
    _, values = compressed(tmp_path, 12, signed=False, header_signed=True)
    np.testing.assert_array_equal(read(tmp_path), np.where(values > 2047, values - 4096, values))


def test_padding_is_found_by_the_headers_sign(tmp_path):
    padding = {"PixelPaddingValue": -32768, "PixelPaddingRangeLimit": -30000}
    _, values = compressed(tmp_path, 16, signed=False, header_signed=True, **padding)
    meant = np.where(values > 32767, values - 65536, values)
    np.testing.assert_array_equal(read(tmp_path), np.where(meant <= -30000, -1024, meant))


def test_other_objects_and_damaged_codestreams_are_not_changed(tmp_path):
    stored = np.arange(4, dtype=np.int16)
    assert match_sign(ct_series()[0])(stored) is stored
    paths, _ = compressed(tmp_path, 12, signed=True, header_signed=False)
    dataset = dcmread(paths[0])
    dataset.PixelData = b"\0" * 40
    assert match_sign(dataset)(stored) is stored
    assert dataset.PixelRepresentation == 0
