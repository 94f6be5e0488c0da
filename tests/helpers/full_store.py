"""A district store with two inputs, a label map to predict, lesions and a condition."""

import numpy as np
from field_sets import WINDOWS
from tiny import tiny_configuration

from ct2pet.preprocessing import DistrictStore, PreparedDistrict
from ct2pet.preprocessing.preprocessor import decisions_of
from ct2pet.volume import Grid

SHAPE = (24, 20, 22)
LABELS = {1: slice(0, 6), 2: slice(8, 10), 3: slice(12, 13)}  # along Z, in the corner Y, X 0 to 3
LESION_CT = 0.75


def full_configuration(**changes):
    return tiny_configuration(**{"normalization": WINDOWS, **changes})


def write_full_store(folder, classes):
    """Cases B0, B1, ... of these classes ("F", "M", ...) of the condition ``sex``; None: the case has no class.

    The low-dose PET is the number of the case / 8 + 0.125 everywhere. CT: -0.5, and LESION_CT in the lesion; PET:
    (CT + 1) / 4. District, lesion and labels do not overlap, so that a patch of one voxel tells how it was chosen.
    The labels have 54, 18 and 9 voxels.
    """
    store = DistrictStore(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(classes):
        mask, lesion, labels = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool), np.zeros(SHAPE, np.uint8)
        mask[:, 6:, 6:], lesion[20:23, :3, :3] = True, True
        for label, axial in LABELS.items():
            labels[axial, :3, :3] = label
        ct = np.where(lesion, LESION_CT, -0.5).astype(np.float32)
        images = {"CT": ct, "low_PET": np.full_like(ct, index / 8 + 0.125), "PET": (ct + 1) / 4}
        case = PreparedDistrict(images, mask, Grid(SHAPE, (4.0, 4.0, 4.0)), {"organ_labels": labels}, lesion)
        conditions = {} if name is None else {"sex": name}
        store.write(f"B{index}", case, "key", decisions_of(full_configuration()), conditions)
    return store
