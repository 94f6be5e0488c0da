"""Images of a reader study: nothing but their content tells real from synthetic."""

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from ct2pet.errors import ImageError
from ct2pet.imageio import write_volume
from ct2pet.study.reader_study.images import draw_images, encoded
from ct2pet.volume import Grid, Volume


def write_pictures(folder, number, size=(12, 16), seed=0):
    folder.mkdir()
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (number, *size), dtype=np.uint8)
    for index, image in enumerate(images):
        information = PngImagePlugin.PngInfo()
        information.add_text("Origin", f"SECRET {folder.name} {index}")
        Image.fromarray(image).save(folder / f"SECRET_{index:02d}.png", pnginfo=information)
    return images


def write_volumes(folder, values, slices=1):
    folder.mkdir()
    for index, value in enumerate(values):
        array = np.full((slices, 6, 8), -99.0, np.float32)
        array[slices // 2] = value
        write_volume(folder / f"{index}.nii.gz", Volume(array, Grid(array.shape, (3.0, 2.0, 2.0))))
    return folder


def draw(folders, number=4, seed=1, window=None):
    return draw_images(folders, number, np.random.default_rng(seed), window)


def test_pictures_keep_their_grey_values(tmp_path):
    images = [write_pictures(tmp_path / name, 6, seed=seed) for seed, name in enumerate(("real", "synthetic"))]
    for own, drawn in zip(images, draw([tmp_path / "real", tmp_path / "synthetic"], 6)):
        assert {image.tobytes() for image in drawn} == {image.tobytes() for image in own}


def test_encoding_loses_metadata_and_has_one_length_for_all_contents(tmp_path):
    write_pictures(tmp_path / "real", 1)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    files = [encoded(noise), encoded(np.zeros_like(noise)), encoded(np.tile(np.arange(64, dtype=np.uint8), (64, 1)))]
    assert len({len(file) for file in files}) == 1
    assert b"SECRET" in (tmp_path / "real" / "SECRET_00.png").read_bytes()
    (drawn,), _ = draw([tmp_path / "real", tmp_path / "real"], 1)
    assert b"SECRET" not in encoded(drawn)


def test_volumes_are_shown_in_one_window_for_both_kinds(tmp_path):
    folders = [write_volumes(tmp_path / "a", [0.0, 5.0]), write_volumes(tmp_path / "b", [10.0, 2.5])]
    greys = [sorted(int(image[0, 0]) for image in own) for own in draw(folders, 2, window=(0.0, 10.0))]
    assert greys == [[0, 128], [64, 255]]
    automatic = [sorted(int(image[0, 0]) for image in own) for own in draw(folders, 2)]
    assert automatic[0][0] == 0
    assert automatic[1][1] == 255


def test_the_middle_slice_of_a_volume_is_shown(tmp_path):
    folders = [write_volumes(tmp_path / name, [3.0], slices=5) for name in "ab"]
    assert (draw(folders, 1, window=(0.0, 3.0))[0][0] == 255).all()


def test_a_16_bit_picture_keeps_its_range(tmp_path):
    for name in ("real", "synthetic"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((4, 4), 32896, np.uint16)).save(tmp_path / name / "a.png")
    assert (draw([tmp_path / "real", tmp_path / "synthetic"], 1)[0][0] == 128).all()


def test_the_drawn_images_are_determined_by_the_seed(tmp_path):
    for name in ("real", "synthetic"):
        write_pictures(tmp_path / name, 20)
    first, same, other = (np.array(draw([tmp_path / "real", tmp_path / "synthetic"], 5, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_image_sets_that_differ_in_size_or_format_are_refused(tmp_path):
    write_pictures(tmp_path / "real", 3)
    write_pictures(tmp_path / "larger", 3, size=(24, 32))
    with pytest.raises(ImageError, match=r"larger.*32 x 24 pixels, .* has 16 x 12; readers could tell"):
        draw([tmp_path / "real", tmp_path / "larger"], 3)
    volumes = write_volumes(tmp_path / "volumes", [1.0] * 3)
    with pytest.raises(ImageError, match="pictures and volumes are mixed"):
        draw([tmp_path / "real", volumes], 3)


def test_too_few_images_a_missing_folder_and_a_damaged_file_are_named(tmp_path):
    write_pictures(tmp_path / "real", 3)
    with pytest.raises(ImageError, match="real: 3 images, 4 are needed"):
        draw([tmp_path / "real", tmp_path / "real"], 4)
    with pytest.raises(ImageError, match="none: no such folder"):
        draw([tmp_path / "none", tmp_path / "real"], 3)
    (tmp_path / "real" / "SECRET_00.png").write_bytes(b"\x89PNG nothing")
    with pytest.raises(ImageError, match=r"SECRET_00\.png: cannot be read"):
        draw([tmp_path / "real", tmp_path / "real"], 3)
