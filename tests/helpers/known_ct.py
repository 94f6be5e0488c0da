"""A CT whose districts are known by the CT number, in an orientation that is easily got wrong."""

import numpy as np

from ct2pet.volume import Grid, Volume

DISTRICTS = {"head": 1, "trunk": 2, "arms": 3, "legs": 4}


def oblique_grid(shape, spacing):
    """Axes permuted, one flipped, and all turned by 15 degrees."""
    a, b = np.cos(np.deg2rad(15)), np.sin(np.deg2rad(15))
    return Grid(shape, spacing, (10.0, -20.0, 33.0), (0.0, -a, b, 1.0, 0.0, 0.0, 0.0, b, a))


def blocks(numbers, shape=(20, 24, 28), spacing=(5.0, 5.0, 5.0)):
    """Blocks of these CT numbers in air, none like another and none in the middle; and the index of each voxel's
    block (from 1), 0 in the air."""
    index = np.zeros(shape, np.uint8)
    boxes = ((2, 8, 4, 20, 4, 24), (8, 14, 4, 16, 4, 24), (14, 18, 4, 16, 4, 20), (8, 12, 16, 22, 6, 12))
    for number, (a, b, c, d, e, f) in enumerate(boxes[: len(numbers)], start=1):
        index[a:b, c:d, e:f] = number
    hu = np.array([-1000, *numbers], np.int16)[index]
    return Volume(hu, oblique_grid(shape, spacing), "HU"), index
