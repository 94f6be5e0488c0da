"""The root of the neck and the groins, where the phantom's landmarks are known."""

from dataclasses import replace

import numpy as np
import pytest
from bodies import air, body, rod, scene_of

from ct2pet.districts.body import find_body
from ct2pet.districts.segmenters.rules.levels import (
    above_neck,
    below_groins,
    femoral_heads_level,
    ischia_level,
    shoulder_level,
)
from ct2pet.districts.segmenters.rules.scene import Scene
from ct2pet.phantom.frame import Frame
from ct2pet.volume import Box

ISCHIA, HEADS = 809, 887  # reference mm


@pytest.fixture(scope="module")
def pelvis():
    """The lower half of a patient: a function from reference mm to slices, scene, middle."""
    patient, ct, _, _ = body(6, "raised")
    top = int((Frame(patient).z_from_reference(1150) - ct.grid.origin[2]) / 4)
    scene = Scene(find_body(ct.crop(Box((0, 0, 0), (top, *ct.grid.shape[1:])))))
    middle = np.full(len(scene.body), -scene.grid.origin[0] / 4)
    return lambda z: (float(Frame(patient).z_from_reference(z)) - scene.grid.origin[2]) / 4, scene, middle


def test_the_ischia_end_where_they_end(pelvis):
    slice_of, scene, middle = pelvis
    found = ischia_level(scene, scene.body, middle, len(scene.body) - 1)
    assert abs(found - slice_of(ISCHIA)) < 3


def test_no_ischia_in_a_scan_that_ends_above_them(pelvis):
    slice_of, scene, middle = pelvis
    low = round(slice_of(ISCHIA) + 3)
    part = Scene(_above(scene, low))
    assert ischia_level(part, part.body, middle[low:], len(part.body) - 1) is None
    found = femoral_heads_level(part, part.body, middle[low:], len(part.body) - 1)
    assert abs(found + low - slice_of(ISCHIA)) < 6


def test_no_femoral_heads_in_a_scan_that_ends_above_them(pelvis):
    slice_of, scene, middle = pelvis
    low = round(slice_of(HEADS + 40))
    part = Scene(_above(scene, low))
    assert femoral_heads_level(part, part.body, middle[low:], len(part.body) - 1) is None


def _above(scene, low):
    coarse = scene.coarse
    cut = {name: getattr(coarse, name)[low:] for name in ("hu", "dense", "seen", "body")}
    grid = coarse.grid.crop(Box((low, 0, 0), coarse.grid.shape))
    return replace(coarse, grid=grid, **cut)


def test_groins_rise_to_both_sides_and_the_neck_to_the_back_and_over_the_shoulders(pelvis):
    _, scene, middle = pelvis
    legs = below_groins(scene, middle, 100.0)
    x = round(middle[0])
    tops = legs[:, 0].sum(axis=0)
    assert tops[x] in (100, 101)
    assert abs(tops[x + 25] - tops[x - 25]) <= 1
    assert tops[x + 25] > 110
    assert tops[x + 50] == tops[x + 60] < 130  # no higher
    head = above_neck(scene, middle, 100)
    bottoms = (~head).sum(axis=0)
    assert bottoms[60, x] > bottoms[30, x]
    assert bottoms[40, x + 10] == bottoms[40, x - 10] == bottoms[40, x]
    assert min(bottoms[40, x + 30], bottoms[40, x - 30]) > bottoms[40, x] + 5


def test_shoulders_of_a_head_without_lungs():
    hu = rod(air(80, 70, 110), (35, 55), 60, 40, slices=slice(20, 80))
    rod(hu, (35, 55), 80, 900, slices=slice(50, 75))
    rod(hu, (35, 55), 72, 35, slices=slice(52, 73))
    assert shoulder_level(scene_of(hu), scene_of(hu).body) is None
    rod(hu, (35, 55), 70, 40, slices=slice(0, 20), ratio=2.5)
    scene = scene_of(hu)
    assert abs(shoulder_level(scene, scene.body) - 19) <= 1
