"""Lungs, brain, bones and the middle line in phantoms and in drawings."""

import numpy as np
from bodies import air, body, rod, scene_of

from ct2pet.districts.body import find_body
from ct2pet.districts.segmenters.rules.scene import Scene, span, voxels
from ct2pet.phantom.frame import Frame
from ct2pet.phantom.tissues import LABELS, labels_of
from ct2pet.phantom.views import view
from ct2pet.volume import Box


def height(scene, z):
    return scene.grid.origin[2] + 4 * z


def test_lungs_and_brain_lie_where_the_phantom_has_them():
    patient, ct, _, organs = body(6, "raised")
    scene = Scene(find_body(ct))
    lungs = organs.array == LABELS["lung"]
    brain = np.isin(organs.array, labels_of("grey_matter", "white_matter", "cerebellum"))
    assert (scene.lungs & lungs).sum() > 0.9 * lungs.sum()
    assert (scene.lungs & ~lungs).sum() < 0.1 * lungs.sum()
    assert (scene.brain & brain).sum() > 0.5 * brain.sum()
    assert abs(height(scene, scene.apex) - Frame(patient).z_from_reference(1408)) < 15
    assert abs(scene.grid.origin[0] + 4 * scene.middle[scene.apex]) < 6
    assert abs(scene.shoulder - scene.apex) < 4


def test_a_missing_lung_does_not_shift_the_middle():
    _, ct, districts, organs = body(6, "raised")
    hu = ct.array.copy()
    left = organs.array == LABELS["lung"]
    left[:, :, : left.shape[2] // 2] = False
    hu[left] = 20  # an effusion
    first, last = np.flatnonzero((districts.array == 2).any(axis=(1, 2)))[[40, -1]]
    box = Box((int(first), 0, 0), (int(last), *hu.shape[1:]))
    scene = Scene(find_body(ct.with_array(hu).crop(box)))
    assert scene.lungs.any()
    assert abs(scene.grid.origin[0] + 4 * scene.middle[0]) < 20


def test_half_a_chest_has_its_middle_where_the_other_half_would_begin():
    patient, ct, districts, _ = body(6, "raised")
    whole = Scene(find_body(ct.crop(view(patient, districts, "chest"))))
    half = Scene(find_body(ct.crop(view(patient, districts, "left shoulder"))))
    assert whole.cut_side == 0
    assert half.cut_side == -1
    assert abs(half.grid.origin[0] + 4 * half.middle[half.lungs.any(axis=(1, 2))][0]) < 25
    crop = ct.crop(view(patient, districts, "left shoulder"))
    assert Scene(find_body(crop.with_array(np.ascontiguousarray(crop.array[:, :, ::-1])))).cut_side == 1


def test_an_apex_among_ribs_is_a_lung_and_gas_of_that_size_in_the_belly_is_not():
    hu = rod(air(20, 60, 90), (30, 45), 100, 40, ratio=1.4)
    rod(hu, (30, 36), 20, -800, slices=slice(5, 20))
    rod(hu, (30, 60), 20, -800, slices=slice(5, 20))
    assert not scene_of(hu).lungs.any()
    y, x = np.ogrid[:60, :90]
    ring = np.hypot(y - 30, x - 36) * 4
    hu[5:20, (ring > 24) & (ring < 32)] = 600
    lungs = scene_of(hu).lungs
    assert lungs[10, 30, 36]
    assert not lungs[10, 30, 60]


def test_gas_in_the_bowel_is_no_lung_and_a_pelvis_no_brain():
    hu = rod(air(30, 60, 90), (30, 45), 100, 40, ratio=1.4)
    rod(hu, (30, 30), 30, -990)
    rod(hu, (30, 60), 36, 500)
    rod(hu, (30, 60), 28, -80)  # a ring of bone around fat
    scene = scene_of(hu)
    assert not scene.lungs.any()
    assert not scene.brain.any()
    assert scene.middle is None
    assert scene.apex is None
    assert scene.shoulder > len(hu)


def test_a_ring_of_bone_around_soft_tissue_is_a_brain():
    hu = rod(air(30, 60, 60), (30, 30), 80, 30)
    rod(hu, (30, 30), 68, 900)
    rod(hu, (30, 30), 60, 35)
    assert scene_of(hu).brain.sum() * 0.064 > 900


def test_bones_go_through_slices_and_noise_does_not():
    scene = scene_of(rod(air(20, 40, 40), (20, 20), 60, 40))
    scene.coarse.dense[7, 15, 15] = 0.4
    scene.coarse.dense[5:15, 25, 25] = 0.4
    assert not scene.bone[:, 15, 15].any()
    assert scene.bone[5:15, 25, 25].all()
    assert span(scene.bone) == (5, 14)
    assert span(scene.bone & False) is None
    assert voxels(17) == 4


def chest(lean_mm):
    """A trunk with two lungs whose middle moves to the left by ``lean_mm`` over 40 slices."""
    hu = rod(air(40, 60, 110), (30, 55), 220, 40, ratio=1.7)
    for z in range(40):
        shift = round(lean_mm / 4 * (z - 20) / 40)
        for x in (38, 72):
            rod(hu, (30, x + shift), 90, -800, slices=slice(z, z + 1))
    return scene_of(hu)


def test_the_middle_line_of_a_chest_that_leans_leans_too():
    straight, leaning = chest(0), chest(60)
    assert np.ptp(straight.middle) == 0
    first, last = span(leaning.lungs)
    moved = (leaning.middle[last] - leaning.middle[first]) * 4
    assert abs(moved - 60) < 12
    assert abs(leaning.middle[(first + last) // 2] - straight.middle[20]) < 2


def test_a_middle_line_that_hardly_leans_or_leans_too_much_is_straight():
    assert np.ptp(chest(12).middle) == 0
    one_lung_above = chest(0)
    seen = one_lung_above.lungs[slice(*span(one_lung_above.lungs))].copy()
    seen[len(seen) // 2 :, :, 55:] = False
    assert one_lung_above._chest_lean(seen) == 0
