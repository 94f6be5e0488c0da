"""The centres of patches around a lesion."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import label

from ct2pet.dataset.fields import LESIONS
from ct2pet.preprocessing import StoredCase
from ct2pet.volume import Box


def lesion_centres(case: StoredCase) -> np.ndarray:
    """float64 (N, 3): the centre (Z, Y, X, voxels) of the box around the largest connected lesion, once for each of its
    axial slices. (0, 3) without lesions.

    ``study.slices.lesion_slices`` cuts slices around the same centre.
    """
    voxels = case.lesion_voxels
    if not len(voxels):
        return np.empty((0, 3))
    low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
    parts, _ = label(case.read(Box(tuple(low.tolist()), tuple(high.tolist())))[LESIONS])
    largest = np.argwhere(parts == np.bincount(parts.ravel())[1:].argmax() + 1) + low
    first, last = largest.min(axis=0), largest.max(axis=0)
    slices = np.arange(first[0], last[0] + 1)
    middle = np.broadcast_to((first[1:] + last[1:]) / 2, (len(slices), 2))
    return np.column_stack([slices, middle]).astype(np.float64)
