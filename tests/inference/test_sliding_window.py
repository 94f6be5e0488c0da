import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from ct2pet.inference.sliding_window import SlidingWindow, windows_at_once
from ct2pet.volume import Box


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
def test_skipped_windows_change_nothing_inside_the_mask(shape, patch, overlap, seed):
    """The same windows without skipping: those of the whole box."""
    mask = blob(shape, seed)
    box = Box.around(mask)
    everything = np.zeros(shape, bool)
    if box is not None:
        everything[box.slices] = True
    window = SlidingWindow(patch, overlap)
    assert set(window.positions(mask)) <= set(window.positions(everything))
    ct = image(shape, seed)
    function = torch.nn.Conv3d(1, 1, 3, padding=1, bias=True)
    torch.nn.init.normal_(function.weight, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        some, all_ = (window.translate(ct, which, function) for which in (mask, everything))
    np.testing.assert_allclose(some[mask], all_[mask], atol=1e-5)


def test_windows_that_touch_no_voxel_of_the_mask_are_not_translated():
    mask = np.zeros((32, 8, 8), bool)
    mask[:4], mask[-4:] = True, True
    seen = []
    window = SlidingWindow((8, 8, 8), 0.0)
    window.translate(image(mask.shape), mask, lambda x: seen.append(len(x)) or x)
    assert window.positions(mask) == [(0, 0, 0), (24, 0, 0)]
    assert sum(seen) == 2


def test_windows_are_fitted_to_the_box_with_even_steps():
    mask = np.zeros((100, 20, 20), bool)
    mask[10:75, 4:16, 4:16] = True  # 65 voxels, windows of 32 at half overlap: 33 / 16 makes three steps of 11
    assert SlidingWindow((32, 12, 12), 0.5).positions(mask) == [(z, 4, 4) for z in (10, 21, 32, 43)]


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
