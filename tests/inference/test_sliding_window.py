import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from ct2pet.inference.sliding_window import SlidingWindow, windows_at_once


def blob(shape, seed):
    """An irregular mask: some smooth noise above its 70th percentile."""
    noise = uniform_filter(np.random.default_rng(seed).normal(size=shape), 5)
    return noise > np.percentile(noise, 70)


def image(shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


shapes = st.tuples(*[st.integers(1, 14)] * 3)
patches = st.tuples(*[st.integers(1, 8)] * 3)
overlaps = st.sampled_from([0.0, 0.25, 0.5, 0.6, 0.75, 0.9])


def test_a_gpu_gets_as_many_small_windows_as_fill_it_and_a_cpu_two():
    assert windows_at_once([32, 32, 32], "cuda:1") == 32
    assert windows_at_once([160, 160, 160], "cuda") == 1
    assert windows_at_once([32, 32, 32], "cpu") == 2


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shapes, patches, overlaps, st.integers(0, 99), st.integers(1, 3))
def test_identity_gives_the_input_inside_the_mask_and_zero_outside(shape, patch, overlap, seed, batch):
    ct, mask = image(shape, seed), blob(shape, seed)
    pet = SlidingWindow(patch, overlap, batch).translate(ct, mask, lambda windows: windows)
    assert pet.dtype == np.float32
    np.testing.assert_array_equal(pet, np.where(mask, ct, 0))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shapes, patches, overlaps, st.integers(0, 99))
def test_the_average_is_that_of_a_brute_force_sum_and_count(shape, patch, overlap, seed):
    """Each window adds its own number, so that every voxel's average depends on which windows met there."""
    mask = blob(shape, seed)
    window = SlidingWindow(patch, overlap)
    total, count = np.zeros(shape), np.zeros(shape)
    for number, position in enumerate(window.positions(mask)):
        for offset in np.ndindex(*patch):
            voxel = tuple(p + o for p, o in zip(position, offset))
            if all(0 <= v < n for v, n in zip(voxel, shape)):
                total[voxel] += number
                count[voxel] += 1
    assert (count[mask] > 0).all()
    numbers = iter(range(10**6))
    pet = window.translate(
        image(shape), mask, lambda x: torch.stack([torch.full(x.shape[1:], float(next(numbers))) for _ in x])
    )
    expected = np.divide(total, count, out=np.zeros(shape), where=count > 0)
    np.testing.assert_allclose(pet[mask], expected[mask], rtol=1e-5, atol=1e-5)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shapes, patches, overlaps, st.integers(0, 99))
def test_every_window_touches_the_mask_and_all_of_it_is_covered(shape, patch, overlap, seed):
    mask = blob(shape, seed)
    covered = np.zeros(shape, bool)
    for position in SlidingWindow(patch, overlap).positions(mask):
        inside = tuple(slice(max(0, a), a + n) for a, n in zip(position, patch))
        assert mask[inside].any()
        covered[inside] = True
    assert covered[mask].all()


@pytest.mark.parametrize("seed", range(3))
def test_windows_that_are_left_out_change_nothing_inside_the_mask(seed):
    """The same windows, and those of the whole volume that hold nothing of the mask."""
    shape, patch = (14, 13, 12), (4, 4, 4)
    ct, mask = image(shape, seed), blob(shape, seed)
    window = SlidingWindow(patch, 0.5)
    function = torch.nn.Conv3d(1, 1, 3, padding=1, bias=True)
    torch.nn.init.normal_(function.weight, generator=torch.Generator().manual_seed(1))
    corners = np.ndindex(*(n - p + 1 for n, p in zip(shape, patch)))
    air = [c for c in corners if not mask[tuple(slice(a, a + 4) for a in c)].any()]

    class Everywhere(SlidingWindow):
        def positions(self, mask):
            return [*air, *super().positions(mask)]

    with torch.no_grad():
        some, all_ = (one.translate(ct, mask, function) for one in (window, Everywhere(patch, 0.5)))
    assert len(air) > 20
    np.testing.assert_allclose(some, all_, atol=1e-6)


def test_windows_follow_the_body_not_its_box():
    """Two legs that spread: rows of windows are fitted to what each layer holds."""
    mask = np.zeros((96, 16, 96), bool)
    for z in range(96):
        shift = 40 * z // 96
        mask[z, :, 40 - shift : 56 - shift] = True
        mask[z, :, 40 + shift : 56 + shift] = True
    found = SlidingWindow((16, 16, 16), 0.5).positions(mask)
    box = 11 * 11  # windows along Z and X of the box at half overlap
    assert len(found) < 0.6 * box
    rows = [[x for z, _, x in found if z == layer] for layer in sorted({z for z, *_ in found})]
    assert max(rows[0]) - min(rows[0]) < 30 < max(rows[-1]) - min(rows[-1])


def test_windows_that_touch_no_voxel_of_the_mask_are_not_translated():
    mask = np.zeros((32, 8, 8), bool)
    mask[:4], mask[-4:] = True, True
    seen = []
    window = SlidingWindow((8, 8, 8), 0.0)
    window.translate(image(mask.shape), mask, lambda x: seen.append(len(x)) or x)
    assert window.positions(mask) == [(0, 0, 0), (24, 0, 0)]
    assert sum(seen) == 2


def test_windows_are_fitted_to_the_mask_and_a_rim_with_even_steps():
    mask = np.zeros((100, 20, 20), bool)
    mask[10:71, 4:16, 4:16] = True  # 61 voxels and 2 on both sides, windows of 32 at half overlap: 33 / 16 is 3 steps
    assert SlidingWindow((32, 12, 12), 0.5).positions(mask) == [(z, 4, 4) for z in (8, 19, 30, 41)]


def test_the_rim_ends_with_the_volume():
    mask = np.ones((70, 1, 1), bool)
    starts = [z for z, *_ in SlidingWindow((32, 1, 1), 0.5).positions(mask)]
    assert (starts[0], starts[-1]) == (0, 38)


def test_a_window_larger_than_the_box_shows_what_is_around_it_and_air_only_beyond_the_volume():
    ct = np.full((6, 20, 20), 0.5, np.float32)
    mask = np.zeros(ct.shape, bool)
    mask[2:5, 0:4, 9:11] = True
    seen = []
    SlidingWindow((8, 8, 8), 0.5).translate(ct, mask, lambda x: seen.append(x.clone()) or x)
    (window,) = seen
    assert window.shape == (1, 1, 8, 8, 8)
    assert (window[0, 0, 1:7] == 0.5).all()
    assert (window[0, 0, [0, 7]] == -1).all()


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5, 0.8])
def test_neighbours_overlap_by_at_least_the_share_asked_for(overlap):
    mask = np.ones((97, 1, 1), bool)
    starts = [z for z, _, _ in SlidingWindow((20, 1, 1), overlap).positions(mask)]
    steps = np.diff(starts)
    assert starts[0] == 0
    assert starts[-1] == 77
    assert steps.max() <= np.ceil(20 * (1 - overlap))
    assert steps.max() - steps.min() <= 1


def test_an_empty_mask_calls_nothing_and_gives_zeros():
    pet = SlidingWindow((4, 4, 4), 0.5).translate(image((5, 6, 7)), np.zeros((5, 6, 7), bool), pytest.fail)
    np.testing.assert_array_equal(pet, np.zeros((5, 6, 7)))


def test_flipped_views_are_taken_as_they_are():
    ct, mask = image((9, 8, 7))[::-1, :, ::-1], blob((9, 8, 7), 2)[::-1]
    pet = SlidingWindow((4, 4, 4), 0.5).translate(ct, mask, lambda x: x)
    np.testing.assert_array_equal(pet, np.where(mask, ct, 0))


def test_progress_adds_up_to_the_whole():
    shares = []
    mask = blob((20, 20, 20), 3)
    SlidingWindow((6, 6, 6), 0.5, 3).translate(image(mask.shape), mask, lambda x: x, shares.append)
    assert len(shares) > 5
    assert sum(shares) == pytest.approx(1)


def test_a_function_that_changes_the_shape_is_refused():
    with pytest.raises(ValueError, match="were translated to"):
        SlidingWindow((4, 4, 4), 0.5).translate(image((5, 5, 5)), blob((5, 5, 5), 0), lambda x: x[..., 1:])
