"""The organs of Table 1 of LDOS (Ye Z et al., "Self is the Best Learner", 2025) in the maps of the phantom.

The paper's organs are classes of TotalSegmentator (Wasserthal J et al., Radiol Artif Intell 2023;5:e230024), left and
right as one. They comprise the same parts as those classes: a hollow organ includes its content, a bone its marrow, the
heart its chambers and its wall; discs, spinal cord, gallbladder and airways are in none.
"""

from __future__ import annotations

import numpy as np

from ct2pet.phantom.tissues import labels_of
from ct2pet.volume import Volume

PAPER_ORGANS: dict[str, list[str]] = {
    "spleen": ["spleen"],
    "colon": ["colon", "bowel_content", "colon_gas"],
    "urinary_bladder": ["bladder"],
    "sacrum": ["sacrum", "sacral_marrow"],
    "vertebrae": ["spine", "vertebral_marrow"],
    "heart": ["heart_blood", "myocardium"],
    "aorta": ["aorta"],
    "clavicula": ["clavicle"],
    "femur": ["femur", "femoral_marrow", "femoral_yellow_marrow"],
    "hip": ["pelvis", "pelvic_marrow"],
    "autochthon": ["back_muscle"],
    "kidney": ["kidney_cortex", "renal_pelvis"],
    "brain": ["grey_matter", "white_matter", "cerebellum", "cerebrospinal_fluid"],
    "liver": ["liver"],
    "stomach": ["stomach_wall", "stomach_content", "stomach_gas"],
    "pancreas": ["pancreas"],
    "lung": ["lung"],
    "esophagus": ["oesophagus"],
}
"""The tissues of the phantom (``tissues.LABELS``) that make up each organ of the paper, in the order of its Table 1."""

PAPER_LABELS: dict[str, int] = {name: label for label, name in enumerate(PAPER_ORGANS, start=1)}
"""The label of each organ in the maps of ``paper_organ_map``; 0 is everything else."""


def paper_organ_map(organs: Volume) -> Volume:
    """uint8 (Z, Y, X): the paper's organs (``PAPER_LABELS``) in a map of tissues (``tissues.LABELS``), same grid."""
    table = np.zeros(256, dtype=np.uint8)
    for name, tissues in PAPER_ORGANS.items():
        table[list(labels_of(*tissues))] = PAPER_LABELS[name]
    return organs.with_array(table[organs.array], "label")
