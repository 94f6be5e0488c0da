import numpy as np
import pytest

from ct2pet.districts.body import _reduced, body_mask, find_body
from ct2pet.errors import DatasetError
from ct2pet.volume import Grid, Volume

SPACING = (4.0, 2.0, 2.0)
SHAPE = (24, 120, 150)


def patient(with_table=True, spacing=SPACING, shape=SHAPE):
    """Trunk with lungs and an arm at its side on a table under a blanket: CT (HU) and the truth."""
    z, y, x = np.meshgrid(*(np.arange(n) * size for n, size in zip(shape, spacing)), indexing="ij")
    trunk = ((y - 110) / 60) ** 2 + ((x - 140) / 90) ** 2 < 1
    arm = (y - 120) ** 2 + (x - 262) ** 2 < 20**2
    lung = ((y - 105) / 35) ** 2 + ((x - 110) / 25) ** 2 < 1
    ct = np.full(shape, -1000.0)
    ct[((y - 110) / 66) ** 2 + ((x - 140) / 96) ** 2 < 1] = -700  # a blanket around the trunk
    ct[trunk | arm] = -80
    ct[((y - 110) / 52) ** 2 + ((x - 140) / 82) ** 2 < 1] = 40
    ct[lung & (z > 20)] = -850
    ct[(y - 120) ** 2 + (x - 262) ** 2 < 8**2] = 900  # the bone of the arm
    if with_table:
        ct[(y > 188) & (y < 193)] = 300  # the shell of a table and its foam
        ct[(y >= 193) & (y < 225)] = -950
        ct[(y >= 225) & (y < 229)] = 300
    ct += np.random.default_rng(0).normal(0, 25, shape)
    return Volume(np.round(ct).astype(np.int16), Grid(shape, spacing)), trunk | arm


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.mark.parametrize("with_table", [True, False])
def test_the_body_is_found_with_lungs_and_arm_and_without_table(with_table):
    ct, truth = patient(with_table)
    mask = body_mask(ct)
    assert mask.dtype == bool
    assert dice(mask, truth) > 0.995
    if with_table:
        assert not mask[:, 94:].any()


@pytest.mark.parametrize(
    ("spacing", "shape"),
    [((3.0, 1.0, 1.0), (9, 240, 300)), ((5.0, 5.0, 5.0), (18, 48, 60)), ((4.0, 3.0, 2.0), (11, 81, 151))],
)
def test_the_body_is_found_at_any_voxel_size_and_image_size(spacing, shape):
    ct, truth = patient(spacing=spacing, shape=shape)
    assert dice(body_mask(ct), truth) > 0.985


def test_a_body_that_fills_the_field_of_view_is_taken_to_its_edges():
    ct, truth = patient(with_table=False)
    part = (slice(None), slice(40, 70), slice(72, 106))
    assert truth[part].all()
    assert body_mask(Volume(ct.array[part], Grid(ct.array[part].shape, SPACING))).all()


def test_air_alone_and_numbers_that_are_not_hu_are_refused():
    air = Volume(np.full((8, 20, 20), -1000, np.int16), Grid((8, 20, 20), SPACING))
    with pytest.raises(DatasetError, match="no body"):
        body_mask(air)
    ct, _ = patient()
    with pytest.raises(DatasetError, match="HU"):
        body_mask(ct.with_array(ct.array + 1024))


def test_air_between_arm_and_trunk_is_outside_the_body_if_they_touch_in_one_slice():
    ct, truth = patient(with_table=False, shape=(24, 120, 160))
    hu = ct.array.copy()
    for y in (40, 74):  # bridges of flesh at the front and the back of the gap
        hu[8:12, y : y + 4, 100:126] = 40
    mask = body_mask(ct.with_array(hu))
    assert hu[10, 55, 119] < -500  # enclosed by bridges, arm and trunk
    assert not mask[9:11, 52:60, 119].any()
    assert dice(mask, truth) > 0.98


def test_limbs_that_lie_apart_stay_and_bags_and_struts_beneath_the_table_go():
    ct, _ = patient()
    hu = ct.array.copy()
    hu[2:20, 60:80, 4:24] = 30  # a hand with a bone in it
    hu[2:20, 68:72, 10:18] = 900
    hu[2:20, 4:24, 60:90] = 10  # a bag of water
    hu[2:20, 116:120] = 300
    hu[2:20, 106:112, 50:100] = 200  # a strut
    mask = body_mask(ct.with_array(hu))
    assert mask[5:15, 66:74, 8:20].all()
    assert not mask[:, 6:22, 62:88].any()
    assert not mask[:, 100:].any()


def test_padding_was_not_seen():
    ct, _ = patient()
    hu = ct.array.copy()
    hu[:, :, :20] = -3024
    coarse = find_body(ct.with_array(hu))
    assert not coarse.seen[:, :, :9].any()
    assert coarse.seen[:, :, 11:].all()


def test_the_reduction_keeps_the_sum():
    array = np.random.default_rng(1).integers(-1000, 1000, (7, 8, 11)).astype(np.int16)
    mean, dense = _reduced(Volume(array, Grid((7, 8, 11), (1.0, 1.0, 1.0))), (2, 4, 3))
    assert mean.array.shape == (4, 2, 4)
    counts = np.einsum("i,j,k->ijk", [2, 2, 2, 1], [4, 4], [3, 3, 3, 2])
    np.testing.assert_allclose((mean.array * counts).sum(), array.sum(dtype=int), rtol=1e-5)
    np.testing.assert_allclose((dense.array * counts).sum(), (array > 220).sum(), rtol=1e-5)
    np.testing.assert_allclose(mean.array[1, 1, 3], array[2:4, 4:8, 9:].mean(), rtol=1e-5)
    np.testing.assert_allclose(mean.grid.origin, (1.0, 1.5, 0.5))


def test_lungs_that_the_side_of_the_view_cuts_are_inside_and_air_beside_the_patient_is_not():
    ct, truth = patient(with_table=False)
    for cut in (np.s_[:, :, 55:], np.s_[:, 50:, :], np.s_[:, 40:70, 50:80]):  # x = 110 and y = 105 mm: inside a lung
        part = Volume(np.ascontiguousarray(ct.array[cut]), Grid(ct.array[cut].shape, SPACING))
        lung = part.array < -750
        lung &= truth[cut]
        mask = body_mask(part)
        assert lung.sum() > 1000
        assert mask[lung].mean() > 0.97
        assert dice(mask, truth[cut]) > 0.99


@pytest.mark.parametrize("wall", [1, 2])
def test_a_lung_behind_a_thin_wall_at_the_side_of_the_view_is_inside(wall):
    y, x = np.ogrid[:50, :40]
    lung = np.zeros((30, 50, 40), dtype=bool)
    lung[4:26, 15:36, wall:20] = True
    truth = np.broadcast_to(np.hypot((y - 25) / 20, x / 30) < 1, lung.shape)
    hu = np.where(lung, -800, np.where(truth, 40, -1000)).astype(np.int16)
    mask = body_mask(Volume(hu, Grid(hu.shape, (4.0, 4.0, 4.0))))
    assert mask[lung].mean() > 0.99
    assert dice(mask, truth) > 0.98


def test_noisy_air_and_foam_beside_a_limb_are_no_lung():
    hu = np.full(SHAPE, -1000.0)
    y, x = np.ogrid[: SHAPE[1], : SHAPE[2]]
    hu[:, np.hypot(y - 50, x - 60) < 40] = 40
    hu[:, np.hypot(y - 50, x - 60) < 9] = 900
    hu[:, 100:] = np.where(hu[:, 100:] > 0, hu[:, 100:], -900)  # foam beneath
    hu += np.random.default_rng(0).normal(0, 80, SHAPE)
    cut = np.s_[:, 20:, 40:]
    truth = np.broadcast_to(np.hypot(y - 50, x - 60) < 40, SHAPE)[cut]
    assert dice(body_mask(Volume(hu[cut].astype(np.int16), Grid(hu[cut].shape, SPACING))), truth) > 0.99


def test_a_narrow_airway_that_opens_at_the_side_elsewhere_is_inside():
    hu = np.full((24, 60, 60), -1000.0)
    y, x = np.ogrid[:60, :60]
    hu[:, np.hypot(y - 30, x - 30) < 24] = 40
    hu[:, np.hypot(y - 26, x - 30) < 6] = -1000
    hu[16:, :26, 24:37] = -1000  # an open mouth that the front of the view cuts
    mask = body_mask(Volume(hu[:, 10:].astype(np.int16), Grid((24, 50, 60), (4.0, 2.0, 2.0))))
    assert mask[:14, 16, 30].all()
    assert not mask[18:, 5, 30].any()
