"""Districts by rules of anatomy: lungs, brain, the neck, the pelvis and the bones of the limbs. The default, because it
only needs the CT. The borders of head, trunk, arms and legs are defined in ``levels`` and ``arms``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import ndimage

import ct2pet
from ct2pet.districts.base import Segmentation, Segmenter
from ct2pet.districts.body import find_body, on_fine_grid
from ct2pet.districts.segmenters.rules.division import NAMES, divide
from ct2pet.districts.segmenters.rules.judgement import judge
from ct2pet.districts.segmenters.rules.position import quarter_turns, turned
from ct2pet.districts.segmenters.rules.scene import Scene
from ct2pet.errors import DatasetError
from ct2pet.volume import Volume

_TURNED, _TURNED_CUT = 0.7, 0.45  # the highest confidence for patients who are not supine, and where the view cuts them
_RULES = 4  # to be increased whenever the map of a CT changes


class RulesSegmenter(Segmenter):
    """Divides the body at 4 mm along the patient's axes, whatever the axes of the CT are; the surface of the body has
    the resolution of the CT."""

    name = "rules"
    districts = tuple(NAMES.values())

    @property
    def version(self) -> str:
        return ct2pet.__version__

    def settings(self) -> dict[str, Any]:
        return {"rules": _RULES}

    def segment(self, case: str, ct_hu: Volume, districts: Mapping[str, int]) -> Segmentation:
        """See Segmenter. Raises DatasetError where the CT shows no body or is not in HU, and for other districts."""
        unknown = [name for name in districts if name not in self.districts]
        if unknown:
            raise DatasetError(f"the segmenter rules finds {', '.join(self.districts)}, not {', '.join(unknown)}")
        coarse = find_body(ct_hu)
        turns = quarter_turns(coarse)
        scene = Scene(turned(coarse, turns) if turns else coarse)
        division = divide(scene)
        if turns:
            cut = scene.body[:, :, [0, -1]].any() or scene.body[:, [0, -1]].any()
            division.doubt(_TURNED_CUT if cut else _TURNED, *NAMES)
            division.warnings.append(f"the patient seems to lie {'prone' if turns == 2 else 'on the side'}")
        confidence, warnings = judge(scene, division)
        parts = np.rot90(division.parts, -turns, axes=(1, 2))
        found = on_fine_grid(ct_hu, coarse, _everywhere(parts))
        labels = np.zeros(len(NAMES) + 1, dtype=np.uint8)
        for part, name in NAMES.items():
            labels[part] = districts.get(name, 0)
        sure = {name: value for name, value in confidence.items() if name in districts}
        return Segmentation(found.with_array(labels[found.array]), sure, warnings)

    def memory_gib(self, num_voxels: int) -> float:
        return 0.5 + 16 * num_voxels / 2**30  # measured: 10 bytes a voxel, the float32 CT included


def _everywhere(parts: np.ndarray) -> np.ndarray:
    """The nearest part, also outside the coarse body, for voxels that are added at the resolution of the CT."""
    nearest = ndimage.distance_transform_edt(parts == 0, return_distances=False, return_indices=True)
    return parts[tuple(nearest)]
