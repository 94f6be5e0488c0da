import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ct2pet.planning.topology import (
    SMALLEST_MAP,
    discriminator_strides,
    fitting_patch,
    patchgan_maps,
    unet_topology,
)

sizes = st.tuples(*[st.integers(8, 200)] * 3)
spacings = st.tuples(*[st.floats(0.7, 10.0)] * 3)


def test_isotropic_patches_halve_all_axes_until_four_voxels_are_left():
    topology = unet_topology([32, 32, 64], [4, 4, 4], max_stages=6)
    assert topology.strides == [[1, 1, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2], [1, 1, 2]]
    assert topology.kernel_sizes == [[3, 3, 3]] * 5


def test_coarse_slices_are_pooled_and_convolved_later():
    """8 mm slices of 2 mm pixels: two poolings in the plane make 8 mm."""
    topology = unet_topology([32, 64, 64], [8, 2, 2], max_stages=4)
    assert topology.strides == [[1, 1, 1], [1, 2, 2], [1, 2, 2], [2, 2, 2]]
    assert topology.kernel_sizes == [[1, 3, 3], [1, 3, 3], [3, 3, 3], [3, 3, 3]]


def test_the_number_of_stages_is_limited():
    assert unet_topology([128] * 3, [1, 1, 1], max_stages=3).num_stages == 3


@given(wanted=sizes, most=sizes, spacing=spacings)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_every_patch_can_be_halved_as_its_strides_ask(wanted, most, spacing):
    patch = fitting_patch(wanted, most, spacing, max_stages=6)
    topology = unet_topology(patch, spacing, max_stages=6)
    for size, multiple, limit, asked in zip(patch, topology.multiples, most, wanted):
        assert size % multiple == 0
        assert size // multiple >= SMALLEST_MAP
        assert size <= max(asked, math.ceil(limit / multiple) * multiple)


@given(patch=sizes)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_no_kernel_of_stride_one_reads_a_map_smaller_than_itself(patch):
    strides = discriminator_strides(patch)
    maps = patchgan_maps(patch, strides)
    for size, stride in zip(maps, [*strides, [1, 1, 1], [1, 1, 1]]):
        assert all(n >= SMALLEST_MAP for n, s in zip(size, stride) if s == 1)
    assert min(maps[-1]) >= 1


@pytest.mark.parametrize(("edge", "layers"), [(32, 2), (56, 2), (64, 3), (128, 3)])
def test_the_discriminator_is_deeper_from_64_voxels(edge, layers):
    assert discriminator_strides([edge] * 3) == [[2, 2, 2]] * layers


def test_a_thin_axis_is_strided_less_than_the_others():
    assert discriminator_strides([16, 64, 64]) == [[2, 2, 2], [1, 2, 2], [1, 2, 2]]


def test_the_maps_are_those_of_the_real_discriminator():
    torch = pytest.importorskip("torch")
    from ct2pet.networks.patchgan import PatchGAN

    for patch in itertools.product([8, 20], [14, 40], [64]):
        strides = discriminator_strides(patch)
        scores = PatchGAN(2, 2, len(strides), strides=strides)(torch.zeros(1, 2, *patch))
        assert list(scores.shape[2:]) == patchgan_maps(patch, strides)[-1]
