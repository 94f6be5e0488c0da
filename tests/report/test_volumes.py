import gzip

import numpy as np
import pytest
from reports import CT, LOW_DOSE, aligned_case, low_dose_volumes

from ct2pet.report.projections import AlignedCase, align
from ct2pet.report.volumes import CT_SCALE, PET_SCALE, _averaged, viewer_volumes
from ct2pet.volume import Grid, Volume


@pytest.mark.parametrize(("scale", "low", "high"), [(CT_SCALE, -950, 2000), (PET_SCALE, 0, 50)])
def test_a_code_stands_for_the_nearest_value(scale, low, high):
    table = np.array(scale.table())
    assert table[0] == low
    assert table[-1] == high
    assert (np.diff(table) > 0).all()
    np.testing.assert_array_equal(scale.encode(table), np.arange(256))
    values = np.linspace(low, high, 999)
    found = table[scale.encode(values)]
    assert (np.abs(found - values) <= np.diff(table).max() / 2 + 1e-3).all()
    np.testing.assert_array_equal(scale.encode([low - 100, high + 100]), [0, 255])


def test_steps_are_fine_where_eyes_look():
    suv, hu = np.array(PET_SCALE.table()), np.array(CT_SCALE.table())
    assert np.diff(suv[suv <= 5]).max() < 0.032
    assert np.diff(hu[(hu >= -200) & (hu <= 300)]).max() <= 4.01


def unpacked(volumes):
    return np.frombuffer(gzip.decompress(volumes.data), np.uint8).reshape(3, *volumes.shape)


def test_the_volumes_come_back():
    case = aligned_case()
    volumes = viewer_volumes(case)
    assert volumes.voxel_mm == 4.0  # no finer than the images
    assert volumes.shape == case.real.grid.shape
    ct, real, fake = unpacked(volumes)
    np.testing.assert_allclose(np.array(PET_SCALE.table())[real], case.real.array, atol=0.25)
    np.testing.assert_allclose(np.array(PET_SCALE.table())[fake], case.fake.array, atol=0.016)
    np.testing.assert_allclose(np.array(CT_SCALE.table())[ct], np.maximum(case.image.array, -950), atol=12)
    assert viewer_volumes(case) == volumes
    assert volumes.data[4:8] == bytes(4)  # no time: tomorrow the same, too


def test_an_input_that_is_a_pet_comes_back_in_suv():
    case = align(*low_dose_volumes(), LOW_DOSE)
    image, real, _ = unpacked(viewer_volumes(case))
    for codes, volume in ((image, case.image), (real, case.real)):
        np.testing.assert_allclose(np.array(PET_SCALE.table())[codes], volume.array, atol=0.25)


def noisy_case(shape, spacing=2.0):
    rng = np.random.default_rng(1)
    grid = Grid(shape, (spacing,) * 3)
    pets = [Volume(rng.gamma(2.0, 1.0, shape).astype(np.float32), grid) for _ in range(2)]
    return AlignedCase(Volume(rng.normal(0, 200, shape).astype(np.float32), grid), *pets, CT)


@pytest.mark.parametrize("most", [10_000, 30_000, 90_000])
def test_volumes_beyond_the_limit_get_slightly_larger_voxels(most):
    volumes = viewer_volumes(noisy_case((40, 40, 40)), most)
    assert 0.5 * most < len(volumes.data) <= most
    assert volumes.voxel_mm > 2.0
    extent = np.multiply(volumes.shape, volumes.voxel_mm)
    np.testing.assert_allclose(extent, 80.0, atol=volumes.voxel_mm)


def test_the_smallest_budget_gives_one_voxel():
    assert max(viewer_volumes(noisy_case((6, 6, 6)), 1).shape) == 1


def test_a_fine_ct_is_averaged_not_picked():
    grid = Grid((9, 8, 8), (3.0, 1.0, 1.0), (5.0, 6.0, 7.0))
    board = np.indices(grid.shape)[2] % 2 * 1000.0  # picking would find only 0 or only 1000
    averaged = _averaged(Volume(board.astype(np.float32), grid), 3.0)
    np.testing.assert_allclose(averaged.array, np.broadcast_to([1000 / 3, 2000 / 3], (9, 2, 2)), rtol=1e-5)
    assert averaged.grid.spacing == (3.0, 3.0, 3.0)
    assert averaged.grid.origin == pytest.approx((6.0, 7.0, 7.0))
    assert _averaged(averaged, 2.0) is averaged


def test_slices_show_less_noise_than_the_ct():
    fine = Grid((40, 40, 40), (1.0, 1.0, 1.0))
    pet = Volume(np.zeros((10, 10, 10), np.float32), Grid((10, 10, 10), (4.0, 4.0, 4.0), (1.5, 1.5, 1.5)))
    noise = np.random.default_rng(0).normal(50, 60, fine.shape).astype(np.float32)
    volumes = viewer_volumes(AlignedCase(Volume(noise, fine), pet, pet, CT), 900)
    assert 3.0 < volumes.voxel_mm < 6.0
    shown = np.array(CT_SCALE.table())[unpacked(volumes)[0]]
    assert shown.mean() == pytest.approx(50, abs=5)
    assert shown.std() < 60 / 4  # of 27 voxels or more; linear sampling of single ones would leave about half
