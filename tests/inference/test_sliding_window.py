import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from windows import blob, identity, image, merged

from ct2pet.inference.sliding_window import SlidingWindow
from ct2pet.volume import Box

shapes = st.tuples(*[st.integers(1, 14)] * 3)
patches = st.tuples(*[st.integers(1, 8)] * 3)
overlaps = st.sampled_from([0.0, 0.25, 0.5, 0.6, 0.75, 0.9])
CHANNELS = {"PET": 1, "organs": 5}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shapes, patches, overlaps, st.integers(0, 99), st.integers(1, 3), st.integers(1, 3))
def test_identity_gives_the_inputs_inside_the_mask(shape, patch, overlap, seed, batch, num_inputs):
    images, mask = [image(shape, seed + number) for number in range(num_inputs)], blob(shape, seed)
    out = merged(SlidingWindow(patch, overlap, batch), images, mask, identity)["out"]
    assert len(out) == num_inputs
    for channel, expected in zip(out, images):
        np.testing.assert_array_equal(channel[mask], expected[mask])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shapes, patches, overlaps, st.integers(0, 99), st.integers(1, 4))
def test_the_average_is_that_of_sum_and_count_over_the_whole_volume(shape, patch, overlap, seed, batch):
    """Every window answers random numbers of its own; sums and counts are taken in float64, apart from the slabs."""
    mask = blob(shape, seed)
    window = SlidingWindow(patch, overlap, batch)
    answers = [
        {name: random.uniform(-1, 1, (channels, *patch)).astype(np.float32) for name, channels in CHANNELS.items()}
        for random in map(np.random.default_rng, range(len(window.positions(mask))))
    ]
    remaining = iter(answers)

    def function(windows):
        some = [next(remaining) for _ in windows]
        return {name: torch.from_numpy(np.stack([one[name] for one in some])) for name in CHANNELS}

    found = merged(window, [image(shape)], mask, function)
    for name, channels in CHANNELS.items():
        total, count = np.zeros((channels, *shape)), np.zeros(shape)
        for position, answer in zip(window.positions(mask), answers):
            inside = tuple(slice(max(0, a), a + n) for a, n in zip(position, patch))
            part = tuple(slice(max(0, -a), n - a) for a, n in zip(position, shape))
            total[(slice(None), *inside)] += answer[name][(slice(None), *part)]
            count[inside] += 1
        assert (count[mask] > 0).all()
        expected = total / np.maximum(count, 1)
        np.testing.assert_allclose(found[name][:, mask], expected[:, mask], rtol=0, atol=1e-6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shapes, patches, overlaps, st.integers(0, 99), st.floats(-9, 9, width=32))
def test_constant_in_is_exactly_constant_out_in_every_output_and_channel(shape, patch, overlap, seed, value):
    mask = blob(shape, seed)

    def function(windows):
        assert (windows == value).all()
        channels = {name: torch.arange(number).reshape(1, -1, 1, 1, 1) for name, number in CHANNELS.items()}
        return {name: windows + channel for name, channel in channels.items()}

    constant = np.full(shape, value, np.float32)
    found = merged(SlidingWindow(patch, overlap), [constant], mask, function, outside=[value])
    for name, number in CHANNELS.items():
        for channel in range(number):
            assert (found[name][channel][mask] == np.float32(value) + np.float32(channel)).all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 8), overlaps, st.integers(0, 40), st.integers(0, 99), st.integers(1, 4))
def test_the_slabs_are_the_box_of_the_mask_once_in_order_and_without_gaps(depth, overlap, gap, seed, batch):
    """Also where the mask has slices without a voxel in it, more than a window is deep."""
    parts = [blob((6, 9, 8), seed), np.zeros((gap, 9, 8), bool), blob((5, 9, 8), seed + 1)]
    mask = np.pad(np.concatenate(parts), [(2, 3), (0, 0), (0, 0)])
    window = SlidingWindow((depth, 4, 4), overlap, batch)
    boxes = [slab.box for slab in window.slabs([image(mask.shape)], [0.0], mask, identity)]
    whole = Box.around(mask)
    assert [box.start[0] for box in boxes] == [whole.start[0], *(box.stop[0] for box in boxes[:-1])]
    assert boxes[-1].stop[0] == whole.stop[0]
    assert {(box.start[1:], box.stop[1:]) for box in boxes} == {(whole.start[1:], whole.stop[1:])}
    assert all(box.shape[0] >= 1 for box in boxes)


class LargestTensor(TorchDispatchMode):
    """The number of values of the largest tensor that torch makes inside the block."""

    numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.numel = max(self.numel, result.numel())
        return result


@pytest.mark.parametrize("gap", [False, True])
def test_the_memory_of_the_slabs_is_bounded_by_a_window_whatever_the_length_of_the_body(gap):
    """19 channels over 240 slices; also where most slices hold no voxel of the mask."""
    mask = np.ones((240, 8, 8), bool)
    mask[20:220] = not gap
    window = SlidingWindow((8, 8, 8), 0.5)
    with LargestTensor() as largest:
        for slab in window.slabs([image(mask.shape)], [0.0], mask, lambda x: {"labels": x.expand(-1, 19, -1, -1, -1)}):
            assert slab.box.shape[0] <= 8
    assert 0 < largest.numel <= 2 * 19 * 8**3  # the answers of two windows; the whole volume has 15 times as many


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
def test_windows_that_are_omitted_change_nothing_inside_the_mask(seed):
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
            return sorted([*air, *super().positions(mask)])

    with torch.no_grad():
        some, all_ = (
            merged(one, [ct], mask, lambda x: {"out": function(x)})["out"][0]
            for one in (window, Everywhere(patch, 0.5))
        )
    assert len(air) > 20
    np.testing.assert_allclose(some[mask], all_[mask], atol=1e-6)


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


def test_windows_that_touch_no_voxel_of_the_mask_are_not_computed():
    mask = np.zeros((32, 8, 8), bool)
    mask[:4], mask[-4:] = True, True
    seen = []
    window = SlidingWindow((8, 8, 8), 0.0)
    merged(window, [image(mask.shape)], mask, lambda x: seen.append(len(x)) or identity(x))
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


def test_a_window_larger_than_the_box_shows_what_is_around_it_and_beyond_the_volume_what_each_image_has_outside():
    images = [np.full((6, 20, 20), value, np.float32) for value in (0.5, 0.25)]
    mask = np.zeros(images[0].shape, bool)
    mask[2:5, 0:4, 9:11] = True
    seen = []
    merged(
        SlidingWindow((8, 8, 8), 0.5),
        images,
        mask,
        lambda x: seen.append(x.clone()) or identity(x),
        outside=[-1.0, 0.0],
    )
    (window,) = seen
    assert window.shape == (1, 2, 8, 8, 8)
    for channel, inside, outside in ((0, 0.5, -1), (1, 0.25, 0)):
        assert (window[0, channel, 1:7] == inside).all()
        assert (window[0, channel, [0, 7]] == outside).all()


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5, 0.8])
def test_neighbours_overlap_by_at_least_the_requested_share(overlap):
    mask = np.ones((97, 1, 1), bool)
    starts = [z for z, _, _ in SlidingWindow((20, 1, 1), overlap).positions(mask)]
    steps = np.diff(starts)
    assert starts[0] == 0
    assert starts[-1] == 77
    assert steps.max() <= np.ceil(20 * (1 - overlap))
    assert steps.max() - steps.min() <= 1


def test_an_empty_mask_calls_nothing_and_gives_no_slab():
    window = SlidingWindow((4, 4, 4), 0.5)
    assert list(window.slabs([image((5, 6, 7))], [0.0], np.zeros((5, 6, 7), bool), pytest.fail)) == []


def test_flipped_array_views_are_predicted_correctly():
    ct, mask = image((9, 8, 7))[::-1, :, ::-1], blob((9, 8, 7), 2)[::-1]
    found = merged(SlidingWindow((4, 4, 4), 0.5), [ct], mask, identity)["out"][0]
    np.testing.assert_array_equal(found[mask], ct[mask])


def test_progress_adds_up_to_the_whole():
    shares = []
    mask = blob((20, 20, 20), 3)
    merged(SlidingWindow((6, 6, 6), 0.5, 3), [image(mask.shape)], mask, identity, shares.append)
    assert len(shares) > 5
    assert sum(shares) == pytest.approx(1)


def test_a_function_that_changes_the_shape_is_refused():
    for wrong in (lambda x: {"out": x[..., 1:]}, lambda x: {"out": x[:0]}):
        with pytest.raises(ValueError, match=r"windows of \(.*\) became out of"):
            merged(SlidingWindow((4, 4, 4), 0.5), [image((5, 5, 5))], blob((5, 5, 5), 0), wrong)


@pytest.mark.parametrize("size", [32, 33, 48, 97])
def test_regular_windows_are_those_of_the_paper(size):
    """i = 0, s - o, 2 (s - o), ... with s = 32 and o = 16, until the volume is covered."""
    starts = [z for z, _, _ in SlidingWindow((32, 1, 1), 0.5, layout="regular").positions(np.ones((size, 1, 1), bool))]
    assert starts == list(range(0, starts[-1] + 1, 16))
    assert starts[-1] + 32 >= size > starts[-1] + 16


def test_regular_windows_that_touch_no_voxel_of_the_district_are_omitted():
    mask = np.zeros((200, 4, 4), bool)
    mask[100:110] = True
    starts = [z for z, _, _ in SlidingWindow((32, 4, 4), 0.5, layout="regular").positions(mask)]
    assert starts == [80, 96]


def test_regular_windows_average_to_what_all_of_them_say():
    mask, volume = blob((37, 20, 21), 0), image((37, 20, 21))
    found = merged(SlidingWindow((16, 8, 8), 0.5, layout="regular"), [volume], mask, identity)["out"]
    np.testing.assert_allclose(found[0][mask], volume[mask], rtol=1e-6)
