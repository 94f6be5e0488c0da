"""Sections: cut where a body is narrow, whole where it is not."""

import numpy as np
from bodies import air, rod, scene_of

from ct2pet.districts.segmenters.rules.sections import cut_sections, edge


def trunk_and_arm(gap):
    """A trunk (half-depth 80 mm) and an arm (40 mm); ``gap`` mm between them, negative: grown together."""
    hu = rod(air(3, 60, 110), (30, 45), 80, 40, ratio=1.5)
    return rod(hu, (30, 45 + (120 + gap + 40) / 4), 40, 40)


def test_air_separates_pieces_and_narrow_places_separate_sections():
    apart = cut_sections(scene_of(trunk_and_arm(12)))
    assert [len(apart.numbers(z)) for z in range(3)] == [2, 2, 2]
    assert len(np.unique(apart.piece[apart.numbers(1)])) == 2
    touching = cut_sections(scene_of(trunk_and_arm(-8)))
    assert len(touching.numbers(1)) == 2
    assert len(np.unique(touching.piece[touching.numbers(1)])) == 1
    areas = sorted(touching.area[touching.numbers(1)])
    assert abs(areas[0] - np.pi * 4**2) < 8  # cm2
    assert abs(areas[1] - np.pi * 8 * 12) < 20


def test_an_arm_that_is_half_within_the_trunk_is_not_parted():
    sections = cut_sections(scene_of(trunk_and_arm(-50)))
    assert len(sections.numbers(1)) == 1


def test_every_voxel_of_the_body_has_a_section_of_its_slice():
    scene = scene_of(trunk_and_arm(-8))
    sections = cut_sections(scene)
    np.testing.assert_array_equal(sections.labels > 0, scene.body)
    for z in range(3):
        assert set(np.unique(sections.labels[z])) == {0, *sections.numbers(z)}
    assert abs(sections.area.sum() - scene.body.sum() * 0.16) < 1e-6
    left, right = sorted(sections.x[sections.numbers(0)])
    assert left < 50 < 80 < right


def test_the_edge_of_the_field_of_view_cuts_but_is_no_surface():
    hu = trunk_and_arm(12)[:, :, :50]
    scene = scene_of(hu)
    sections = cut_sections(scene)
    number = sections.labels[1, 30, 49]
    assert 0.1 < sections.cut[number] < 0.5
    assert sections.depth[1, 30, 49] > 60  # deep inside, though at the edge
    assert edge(scene.coarse.seen)[:, :, 0].all()
    assert not edge(scene.coarse.seen)[:, 1:-1, 1:-1].any()
    assert not cut_sections(scene_of(trunk_and_arm(12))).cut.any()


def test_share_of_a_mask():
    scene = scene_of(trunk_and_arm(12))
    sections = cut_sections(scene)
    half = np.zeros_like(scene.body)
    half[:, :, :45] = True
    share = sections.share_of(half & scene.body)
    assert abs(share[sections.labels[1, 30, 30]] - 0.5) < 0.03
    assert share[sections.labels[1, 30, 88]] == 0
