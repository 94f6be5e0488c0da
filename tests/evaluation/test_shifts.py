import numpy as np
import pytest

from ct2pet.evaluation.region_partition import LabelledRegions, Partition
from ct2pet.evaluation.shifts import shifted_errors


def test_the_sums_are_those_of_rolled_images():
    rng = np.random.default_rng(0)
    real, fake = rng.random((2, 12, 9, 8)).astype(np.float32)
    labels = np.zeros(real.shape, np.uint8)
    labels[2:10, 1:8, 1:7] = rng.integers(0, 3, (8, 7, 6))
    found = shifted_errors(fake, real, Partition.of([LabelledRegions(labels, {"a": 1, "b": 2})]))
    row = 0
    for z in (-1, 0, 1):
        for y in (-1, 0, 1):
            for x in (-1, 0, 1):
                error = np.abs(np.roll(fake, (-z, -y, -x), (0, 1, 2)) - real)
                expected = [error[labels == label].sum() for label in (1, 2)]
                np.testing.assert_allclose(found[row], expected, rtol=1e-5)
                row += 1
    assert row == len(found) == 27


@pytest.mark.parametrize("shift", [(1, 0, 0), (-1, 1, 1), (0, 0, 0)])
def test_a_shift_by_one_voxel_is_forgiven(shift):
    real = np.random.default_rng(1).random((9, 9, 9), dtype=np.float32)
    labels = np.zeros(real.shape, np.uint8)
    labels[2:-2, 2:-2, 2:-2] = 1
    found = shifted_errors(np.roll(real, shift, (0, 1, 2)), real, Partition.of([LabelledRegions(labels, {"a": 1})]))
    assert found.min() == 0
    assert np.count_nonzero(found == 0) == 1
