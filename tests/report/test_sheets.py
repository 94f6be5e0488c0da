import io

import numpy as np
from PIL import Image

from ct2pet.report.sheets import pair_sheet, sheet


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def test_sets_are_side_by_side_in_rows_of_six_in_grey_of_the_limits():
    first = np.arange(8.0)[:, None, None].repeat(64, 1).repeat(64, 2)
    second = np.full((1, 64, 64), 3.5)
    found = pixels(sheet([first, second], (0.0, 7.0)))
    assert found.shape == (128, 6 * 64 + 6 + 6 * 64)
    assert found[0, : 6 * 64 : 64].tolist() == [round(255 * value / 7) for value in range(6)]
    assert found[64, : 6 * 64 : 64].tolist() == [round(255 * 6 / 7), 255, 0, 0, 0, 0]
    assert found[0, 6 * 64 + 6] == 128  # half of the range
    assert (found[:, 6 * 64 : 6 * 64 + 6] == 128).all()  # the gap


def test_values_beyond_the_limits_are_black_and_white():
    found = pixels(sheet([np.array([[[-5.0, 50.0]] * 64]).repeat(32, 2)], (0.0, 20.0)))
    assert (found[0, 0], found[0, 63]) == (0, 255)


def test_small_slices_are_enlarged_without_interpolation():
    image = np.zeros((1, 16, 16))
    image[0, 3, 5] = 1.0
    found = pixels(pair_sheet(image, 1 - image, (0.0, 1.0)))
    assert found.shape == (128, 64)
    assert (found[12:16, 20:24] == 255).all()
    assert found[:64].sum() == 16 * 255
    assert (found[64:] == 255 - found[:64]).all()


def test_at_most_24_slices_of_a_set_are_shown():
    assert pixels(sheet([np.zeros((100, 64, 64))], (0.0, 1.0))).shape == (256, 384)
