"""A folder of DICOM slices as an image."""

import numpy as np
import pytest
from dicom_files import CT_GRID, Study, ct_series, enhanced_ct, localiser, pet_series, secondary_capture, values, write

from ct2pet.errors import ImageError
from ct2pet.imageio import count_voxels, image_suffixes, read_grid, read_volume, write_volume


def test_the_only_ct_series_of_a_folder_is_its_image(tmp_path):
    datasets = ct_series()
    write(datasets, tmp_path / "deep" / "er")
    write(localiser() + secondary_capture() + pet_series(), tmp_path, "other{}")
    volume = read_volume(tmp_path, "HU")
    np.testing.assert_array_equal(volume.array, values(datasets))
    assert volume.grid.matches(CT_GRID)
    assert read_grid(tmp_path) == volume.grid
    assert count_voxels(tmp_path) == volume.array.size
    assert volume.unit == "HU"


def test_an_enhanced_object_is_an_image_too(tmp_path):
    write(enhanced_ct(), tmp_path)
    assert read_volume(tmp_path).grid.matches(CT_GRID)


def test_a_folder_with_a_name_like_a_file_is_read_as_a_folder(tmp_path):
    write(ct_series(), tmp_path / "ct.nii.gz")
    assert read_grid(tmp_path / "ct.nii.gz").matches(CT_GRID)


def message_of(folder):
    with pytest.raises(ImageError) as caught:
        read_volume(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_several_series_are_no_image(tmp_path):
    write(ct_series() + ct_series(Study("PAT2"), number=5), tmp_path)
    expected = "it contains 2 CT series (CT series 2 (12 files); CT series 5 (12 files)); put each into its own folder"
    assert message_of(tmp_path) == f"{tmp_path}: {expected}"


def test_a_folder_without_a_ct(tmp_path):
    write(pet_series(), tmp_path)
    assert message_of(tmp_path) == f"{tmp_path}: no CT series (DICOM) in this folder"
    (tmp_path / "a.txt").write_text("text")
    assert message_of(tmp_path).endswith("but 1 x not a DICOM file")
    (tmp_path / "empty").mkdir()
    assert "no readable files" in message_of(tmp_path / "empty")


def test_a_series_with_a_missing_slice(tmp_path):
    datasets = ct_series()
    del datasets[5]
    write(datasets, tmp_path)
    assert message_of(tmp_path).startswith(f"{tmp_path}: 1 slice(s) missing between")


def test_a_file_that_is_truncated(tmp_path):
    path = write(ct_series(), tmp_path)[3]
    path.write_bytes(path.read_bytes()[:-10])
    assert message_of(tmp_path).startswith(f"{tmp_path}: image 4: its pixels are missing, truncated or damaged")


@pytest.mark.parametrize("number", [5, -1])
def test_a_file_without_content_next_to_the_images(tmp_path, number):
    write(ct_series(), tmp_path / "images")[number].write_bytes(b"")
    (tmp_path / "elsewhere.txt").touch()
    reason = "1 damaged file(s) next to its images (an empty file): slices may be missing; restore or remove them"
    assert message_of(tmp_path) == f"{tmp_path}: {reason}"


def test_folders_are_not_written(tmp_path):
    write(ct_series(), tmp_path / "ct")
    volume = read_volume(tmp_path / "ct")
    with pytest.raises(ImageError, match="is a folder; name a file"):
        write_volume(tmp_path / "ct", volume)
    assert all(suffix.startswith(".") for suffix in image_suffixes())
