"""CT, PET and lesions in NIfTI, as public datasets have them: tiny, and such that the integrity check accepts them."""

import numpy as np

from ct2pet.imageio import write_volume
from ct2pet.volume import Grid, Volume

CT_GRID = Grid((12, 20, 20), (3.0, 4.0, 4.0), (-38.0, -38.0, 0.0))
PET_GRID = Grid((9, 10, 10), (4.0, 8.0, 8.0), (-36.0, -36.0, 0.5))


def ct_of(seed, grid=CT_GRID):
    array = np.full(grid.shape, -1000, np.float32)
    inner = tuple(slice(n // 4, -(n // 4)) for n in grid.shape[1:])
    array[:, inner[0], inner[1]] = np.random.default_rng(seed).integers(-110, 90, array[:, inner[0], inner[1]].shape)
    return Volume(array, grid)


def pet_of(seed, factor=1.0):
    return Volume((np.random.default_rng(seed).uniform(0.1, 5, PET_GRID.shape) * factor).astype(np.float32), PET_GRID)


def lesions_of(seed):
    mask = np.zeros(PET_GRID.shape, np.uint8)
    mask[2 + seed % 4, 4:6, 4:6] = 1
    return Volume(mask, PET_GRID)


def write_images(volumes):
    """{path: volume}"""
    for path, volume in volumes.items():
        write_volume(path, volume)
