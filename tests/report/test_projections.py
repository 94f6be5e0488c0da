import io

import numpy as np
import pytest
from PIL import Image
from reports import CT, HOT_SUV, LOW_DOSE, aligned_case, case_volumes, low_dose_volumes

from ct2pet.report import colours, projections
from ct2pet.report.colours import ERROR, PET
from ct2pet.report.projections import Projection, align, largest, largest_error, png
from ct2pet.volume import Box, Grid, Volume


def test_projections_look_through_the_body_and_stand_on_their_feet():
    array = np.zeros((2, 3, 4), np.float32)
    array[1, 2, 3] = 5.0
    array[0, 1, 0] = -2.0
    np.testing.assert_array_equal(largest(array, 1), [[0, 0, 0, 5], [0, 0, 0, 0]])
    np.testing.assert_array_equal(largest(array, 2), [[0, 0, 5], [0, 0, 0]])
    np.testing.assert_array_equal(largest_error(array, 1), [[0, 0, 0, 5], [-2, 0, 0, 0]])
    np.testing.assert_array_equal(largest_error(-array, 2), [[0, 0, -5], [0, 2, 0]])


def test_a_case_has_eight_of_them_to_scale():
    case = aligned_case()
    found = list(projections.projections(case))
    titles = ["CT", "Real PET", "Synthetic PET", "Synthetic − real"]
    assert [(one.title, one.view) for one in found] == [(t, view) for view in ("coronal", "sagittal") for t in titles]
    z, y, x = np.multiply(case.real.grid.shape, case.real.grid.spacing)
    for one in found:
        assert one.size_mm == pytest.approx((z, x) if one.view == "coronal" else (z, y), abs=4.0)
    by_name = {(one.title, one.view): one.image for one in found}
    assert by_name["Real PET", "coronal"].max() == HOT_SUV
    assert by_name["Synthetic − real", "sagittal"].min() < 2 - HOT_SUV
    assert by_name["CT", "coronal"].max() == pytest.approx(900, abs=1)


def test_the_field_of_view_is_cut_to_the_body_and_keeps_hot_spots_outside():
    ct, real, fake = case_volumes()
    assert align(ct, real, fake, CT).real.grid.shape == (30, 12, 20)  # 12 mm around the body is more than there is
    wide = Grid((30, 12, 60), (4.0, 4.0, 4.0), (-80.0, 0.0, 0.0))

    def widened(volume, outside):
        array = np.full(wide.shape, outside, np.float32)
        array[..., 20:40] = volume.array
        return Volume(array, wide, volume.unit)

    ct, real, fake = widened(ct, -1000), widened(real, 0), widened(fake, 0)
    cut = align(ct, real, fake, CT)
    assert cut.real.grid == real.grid.crop(Box((0, 0, 20), (30, 12, 40)))
    np.testing.assert_array_equal(cut.real.array, real.array[..., 20:40])
    fake.array[5, 5, 58] = 3.0
    assert align(ct, real, fake, CT).fake.grid.shape[2] == 40


def test_an_empty_scan_is_shown_whole():
    grid = Grid((4, 5, 6), (4.0, 4.0, 4.0))
    ct, pet = Volume(np.full(grid.shape, -1000.0), grid), Volume(np.zeros(grid.shape), grid)
    assert align(ct, pet, pet, CT).real.grid.shape == grid.shape


def test_grids_of_their_own_meet_on_the_real_pets():
    ct, real, fake = case_volumes()
    finer = Volume(fake.array.repeat(2, 0).repeat(2, 1).repeat(2, 2), fake.grid.with_spacing((2.0, 2.0, 2.0)))
    case = align(ct.crop(Box((0, 0, 0), (9, 9, 9))), real, finer, CT)
    np.testing.assert_allclose(case.fake.array[3:-3, 3:-3, 4:-4], fake.array[3:-3, 3:-3, 4:-4], atol=0.3)


def test_an_input_that_is_a_pet_is_shown_as_one():
    image, real, fake = low_dose_volumes()
    found = list(projections.projections(align(image, real, fake, LOW_DOSE)))
    assert [one.title for one in found[:4]] == ["low dose PET", "Real PET", "Synthetic PET", "Synthetic − real"]
    for one in found[::4]:
        assert one.window == colours.PET
        assert one.window.unit == "SUV"
        assert one.image.max() == pytest.approx(image.array.max(), rel=0.05)  # interpolated to smaller pixels
    assert [one.window for one in projections.projections(aligned_case())][::4] == [colours.CT] * 2


def test_the_field_of_view_of_pets_is_cut_to_where_there_is_uptake():
    image, real, fake = low_dose_volumes()
    wide = Grid((30, 12, 60), (4.0, 4.0, 4.0), (-80.0, 0.0, 0.0))

    def widened(volume):
        array = np.zeros(wide.shape, np.float32)
        array[..., 20:40] = volume.array
        return Volume(array, wide, volume.unit)

    image, real, fake = map(widened, (image, real, fake))
    assert align(image, real, fake, LOW_DOSE).real.grid == real.grid.crop(Box((0, 0, 20), (30, 12, 40)))
    image.array[5, 5, 58] = 3.0  # what the low dose alone shows is kept
    assert align(image, real, fake, LOW_DOSE).real.grid.shape[2] == 40


def pixels(projection):
    return np.asarray(Image.open(io.BytesIO(png(projection))).convert("RGB"))


def test_pixels_are_square_and_colours_are_those_of_the_map():
    image = np.array([[0.0, 10.0], [5.0, 99.0]])
    shown = pixels(Projection("x", "coronal", image, (8.0, 4.0), PET))
    assert shown.shape == (8, 4, 3)
    assert tuple(shown[0, 0]) == (255, 255, 255)
    assert tuple(shown[0, -1]) == (0, 0, 0)
    assert tuple(shown[-1, -1]) == (0, 0, 0)
    error = pixels(Projection("x", "coronal", np.array([[-5.0, 0.0, 5.0]]), (2.0, 2.0), ERROR))
    (red, _, blue), middle, (other_red, _, other_blue) = error[0].astype(int)
    assert blue > red
    assert other_red > other_blue
    assert min(middle) > 240


def test_noisy_projections_of_a_whole_body_compress_well():
    noise = np.random.default_rng(0).gamma(1.0, 1.0, (640, 170))
    assert len(png(Projection("x", "coronal", noise, (3.0, 3.0), PET))) < 120_000
