"""Damaged files beside images: a missing slice in the middle of a series is seen there, one at its end is not. Files
without meta information."""

import numpy as np
import pytest
from dicom_files import ct_series, pet_series, write
from dicom_seg import segmentation
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from ct2pet.dicom.pairing import pair_images
from ct2pet.dicom.reading import read_dataset
from ct2pet.dicom.tree import scan_tree
from ct2pet.errors import ImageError
from ct2pet.imageio import read_volume


def cut_to(length):
    return lambda content: content[:length]


@pytest.mark.parametrize(
    "damage",
    [
        cut_to(0),
        cut_to(1),
        cut_to(100),
        cut_to(700),
        lambda content: bytes(len(content)),
        lambda content: b"\xff" * 999,
    ],
    ids=["empty", "1 byte", "100 bytes", "truncated", "zeros", "ones"],
)
def test_a_last_slice_that_is_damaged_is_noted(tmp_path, damage):
    for folder, datasets in {"ct": ct_series(), "pet": pet_series(NumberOfSlices=None)}.items():
        last = write(datasets, tmp_path / folder)[-1]
    (tmp_path / "elsewhere").write_bytes(b"")
    assert pair_images(scan_tree(tmp_path))[0][0].notes == ()
    last.write_bytes(damage(last.read_bytes()))
    expected = "1 damaged file(s) next to its images: the ends of a series may be missing"
    (exam,), _ = pair_images(scan_tree(tmp_path))
    assert exam.notes == exam.incomplete == (expected,)


def test_files_of_another_kind_next_to_the_images_are_no_missing_slices(tmp_path):
    for folder, datasets in {"ct": ct_series(), "pet": pet_series()}.items():
        write(datasets, tmp_path / folder)
    for name in ("README.txt", "Thumbs.db", "viewer.exe"):
        (tmp_path / "pet" / name).write_bytes(b"\xffsomething else" * 20)
    assert pair_images(scan_tree(tmp_path))[0][0].notes == ()


def save_bare(dataset, path, *, implicit=False, little=True):
    """A file without preamble and file meta information."""
    path.parent.mkdir(exist_ok=True)
    bare = Dataset({element.tag: element for element in dataset})
    if not little:
        bare.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        bare["PixelData"].VR = "OW"
    bare.save_as(path, implicit_vr=implicit, little_endian=little)
    assert b"DICM" not in path.read_bytes()


ENCODINGS = {  # implicit, little endian
    "implicit little endian": (True, True),
    "explicit little endian": (False, True),
    "explicit big endian": (False, False),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_images_without_meta_information_have_the_same_values(tmp_path, name):
    implicit, little = ENCODINGS[name]
    datasets = ct_series()
    write(datasets, tmp_path / "with")
    for index, dataset in enumerate(datasets):
        save_bare(dataset, tmp_path / "without" / f"{index}.dcm", implicit=implicit, little=little)
    found, expected = read_volume(tmp_path / "without"), read_volume(tmp_path / "with")
    np.testing.assert_array_equal(found.array, expected.array)
    assert found.grid.matches(expected.grid)


def test_a_segmentation_without_meta_information_is_read(tmp_path):
    images = pet_series()
    made = np.zeros((1, len(images), images[0].Rows, images[0].Columns), bool)
    made[0, 1:4, 2, 3] = True
    (dataset,) = segmentation(images, made)
    save_bare(dataset, tmp_path / "seg" / "bare.dcm")
    (structure,) = scan_tree(tmp_path).structures
    assert structure.references.series == {images[0].SeriesInstanceUID}
    np.testing.assert_array_equal(read_dataset(structure.path, pixels=True).pixel_array, dataset.pixel_array)


def test_compressed_pixels_without_meta_information_are_not_decoded(tmp_path):
    for index, dataset in enumerate(ct_series()):
        dataset.compress(RLELossless)
        save_bare(dataset, tmp_path / "ct" / f"{index}.dcm")
    with pytest.raises(ImageError, match="its pixels are missing, truncated or damaged"):
        read_volume(tmp_path / "ct")
