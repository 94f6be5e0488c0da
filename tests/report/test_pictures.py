import io
import sys

import matplotlib.image
import numpy as np
import pytest

from ct2pet.report import pictures
from ct2pet.volume import Grid, Volume


def png_pixels(png):
    return matplotlib.image.imread(io.BytesIO(png), format="png")


def test_mip_looks_through_the_body_from_the_front():
    array = np.zeros((2, 3, 4), np.float32)
    array[1, 2, 3] = 5.0
    array[0, 1, 0] = -2.0
    expected = np.zeros((2, 4))
    expected[1, 3] = 5.0
    np.testing.assert_array_equal(pictures.coronal_mip(array), expected)
    expected[0, 0] = -2.0
    np.testing.assert_array_equal(pictures.coronal_error(array), expected)
    np.testing.assert_array_equal(pictures.coronal_error(-array), -expected)


def blob_case(shape=(60, 20, 24), spacing=(4.0, 4.0, 4.0)):
    grid = Grid(shape, spacing)
    pet = np.zeros(shape, np.float32)
    pet[-8:, :, -6:] = 9.0  # towards the head, on the patient's left
    return Volume(np.full(shape, -1000.0, np.float32), grid, "HU"), Volume(pet, grid, "SUV")


def test_head_is_up_and_left_is_right():
    _, real = blob_case()
    panel = pictures.Panel("x", pictures.coronal_mip(real.array), (0, 10), "gray_r", "SUV")
    pixels = png_pixels(pictures._png(pictures._figure([panel], 240.0, 96.0)))[..., 0]
    rows, columns = np.argwhere(pixels[40:-75] < 0.3).mean(axis=0) / pixels.shape  # without title and colour bar
    assert rows < 0.3
    assert columns > 0.6


def test_panels_have_the_shape_that_the_body_has(monkeypatch):
    ct, real = blob_case(shape=(30, 10, 24), spacing=(8.0, 4.0, 4.0))
    drawn = []
    monkeypatch.setattr(pictures, "_png", lambda figure: drawn.append(figure) or b"")
    pictures.case_picture(ct, real, real)
    panels = [axes for axes in drawn[0].axes if axes.images]
    assert [axes.get_title() for axes in panels] == ["CT", "Real PET", "Synthetic PET", "Synthetic − real"]
    for axes in panels:
        assert tuple(axes.images[0].get_extent()) == (0, 24 * 4.0, 0, 30 * 8.0)
        box = axes.get_window_extent()
        assert box.height / box.width == pytest.approx(240 / 96)
    low, high = panels[3].images[0].get_clim()
    assert low == -high


def test_noisy_whole_body_stays_small_and_leaves_no_state():
    rng = np.random.default_rng(0)
    grid = Grid((320, 40, 200), (3.0, 4.0, 3.0))
    ct = Volume(rng.normal(0, 300, grid.shape).astype(np.float32), grid)
    real, fake = (Volume(rng.gamma(1.0, 1.0, grid.shape).astype(np.float32), grid) for _ in range(2))
    png = pictures.case_picture(ct, real, fake)
    assert len(png) < 300_000
    assert png_pixels(png).shape[1] > 400
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_grids_of_their_own_meet_on_the_real_pets():
    ct, real = blob_case()
    finer = real.grid.with_spacing((2.0, 2.0, 2.0))
    fake = Volume(real.array.repeat(2, 0).repeat(2, 1).repeat(2, 2), finer, "SUV")
    small = Volume(ct.array[:5, :5, :5], Grid((5, 5, 5), (4.0, 4.0, 4.0)), "HU")
    assert png_pixels(pictures.case_picture(small, real, fake)).ndim == 3
