"""Synthetic images from a folder: what was written is what a study gets, and each gap is named."""

import numpy as np
import pytest

from ct2pet.errors import Ct2PetError
from ct2pet.imageio import write_volume
from ct2pet.study.image_folder import read_image_folder
from ct2pet.study.slices import SliceOptions
from ct2pet.volume import Grid, Volume

TARGETS, CLASSES = {"pet": "PET", "ct": "CT"}, ("benign", "malignant")
OPTIONS = SliceOptions(32.0, 16, 3)  # three slices of real cases; a synthetic image gives one


def write(path, values, unit, spacing=2.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.asarray(values, np.float32)[None]
    write_volume(path, Volume(array, Grid(array.shape, (3.0, spacing, spacing)), unit))


@pytest.fixture
def images():
    random = np.random.default_rng(1)
    return random.random((5, 2, 16, 16)).astype(np.float32) * np.array([8.0, -500.0], np.float32)[:, None, None]


@pytest.fixture
def folder(tmp_path, images):
    """Two benign and three malignant images, as ct2pet_synthesize names them, and its other files."""
    for number, (pet, ct) in enumerate(images):
        own = tmp_path / "made" / CLASSES[number >= 2]
        write(own / f"image_{number:04d}_PET.nii.gz", pet, "SUV")
        write(own / f"image_{number:04d}_CT.nii.gz", ct, "HU")
        (own / "synthesis.json").write_text("{}")
        (own / "sheet_benign_PET.png").write_bytes(b"")
    return tmp_path / "made"


def test_the_images_are_read_by_class_and_kind(folder, images):
    found = read_image_folder(folder, TARGETS, CLASSES, OPTIONS).slices
    np.testing.assert_allclose(found.images, images, atol=1e-3)
    assert (found.labels.tolist(), found.channels) == ([0, 0, 1, 1, 1], ("pet", "ct"))
    turned = read_image_folder(folder, {"ct": "CT", "pet": "PET"}, CLASSES[::-1], OPTIONS).slices
    assert (turned.labels.tolist(), turned.channels) == ([0, 0, 0, 1, 1], ("pet", "ct"))
    np.testing.assert_allclose(turned.images[:3], images[2:], atol=1e-3)


def test_one_kind_needs_no_name_of_a_target(tmp_path, images):
    for number, image in enumerate(images):
        write(tmp_path / CLASSES[number >= 2] / f"{number}.nii.gz", image[0], "SUV")
    found = read_image_folder(tmp_path, {"pet": "PET"}, CLASSES, OPTIONS).slices
    np.testing.assert_allclose(found.images[:, 0], images[:, 0], atol=1e-3)


def test_images_are_drawn_once_each_and_the_same_for_a_seed(folder):
    made = read_image_folder(folder, TARGETS, CLASSES, OPTIONS)
    drawn = made.sample(1, 3, seed=4)
    assert len({image.tobytes() for image in drawn}) == 3
    np.testing.assert_array_equal(drawn, made.sample(1, 3, seed=4))
    assert any(not np.array_equal(drawn, made.sample(1, 3, seed=seed)) for seed in range(5, 15))
    with pytest.raises(Ct2PetError, match="2 synthetic images of the class benign, 3 are needed"):
        made.sample(0, 3, seed=0)


def test_labels_are_limited_to_the_images_that_there_are(folder):
    made = read_image_folder(folder, TARGETS, CLASSES, OPTIONS)
    assert made.limited(np.array([1, 0, 0, 0, 1])).tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "malignant").rename(folder / "other"), "malignant: no such folder"),
        (lambda folder: (folder / "benign" / "image_0001_CT.nii.gz").unlink(), "image_0001_CT.nii.gz: no such file"),
        (lambda folder: [path.unlink() for path in (folder / "benign").glob("*.nii.gz")], "benign: no images"),
        (
            lambda folder: write(folder / "benign" / "image_0000_PET.nii.gz", np.zeros((16, 16)), "SUV", 1.5),
            "image_0000_PET.nii.gz: 24 mm wide, slices have 32 mm; see --size_mm",
        ),
    ],
)
def test_missing_or_unsuitable_files_of_the_folder_are_named(folder, change, message):
    change(folder)
    with pytest.raises(Ct2PetError, match=message):
        read_image_folder(folder, TARGETS, CLASSES, OPTIONS)
