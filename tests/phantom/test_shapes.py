"""Solids have the volumes that geometry says, wherever and however they are painted."""

import numpy as np
import pytest

from ct2pet.phantom.shapes import EVERYWHERE, Loft, Solid, Stroke, capsule, ellipsoid, paint, region

AXIS = np.arange(-39.5, 40, 1.0, dtype=np.float32)


def painted(solid, slab=24):
    labels = np.zeros((len(AXIS),) * 3, dtype=np.uint8)
    paint([Stroke(1, solid)], labels, AXIS, AXIS, AXIS, slab=slab)
    return labels


def everywhere(solid):
    return solid.inside(AXIS[None, None, :], AXIS[None, :, None], AXIS[:, None, None])


@pytest.mark.parametrize("turn", [None, (30.0, 0.0, 0.0), (20.0, -35.0, 50.0)])
@pytest.mark.parametrize("warp", [0.0, 0.2])
def test_an_ellipsoid_keeps_its_volume_turned_and_bent(turn, warp):
    solid = ellipsoid((2, -3, 1), (9, 13, 22), turn=turn, warp=warp, phase=1.0)
    assert painted(solid).sum() == pytest.approx(4 / 3 * np.pi * 9 * 13 * 22, rel=0.02)


def test_a_high_power_makes_a_box():
    assert painted(ellipsoid((0, 0, 0), (10, 12, 14), power=60)).sum() == pytest.approx(8 * 10 * 12 * 14, rel=0.05)


def test_a_capsule_is_a_rod_and_a_ball():
    volume = np.pi * 8**2 * 30 + 4 / 3 * np.pi * 8**3
    assert painted(capsule((-10, -5, 10), (10, 5, -10), 8)).sum() == pytest.approx(volume, rel=0.03)


def test_a_tapered_capsule_is_wide_where_it_starts():
    labels = painted(capsule((0, 0, -20), (0, 0, 20), 12, 4))
    areas = labels.sum(axis=(1, 2))
    assert areas[20] > 5 * areas[59]
    assert areas[40] == pytest.approx(np.pi * 8**2, rel=0.06)


def test_a_loft_passes_through_its_sections_and_nowhere_bulges():
    loft = Loft([(-30, 0, 0, 6, 6), (0, 4, -2, 12, 6), (30, 0, 0, 12, 6)])
    cx, cy, rx, ry = loft.section(np.array([0.0]))
    assert (cx[0], cy[0], rx[0], ry[0]) == (4, -2, 12, 6)
    _, _, widths, depths = loft.section(np.linspace(-30, 30, 200))
    assert widths.max() <= 12
    assert depths == pytest.approx(6)


def test_a_loft_grows_by_millimetres_and_stops_at_its_ends():
    tube = Loft([(-20, 0, 0, 10, 10), (20, 0, 0, 10, 10)])
    assert painted(tube.solid(2)).sum() == pytest.approx(np.pi * 12**2 * 40, rel=0.02)
    assert painted(tube.solid(low=0)).sum() == pytest.approx(np.pi * 10**2 * 20, rel=0.02)


@pytest.mark.parametrize(
    "solid",
    [
        ellipsoid((3, 4, 5), (10, 20, 6), turn=(40.0, 10.0, 70.0), warp=0.3, phase=2.0),
        ellipsoid((3, 4, 5), (10, 20, 6), power=2.6),
        capsule((-9, 4, 0), (12, 8, 20), 4, 9),
        Loft([(-20, -5, 0, 8, 9), (10, 9, 5, 3, 14)]).solid(3),
        ellipsoid((14, 0, 0), (10, 8, 9)).mirrored(),
    ],
)
def test_a_shape_has_no_voxel_outside_its_box(solid):
    assert (painted(solid) == everywhere(solid)).all()


def test_solids_are_cut_and_shared_like_sets():
    a, b = ellipsoid((0, 0, 0), (15, 15, 15)), region(lambda x, y, z: x + y > 3)
    both, rest = painted(a & b), painted(a - b)
    assert ((both + rest) == painted(a)).all()
    assert both.any()
    assert rest.any()


def test_a_mirrored_solid_is_on_the_other_side():
    solid = ellipsoid((15, 3, 2), (8, 5, 9), turn=(0.0, 20.0, 30.0))
    assert (painted(solid.mirrored()) == painted(solid)[:, :, ::-1]).all()


def test_strokes_cover_only_the_labels_that_they_may():
    labels = np.zeros((80, 80, 80), dtype=np.uint8)
    labels[:40] = 5
    ball = ellipsoid((0, 0, 0), (20, 20, 20))
    paint([Stroke(9, ball, onto=(5,))], labels, AXIS, AXIS, AXIS)
    assert (labels[40:] == 0).all()
    assert (labels == 9).sum() == painted(ball)[:40].sum()


def test_the_slabs_do_not_show():
    solid = ellipsoid((3, 4, 5), (10, 20, 26), turn=(40.0, 10.0, 70.0))
    assert (painted(solid, slab=7) == painted(solid, slab=500)).all()


def test_a_moving_shape_is_painted_at_its_moved_height():
    labels = np.zeros((80, 80, 80), dtype=np.uint8)
    ball = ellipsoid((0, 0, 0), (10, 10, 10))
    fixed = ellipsoid((0, 0, 0), (3, 3, 3))
    paint([Stroke(1, ball, moves=True), Stroke(2, fixed)], labels, AXIS, AXIS, AXIS, AXIS - 12)
    assert np.argwhere(labels == 1)[:, 0].mean() - 39.5 == pytest.approx(12, abs=0.5)
    assert np.argwhere(labels == 2)[:, 0].mean() - 39.5 == pytest.approx(0, abs=0.01)


def test_an_unbounded_region_fills_the_grid():
    whole = Solid((-EVERYWHERE,) * 3, (EVERYWHERE,) * 3, lambda x, y, z: (x + y + z) < np.inf)
    assert painted(whole).all()
