"""A district store made by hand: what a CT shows is what the PET is."""

import numpy as np
from tiny import tiny_configuration

from ct2pet.preprocessing import DistrictStore, PreparedDistrict
from ct2pet.preprocessing.preprocessor import decisions_of
from ct2pet.volume import Grid


def write_tiny_store(folder, num_cases=3, shape=(24, 20, 22), lesions=True):
    """``num_cases`` cases (A0, A1, ...): smooth random CT in [-1, 1], PET = (CT + 1) / 4, an ellipsoid as district."""
    store = DistrictStore(folder)
    folder.mkdir(parents=True, exist_ok=True)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    mask = sum(a**2 for a in axes) < 0.9
    for index in range(num_cases):
        random = np.random.default_rng(index)
        waves = sum(np.sin(a * f + p) for a, f, p in zip(axes, random.uniform(1, 5, 3), random.uniform(0, 6, 3))) / 3
        ct = np.where(mask, waves, -1).astype(np.float32)
        lesion = np.zeros(shape, dtype=bool)
        lesion[10:13, 8:11, 9:12] = index == 0
        pet = np.where(mask, (ct + 1) / 4, 0).astype(np.float32)
        grid = Grid(shape, (4.0, 4.0, 4.0))
        case = PreparedDistrict({"CT": ct, "PET": pet}, mask, grid, lesions=lesion if lesions else None)
        store.write(f"A{index}", case, "key", decisions_of(tiny_configuration()))
    return store
