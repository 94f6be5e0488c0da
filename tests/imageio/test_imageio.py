"""Every format against SimpleITK, there and back, and damaged in all ways."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from full_disk import file_size_limit

from ct2pet.errors import ImageError
from ct2pet.imageio import count_voxels, image_suffixes, read_grid, read_volume, strip_suffix, write_volume
from ct2pet.volume import Grid, Volume

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")
SINGLE_FILES = SUFFIXES[:4]


def rotation(degrees_x, degrees_y, degrees_z):
    euler = sitk.Euler3DTransform()
    euler.SetRotation(*np.deg2rad([degrees_x, degrees_y, degrees_z]))
    return np.array(euler.GetMatrix()).reshape(3, 3)


def permuted(order, signs):
    return np.eye(3)[:, list(order)] * np.array(signs)


DIRECTIONS = {
    "straight": np.eye(3),
    "flipped": np.diag([-1.0, -1.0, 1.0]),
    "mirrored": np.diag([-1.0, 1.0, 1.0]),
    "coronal": permuted((0, 2, 1), (1, 1, -1)),
    "sagittal": permuted((1, 2, 0), (-1, 1, 1)),
    "oblique": rotation(10, -20, 35),
    "oblique_permuted": rotation(5, 8, -12) @ permuted((2, 0, 1), (1, -1, -1)),
}


def some_volume(direction=DIRECTIONS["oblique"], dtype=np.int16, shape=(5, 6, 7)):
    values = np.random.default_rng(3).integers(0, 120, shape)
    if np.dtype(dtype) == bool:
        values = values > 60
    grid = Grid(shape, (3.0, 1.5, 0.75), (-101.5, 33.25, 1200.5), tuple(direction.ravel().tolist()))
    return Volume(values.astype(dtype), grid)


def same_place(grid, image):
    """Each voxel of a SimpleITK image has the physical point that the grid gives it (to NIfTI's float32)."""
    for index in itertools.product(*((0, n - 1) for n in image.GetSize())):
        here = (grid.affine @ np.array([*index, 1.0]))[:3]
        np.testing.assert_allclose(here, image.TransformIndexToPhysicalPoint(index), atol=1e-3)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_reads_what_simpleitk_writes(tmp_path, suffix, direction):
    volume = some_volume(DIRECTIONS[direction])
    image = sitk.GetImageFromArray(volume.array)
    image.SetOrigin(volume.grid.origin)
    image.SetSpacing(volume.grid.spacing[::-1])
    image.SetDirection(volume.grid.direction)
    path = tmp_path / f"a{suffix}"
    sitk.WriteImage(image, str(path))
    read = read_volume(path, "HU")
    np.testing.assert_array_equal(read.array, volume.array)
    assert read.array.dtype == np.int16
    assert read.unit == "HU"
    same_place(read.grid, image)
    assert read_grid(path) == read.grid


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_simpleitk_reads_what_is_written(tmp_path, suffix, direction):
    volume = some_volume(DIRECTIONS[direction])
    path = tmp_path / f"a{suffix}"
    write_volume(path, volume)
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.array)
    same_place(volume.grid, image)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "float32"])
def test_values_come_back_exactly_in_their_type(tmp_path, suffix, dtype):
    volume = some_volume(dtype=dtype)
    path = tmp_path / "folder" / f"a{suffix}"
    write_volume(path, volume)
    read = read_volume(path)
    np.testing.assert_array_equal(read.array, volume.array)
    assert read.array.dtype == np.dtype(dtype)
    assert read.grid.matches(volume.grid)
    assert not list(path.parent.glob(".*"))  # no temporary file stays


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("written", "read"), [("float64", "float32"), ("float16", "float32"), ("bool", "uint8")])
def test_types_that_become_others(tmp_path, suffix, written, read):
    volume = some_volume(dtype=written)
    write_volume(tmp_path / f"a{suffix}", volume)
    back = read_volume(tmp_path / f"a{suffix}").array
    assert back.dtype == np.dtype(read)
    np.testing.assert_array_equal(back, volume.array)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_array_of_another_memory_order_is_written_correctly(tmp_path, suffix):
    volume = some_volume(DIRECTIONS["oblique_permuted"]).to_canonical()
    assert not volume.array.flags.c_contiguous
    write_volume(tmp_path / f"a{suffix}", volume)
    np.testing.assert_array_equal(read_volume(tmp_path / f"a{suffix}").array, volume.array)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_letters_of_other_languages_and_spaces_in_file_names(tmp_path, suffix):
    volume = some_volume()
    path = tmp_path / "Männer größe" / f"Zürich 1.5 ł{suffix}"
    write_volume(path, volume)
    np.testing.assert_array_equal(read_volume(path).array, volume.array)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".mhd"])
def test_a_path_that_is_not_utf_8_is_refused_where_itk_would_end_the_process(tmp_path, suffix):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller" + suffix.encode()))
    path.write_bytes(b"content")
    for call in (read_volume, read_grid, lambda path: write_volume(path, some_volume())):
        with pytest.raises(ImageError, match="its path contains bytes that are not UTF-8: rename it") as caught:
            call(path)
        assert str(caught.value).count(str(path)) == 1
    assert path.read_bytes() == b"content"
    inner = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9")) / f"a{suffix}"
    with pytest.raises(ImageError, match="not UTF-8"):
        write_volume(inner, some_volume())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_endings_in_capitals(tmp_path, suffix):
    volume, path = some_volume(), tmp_path / f"A{suffix.upper()}"
    write_volume(path, volume)
    again = read_volume(path)
    np.testing.assert_array_equal(again.array, volume.array)
    assert again.grid.matches(volume.grid)
    others = {"A.MHD": ["A.zraw"]}.get(path.name, [])
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name, *others]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_writing_again_replaces_the_old_image(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_volume(path, some_volume())
    other = some_volume(dtype=np.float32, shape=(2, 3, 4))
    write_volume(path, other)
    np.testing.assert_array_equal(read_volume(path).array, other.array)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_one_line_and_leaves_the_old_image(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_volume(path, some_volume())
    before = {each: each.read_bytes() for each in tmp_path.iterdir()}
    noise = np.random.default_rng(0).random((20, 20, 20))
    with file_size_limit(2000), pytest.raises(ImageError) as caught:
        write_volume(path, Volume(noise, Grid(noise.shape, (1.0, 1.0, 1.0))))
    assert str(caught.value).startswith(f"{path}: cannot be written (")
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == before


def noisy_file(path):
    """An image that hardly compresses, so that a cut hits its data."""
    array = np.random.default_rng(0).integers(-1000, 1000, (8, 16, 16)).astype(np.int16)
    write_volume(path, Volume(array, Grid(array.shape, (1.0, 1.0, 1.0))))
    return path.read_bytes()


@pytest.mark.parametrize("suffix", SINGLE_FILES)
@pytest.mark.parametrize("kept", [0, 5, 100, 0.5, 0.9, -1])
def test_a_file_that_is_truncated_is_named(tmp_path, suffix, kept):
    path = tmp_path / f"cut{suffix}"
    content = noisy_file(path)
    path.write_bytes(content[: int(kept * len(content)) if 0 < kept < 1 else kept])
    with pytest.raises(ImageError, match=f"cut{suffix}"):
        read_volume(path)


def test_an_nrrd_that_does_not_say_how_it_is_oriented_is_refused(tmp_path):
    head = "NRRD0004\ntype: short\ndimension: 3\n{}sizes: 5 4 3\n{}\nencoding: raw\nendian: little\n\n"
    directions, data = "space directions: (2,0,0) (0,3,0) (0,0,4)", bytes(120)
    for name, space, axes in (
        ("dimension", "space dimension: 3\n", directions),
        ("spacings", "", "spacings: 2 3 4"),
        ("space", "space: right-anterior-superior\n", directions),
    ):
        (tmp_path / f"{name}.nrrd").write_bytes(head.format(space, axes).encode() + data)
    for name in ("dimension", "spacings"):
        with pytest.raises(ImageError, match=rf"{name}\.nrrd: its header has no field 'space'"):
            read_volume(tmp_path / f"{name}.nrrd")
    assert read_grid(tmp_path / "space.nrrd").direction == pytest.approx((-1, 0, 0, 0, -1, 0, 0, 0, 1))


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_a_compressed_file_with_wrong_bytes_is_named(tmp_path, suffix):
    path = tmp_path / f"wrong{suffix}"
    content = bytearray(noisy_file(path))
    middle = len(content) * 2 // 3
    content[middle : middle + 20] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f"wrong{suffix}"):
        read_volume(path)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_header_whose_data_file_is_truncated_or_gone_is_named(tmp_path, compressed):
    path = tmp_path / "a.mhd"
    sitk.WriteImage(sitk.GetImageFromArray(some_volume().array), str(path), compressed)
    data = next(file for file in tmp_path.iterdir() if file.suffix != ".mhd")
    data.write_bytes(data.read_bytes()[:-3])
    with pytest.raises(ImageError, match=r"a\.mhd.*truncated"):
        read_volume(path)
    data.unlink()
    with pytest.raises(ImageError, match=rf"a\.mhd.*{data.name} is missing"):
        read_volume(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_text_in_place_of_an_image_is_one_line_with_the_file(tmp_path, suffix):
    path = tmp_path / f"text{suffix}"
    path.write_text("this is not an image\n" * 50)
    with pytest.raises(ImageError, match=f"text{suffix}") as caught:
        read_volume(path)
    assert "\n" not in str(caught.value)


def test_files_that_are_missing_or_of_no_known_format_are_named(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.nii\.gz: no such file"):
        read_volume(tmp_path / "gone.nii.gz")
    (tmp_path / "a.png").touch()
    for call in (read_volume, read_grid, lambda path: write_volume(path, some_volume())):
        with pytest.raises(ImageError, match=r"a\.png.*\.nii\.gz"):
            call(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", SINGLE_FILES)
def test_a_fourth_axis_is_dropped_where_it_has_one_entry_and_refused_otherwise(tmp_path, suffix):
    array = np.arange(120, dtype=np.int16).reshape(1, 4, 5, 6)
    for frames in (1, 2):
        image = sitk.JoinSeries([sitk.GetImageFromArray(array[0])] * frames)
        sitk.WriteImage(image, str(tmp_path / f"{frames}{suffix}"))
    np.testing.assert_array_equal(read_volume(tmp_path / f"1{suffix}").array, array[0])
    for call in (read_volume, read_grid):
        with pytest.raises(ImageError, match=f"2{suffix}.*6 x 5 x 4 x 2; .*: write each volume to a file$"):
            call(tmp_path / f"2{suffix}")
    with pytest.raises(ImageError, match="three axes"):
        write_volume(tmp_path / f"3{suffix}", Volume(array, Grid((4, 5, 6), (1.0, 1.0, 1.0))))


@pytest.mark.parametrize("suffix", SINGLE_FILES)
def test_colours_and_flat_images_are_refused(tmp_path, suffix):
    colours = sitk.GetImageFromArray(np.zeros((4, 5, 6, 3), np.uint8), isVector=True)
    sitk.WriteImage(colours, str(tmp_path / f"colours{suffix}"))
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((5, 6), np.int16)), str(tmp_path / f"flat{suffix}"))
    for name in ("colours", "flat"):
        with pytest.raises(ImageError, match=f"{name}{suffix}"):
            read_volume(tmp_path / f"{name}{suffix}")


def test_suffixes_and_names():
    assert set(image_suffixes()) >= set(SUFFIXES)
    assert image_suffixes()[0] == ".nii.gz"
    assert strip_suffix("/a/b/case.1_0000.nii.gz") == "case.1_0000"
    assert strip_suffix("case.NII") == "case"
    assert strip_suffix("case.txt") == "case.txt"


def test_voxels_are_counted_where_there_is_an_image(tmp_path):
    write_volume(tmp_path / "a.nii.gz", Volume(np.zeros((2, 3, 5), np.uint8), Grid((2, 3, 5), (1.0, 1.0, 1.0))))
    (tmp_path / "b.nii.gz").write_bytes(b"no image")
    paths = [tmp_path / "a.nii.gz", tmp_path / "b.nii.gz", tmp_path / "lost.nii.gz", None]
    assert [count_voxels(path) for path in paths] == [30, 0, 0, 0]
