"""The 2D counterpart of a plan: what moves the size, the number and the networks of slices."""

import math
from dataclasses import replace

import pytest
from fingerprints import GAN, description, district, fingerprint
from tiny import FIELDS

from ct2pet.planning.memory_estimate import estimate_training_gib
from ct2pet.planning.planner import PlanRequest, plan_experiment
from ct2pet.planning.requirements import DIMENSIONS, TARGETS, NetworkNeed

IN_2D = replace(
    GAN,
    dimensions=2,
    networks={**GAN.networks, "registration": NetworkNeed(inputs=(TARGETS, TARGETS), outputs=(DIMENSIONS,))},
)


def plan(seen=None, device="cpu", target=64.0, **needs):
    methods = needs or {"pix2pix": GAN, "reggan": IN_2D}
    seen = fingerprint(head=seen or district())
    request = PlanRequest(device=device, memory_target_gib=target)
    return plan_experiment(seen, description(), methods, request).configuration("head")


def test_slices_hold_the_districts_median_box_in_the_plane():
    """300 x 200 mm of 4 mm are 75 x 50 voxels: rounded up to what four or three halvings ask."""
    slices = plan(district(box_mm=(900.0, 300.0, 200.0))).slices
    multiples = [math.prod(axis) for axis in zip(*slices.networks["generator"].arguments["strides"])]
    assert [math.ceil(n / m) * m for n, m in zip((75, 50), multiples)] == slices.patch_size == [80, 56]


def test_the_height_of_a_district_changes_only_the_patches():
    low, high = (plan(district(box_mm=(height, 200.0, 200.0))) for height in (60.0, 900.0))
    assert low.patch_size != high.patch_size
    assert low.slices == high.slices


def test_networks_are_flat():
    slices = plan().slices
    assert slices.networks["generator"].arguments["conv_op"] == "torch.nn.Conv2d"
    assert slices.networks["generator"].arguments["norm_op"] == "torch.nn.InstanceNorm2d"
    assert slices.networks["discriminator"].arguments["dimensions"] == 2
    assert {len(stride) for stride in slices.networks["generator"].arguments["strides"]} == {2}


@pytest.mark.parametrize("target", [0.45, 0.9, 1.5, 4.0, 12.0])
def test_more_memory_is_used_for_more_and_larger_slices_and_never_exceeded(target):
    planned = plan(district(spacing=(2.0, 1.0, 1.0)), device="cuda", target=target + 0.6)
    assert estimate_training_gib(planned, FIELDS, IN_2D, "cuda") <= target + 0.6
    more = plan(district(spacing=(2.0, 1.0, 1.0)), device="cuda", target=2 * target + 0.6)
    size = [c.slices.batch_size * math.prod(c.slices.patch_size) for c in (planned, more)]
    assert size[0] <= size[1]
    assert size[0] < size[1] or planned.slices.batch_size == 32


def test_on_a_cpu_slices_together_are_no_larger_than_the_largest_patches():
    for edge in (60.0, 300.0, 1000.0, 5000.0):
        slices = plan(district(box_mm=(400.0, edge, edge))).slices
        assert slices.batch_size <= 8
        assert slices.batch_size * math.prod(slices.patch_size) <= max(2 * 40**3, math.prod(slices.patch_size))
        assert math.prod(slices.patch_size) <= 40**3


def test_slices_are_planned_only_for_methods_and_stages_in_2d():
    assert plan(pix2pix=GAN).slices is None
    staged = replace(GAN, networks={}, stages={"slices": IN_2D, "refinement": GAN})
    assert plan(regc2p=staged).slices == plan().slices


def test_slices_do_not_shrink_the_patches():
    assert replace(plan(device="cuda", target=3.0), slices=None) == plan(device="cuda", target=3.0, pix2pix=GAN)
