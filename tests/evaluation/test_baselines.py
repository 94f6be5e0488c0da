import numpy as np
import pytest

from ct2pet.evaluation import baselines


def test_baselines_are_made_by_name_and_blind_ones_without_the_real_pet():
    real = np.random.default_rng(0).random((8, 6, 6)).astype(np.float32)
    body = real > 0.5
    found = dict(baselines.baselines(real, (2.0, 2.0, 2.0), body, 0.75))
    assert tuple(found) == baselines.NAMES
    assert not found["zeros"].any()
    assert set(np.unique(found["body_median"])) == {0.0, 0.75}
    np.testing.assert_array_equal(found["body_median"] > 0, body)
    assert {pet.dtype for pet in found.values()} == {np.dtype(np.float32)}
    other = dict(baselines.baselines(real[::-1], (2.0, 2.0, 2.0), body, 0.75))
    for name in baselines.BLIND:
        np.testing.assert_array_equal(found[name], other[name])


def test_blur_has_its_width_in_mm_and_keeps_constants():
    spacing = (1.0, 2.0, 0.5)
    point = np.zeros((61, 31, 121), np.float32)
    point[30, 15, 60] = 1.0
    spread = baselines.blurred(point, spacing).astype(np.float64)
    assert spread.sum() == pytest.approx(1.0, rel=1e-4)
    for axis, size in enumerate(spacing):
        profile = spread.sum(axis=tuple(other for other in range(3) if other != axis))
        position = (np.arange(profile.size) - profile.size // 2) * size
        sigma = np.sqrt((profile * position**2).sum() / profile.sum())
        assert sigma * 2.3548 == pytest.approx(6.0, rel=0.02)
    np.testing.assert_allclose(baselines.blurred(np.full((5, 6, 7), 3.0, np.float32), spacing), 3.0, rtol=1e-6)


@pytest.mark.parametrize("spacing", [5.0, 2.5, 4.0, 3.0, 8.0])
def test_shift_moves_a_ramp_by_its_mm(spacing):
    ramp = np.broadcast_to((np.arange(12) * spacing).astype(np.float32)[:, None, None], (12, 3, 3))
    moved = baselines.shifted(ramp, (spacing, 1.0, 1.0))
    away = int(np.ceil(5.0 / spacing))
    np.testing.assert_allclose(moved[away:], ramp[away:] - 5.0, atol=1e-4)
    np.testing.assert_allclose(moved[0], ramp[0])
    assert ramp[-1, 0, 0] == 11 * spacing  # the input is untouched


def test_median_of_pooled_voxels_is_numpys():
    cases = [np.array([0.5, 2.0, 2.0]), np.array([1.0, 4.0, 7.5]), np.array([2.5])]
    assert baselines.pooled_median(map(baselines.suv_histogram, cases)) == 2.0
    even = [np.array([1.0, 3.0]), np.array([0.0, 10.0])]
    assert baselines.pooled_median(map(baselines.suv_histogram, even)) == 2.0
    values = np.random.default_rng(0).gamma(1.0, 2.0, 1001)
    assert baselines.pooled_median([baselines.suv_histogram(values)]) == pytest.approx(np.median(values), abs=5e-4)
    assert baselines.suv_histogram(np.full(1000, 99.5)).tolist() == [[99500], [1000]]  # small, whatever the range
    extremes = baselines.suv_histogram(np.array([-1.0, 0.0, 1e6]))
    assert baselines.pooled_median([extremes]) == 0.0
    assert baselines.pooled_median([]) == 0.0
