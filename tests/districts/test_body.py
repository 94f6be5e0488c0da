import numpy as np
import pytest

from ct2pet.districts._body import _block_mean, body_mask
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
def test_other_voxel_sizes_and_sizes_that_no_block_divides(spacing, shape):
    ct, truth = patient(spacing=spacing, shape=shape)
    assert dice(body_mask(ct), truth) > 0.985


def test_a_body_that_fills_the_field_of_view_is_taken_to_its_edges():
    ct, truth = patient(with_table=False)
    part = (slice(None), slice(40, 70), slice(72, 106))
    assert truth[part].all()
    assert body_mask(Volume(ct.array[part], Grid(ct.array[part].shape, SPACING))).all()


def test_air_alone_holds_no_body():
    assert not body_mask(Volume(np.full((8, 20, 20), -1000, np.int16), Grid((8, 20, 20), SPACING))).any()


def test_block_mean_keeps_the_sum():
    array = np.random.default_rng(1).integers(-1000, 1000, (7, 8, 11)).astype(np.int16)
    mean = _block_mean(array, (2, 4, 3))
    assert mean.shape == (4, 2, 4)
    counts = np.einsum("i,j,k->ijk", [2, 2, 2, 1], [4, 4], [3, 3, 3, 2])
    np.testing.assert_allclose((mean * counts).sum(), array.sum(dtype=int), rtol=1e-5)
    np.testing.assert_allclose(mean[1, 1, 3], array[2:4, 4:8, 9:].mean(), rtol=1e-5)
