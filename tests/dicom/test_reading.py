"""Damaged files beside images: a missing slice in the middle of a series is seen there, one at its end is not."""

import pytest
from dicom_files import ct_series, pet_series, write

from ct2pet.dicom.pairing import pair_images
from ct2pet.dicom.tree import scan_tree


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
