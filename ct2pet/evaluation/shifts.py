"""The effect of misregistration on the error: the mean absolute error at the best shift of up to one voxel."""

from __future__ import annotations

from itertools import product

import numpy as np

from ct2pet.evaluation.region_partition import Partition


def shifted_errors(fake: np.ndarray, real: np.ndarray, partition: Partition) -> np.ndarray:
    """(27, parts): for each shift of the fake by -1, 0 or 1 voxels along Z, Y and X the sum of the absolute errors in
    every part. No part may touch the border of the arrays (Z, Y, X, contiguous)."""
    _, height, width = real.shape
    offsets = [(z * height + y) * width + x for z, y, x in product((-1, 0, 1), repeat=3)]
    sums = np.zeros((len(offsets), len(partition.ends)))
    flat_fake, flat_real = fake.ravel(), real.ravel()
    for part, voxels in partition.chunks():
        index, values = voxels.astype(np.intp), flat_real[voxels]
        for row, offset in enumerate(offsets):
            error = flat_fake.take(index + offset)
            error -= values
            np.abs(error, out=error)
            sums[row, part] += error.sum(dtype=np.float64)
    return sums
