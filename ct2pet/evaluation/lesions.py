"""Single lesions: connected components of the lesion mask, their metabolic volumes and their total glycolysis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from scipy.ndimage import label

SHARE_OF_MAX = 0.41  # Boellaard et al., Eur. J. Nucl. Med. Mol. Imaging 42 (2015) 328
FIXED_SUV = 4.0
NEIGHBOURS = np.ones((3, 3, 3), bool)  # 26 of them: voxels that share a corner belong together


def components(mask: np.ndarray) -> np.ndarray:
    """The lesions of a mask (Z, Y, X) numbered from 1, int32."""
    return label(mask, NEIGHBOURS, output=np.int32)[0] if mask.any() else np.zeros(mask.shape, np.int32)


def metabolic(suv: np.ndarray, voxel_ml: float) -> dict[str, float]:
    """From the SUV of a lesion's voxels: metabolic tumour volume in ml (``mtv41``: voxels of at least 41% of the
    largest; ``mtv4``: of at least 4 SUV) and total lesion glycolysis in g, this volume times its mean SUV."""
    largest = float(suv.max(initial=0.0))
    found = {}
    for name, threshold in (("41", SHARE_OF_MAX * largest), ("4", FIXED_SUV)):
        hot = suv[suv >= threshold] if largest > 0 else suv[:0]
        found[f"mtv{name}"] = hot.size * voxel_ml
        found[f"tlg{name}"] = float(hot.sum(dtype=np.float64)) * voxel_ml
    return found


def total(lesions: Iterable[Mapping[str, float]]) -> dict[str, float | None]:
    """The metabolic volumes of all lesions together; None without lesions."""
    lesions = list(lesions)
    return {
        name: sum(lesion[name] for lesion in lesions) if lesions else None
        for name in ("mtv41", "mtv4", "tlg41", "tlg4")
    }
