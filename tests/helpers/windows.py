"""Images and masks for the tests of sliding windows, and the slabs of windows put together."""

import numpy as np
from scipy.ndimage import uniform_filter


def blob(shape, seed):
    """An irregular mask, never empty: some smooth noise from its 70th percentile on."""
    noise = uniform_filter(np.random.default_rng(seed).normal(size=shape), 5)
    return noise >= np.percentile(noise, 70)


def image(shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def identity(windows):
    return {"out": windows}


def merged(window, images, mask, function, progress=None, outside=None):
    """The slabs as volumes (channels, Z, Y, X) by name; not a number where there is no slab."""
    volumes = {}
    for slab in window.slabs(images, outside or [-1.0] * len(images), mask, function, progress):
        for name, mean in slab.means.items():
            volume = volumes.setdefault(name, np.full((len(mean), *mask.shape), np.nan, np.float32))
            volume[(slice(None), *slab.box.slices)] = mean.numpy()
    return volumes
