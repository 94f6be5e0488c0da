import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from raw_cases import permuted

from ct2pet.districts.pictures import _COLOURS, write_picture
from ct2pet.volume import Grid, Volume


def block(shape=(60, 40, 50), spacing=(3.0, 2.0, 2.0)):
    """A block of water with a district on top of another: 1 is above 2."""
    grid = Grid(shape, spacing)
    ct, labels = np.full(shape, -1000, np.int16), np.zeros(shape, np.uint8)
    inner = tuple(slice(n // 4, n - n // 4) for n in shape)
    ct[inner] = 0
    labels[inner] = 2
    labels[shape[0] // 2 :][labels[shape[0] // 2 :] > 0] = 1
    return Volume(ct, grid, "HU"), Volume(labels, grid, "label")


def picture_of(path, ct, labels, names=("up", "down")):
    districts = {name: number for number, name in enumerate(names, start=1)}
    write_picture(path, ct, labels, districts, {name: name for name in names})
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(float)


def centre_of(picture, colour):
    """The mean row and the number of the pixels outside the legend that have this colour's hue."""
    hue = np.array(to_rgb(colour))
    body = picture[30 : int(len(picture) * 0.9)]
    norm = np.linalg.norm(body, axis=-1) + 1e-9
    grey = body.mean(-1, keepdims=True)
    tint = hue - hue.mean()
    likeness = ((body - grey) @ tint) / (np.linalg.norm(body - grey, axis=-1) + 1e-9) / np.linalg.norm(tint)
    rows = np.nonzero((likeness > 0.99) & (norm > 40) & (np.ptp(body, axis=-1) > 20))[0]
    return rows.mean(), len(rows)


def test_each_district_has_its_colour_at_its_place_head_up(tmp_path):
    picture = picture_of(tmp_path / "a.png", *block())
    (above, many), (below, as_many) = (centre_of(picture, colour) for colour in _COLOURS[:2])
    assert above < below - 30
    assert min(many, as_many) > 1000


def test_the_orientation_in_the_file_changes_nothing(tmp_path):
    ct, labels = block()
    upright = picture_of(tmp_path / "a.png", ct, labels)
    np.testing.assert_array_equal(picture_of(tmp_path / "b.png", permuted(ct), permuted(labels)), upright)


@pytest.mark.parametrize(("shape", "spacing"), [((4, 60, 60), (5.0, 1.0, 1.0)), ((300, 12, 12), (3.0, 3.0, 3.0))])
def test_thin_fields_of_view_and_many_districts_have_a_picture_of_a_sensible_size(tmp_path, shape, spacing):
    ct, labels = block(shape, spacing)
    picture = picture_of(tmp_path / "a.png", ct, labels, [f"district{number}" for number in range(12)])
    assert 50 < picture.shape[0] < 900
    assert 300 < picture.shape[1] < 1500
