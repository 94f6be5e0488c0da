"""Small cases whose pictures and slices are known, for the tests of the report."""

import numpy as np

from ct2pet.dataset.fields import Field, ct_to_pet
from ct2pet.report.case_pictures import case_content
from ct2pet.report.projections import align
from ct2pet.report.region_maps import region_map
from ct2pet.volume import Grid, Volume

GRID = Grid((30, 12, 20), (4.0, 4.0, 4.0))
HOT = (slice(22, 26), slice(3, 6), slice(12, 16))  # towards the head, in front, on the patient's left
HOT_SUV, COLD_SUV = 9.0, 1.0
CT = ct_to_pet()["CT"]
LOW_DOSE = Field("low_dose_PET", "input", "pet", "SUV", "images", "_0000")


def case_volumes(seed=0):
    """CT, real and synthetic PET: a body of water with a bone, a hot spot that the synthetic PET misses, and noise in
    both PETs, so that no two slices are the same."""
    rng = np.random.default_rng(seed)
    body = np.zeros(GRID.shape, bool)
    body[2:28, 2:10, 3:17] = True
    ct = np.where(body, 40.0, -1000.0)
    ct[5:25, 7:9, 9:11] = 900.0
    real, fake = (body * (COLD_SUV + rng.uniform(0, 0.4, GRID.shape)) for _ in range(2))
    real[HOT] = HOT_SUV
    return tuple(
        Volume(array.astype(np.float32), GRID, unit) for array, unit in ((ct, "HU"), (real, "SUV"), (fake, "SUV"))
    )


def low_dose_volumes(seed=0):
    """Low-dose, real and synthetic PET: the low dose is a noisy real PET."""
    _, real, fake = case_volumes(seed)
    noise = np.random.default_rng(seed + 100).normal(0, 0.3, GRID.shape)
    return real.with_array(((real.array + noise) * (real.array > 0)).clip(0).astype(np.float32)), real, fake


def aligned_case(seed=0):
    return align(*case_volumes(seed), CT)


def content(seed=0):
    return case_content(*case_volumes(seed), CT)


def low_dose_content(seed=0):
    return case_content(*low_dose_volumes(seed), LOW_DOSE)


DISTRICTS = {"upper": 3, "lower": 7}
COLD = (slice(5, 8), slice(6, 9), slice(5, 8))  # a second lesion, of the body's own uptake


def region_volumes():
    """The district map (the body above and below slice 15) and the mask of two lesions, HOT and COLD."""
    districts, lesions = np.zeros(GRID.shape, np.uint8), np.zeros(GRID.shape, np.uint8)
    districts[2:15, 2:10, 3:17], districts[15:28, 2:10, 3:17] = DISTRICTS["lower"], DISTRICTS["upper"]
    lesions[HOT], lesions[COLD] = 1, 1
    return Volume(districts, GRID, "label"), Volume(lesions, GRID, "label")


def content_with_regions(seed=0):
    image, real, fake = case_volumes(seed)
    districts, lesions = region_volumes()
    return case_content(image, real, fake, CT, region_map(real, districts, DISTRICTS, lesions))
