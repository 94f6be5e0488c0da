"""The table of tissues: CT number and FDG uptake of each, their spread between patients, and their sources.

CT numbers (HU) are rounded after the tissue tables of Schneider 1996 and 2000 and the clinical ranges of Prokop 2003.
Uptake is the mean SUV by body weight (g/ml) about an hour after injection. A row names the paper that measured the
organ; the number is rounded for the phantom, so cite the papers, not this table. From their abstracts: cerebellum 8.0 ±
2.2, palatine tonsils 3.45 ± 1.4, sublingual glands 3.3 ± 1.5, testes 2.57 ± 0.56 (Wang 2007); liver 1.88 ± 0.41 (Liu
2019). The spread between patients is log-normal, so that uptake is never negative. ``assumed`` marks uptake without a
source: gas, small tissues, or the value of an adjacent tissue.

A part of a tissue (the aorta is a part of ``blood``) has the values and the sources of the whole and its own label: its
border is only in the organ maps, not in the images. ``PART_OF`` lists the parts; their labels come last.

Sources
    Schneider 1996   Schneider U, Pedroni E, Lomax A. Phys Med Biol 1996;41:111-124 (HU of tissues).
    Schneider 2000   Schneider W, Bortfeld T, Schlegel W. Phys Med Biol 2000;45:459-478 (HU of lung, fat, bone).
    Prokop 2003      Prokop M, Galanski M. Spiral and Multislice Computed Tomography of the Body. Thieme 2003.
    Wang 2007        Wang Y, Chiu E, Rosenberg J, Gambhir SS. Mol Imaging Biol 2007;9:83-90 (atlas of normal SUV).
    Zincirkeser 2007 Zincirkeser S, Sahin E, Halac M, Sager S. J Int Med Res 2007;35:231-236 (SUV of normal organs).
    Wahl 2009        Wahl RL, Jacene H, Kasamon Y, Lodge MA. J Nucl Med 2009;50 Suppl 1:122S-150S (liver, blood).
    Liu 2019         Liu G, Hu Y, Pang L, et al. Iran J Radiol 2019;16(2):e84881 (liver of 343 patients).
    Dias 2022        Dias AH, et al. EJNMMI Res 2022;12, doi:10.1186/s13550-022-00884-0 (13 regions, 126 patients).
    Shreve 1999      Shreve PD, Anzai Y, Wahl RL. Radiographics 1999;19:61-77 (bowel, bladder, heart: how they vary).
"""

from __future__ import annotations

from typing import NamedTuple


class Tissue(NamedTuple):
    """One row: CT number ``hu`` with its standard deviation between patients and the amplitude of its texture within
    one; ``suv`` with the log-normal sigma between patients and the relative amplitude of its texture within one."""

    name: str
    hu: float
    hu_spread: float
    hu_texture: float
    suv: float
    suv_spread: float
    suv_texture: float
    source: str


_HU = "Schneider 1996, Schneider 2000"
_SOFT = "Prokop 2003"

_WHOLE = (
    Tissue("skin", 10, 10, 5, 0.5, 0.15, 0.05, f"{_HU}; assumed"),
    Tissue("fat", -105, 5, 8, 0.25, 0.15, 0.07, f"{_HU}; assumed"),
    Tissue("muscle", 52, 5, 8, 0.65, 0.10, 0.07, f"{_HU}; Dias 2022"),
    Tissue("skull", 950, 80, 120, 0.9, 0.15, 0.08, f"{_HU}; Dias 2022"),
    Tissue("mandible", 1050, 80, 150, 0.8, 0.15, 0.08, f"{_HU}; Dias 2022"),
    Tissue("grey_matter", 40, 2, 2, 8.0, 0.20, 0.10, f"{_SOFT}; Zincirkeser 2007, Dias 2022"),
    Tissue("white_matter", 28, 2, 2, 3.2, 0.20, 0.08, f"{_SOFT}; Dias 2022"),
    Tissue("cerebellum", 36, 2, 2, 7.2, 0.20, 0.08, f"{_SOFT}; Wang 2007"),
    Tissue("cerebrospinal_fluid", 8, 2, 1, 0.6, 0.15, 0.02, f"{_SOFT}; assumed"),
    Tissue("eyes", 15, 3, 2, 1.2, 0.20, 0.05, f"{_SOFT}; assumed"),
    Tissue("sinuses", -980, 10, 5, 0.05, 0.1, 0.0, "gas; assumed"),
    Tissue("airways", -985, 8, 5, 0.05, 0.1, 0.0, "gas; assumed"),
    Tissue("salivary_glands", 15, 12, 8, 2.0, 0.35, 0.10, f"{_SOFT}; Wang 2007"),
    Tissue("tonsils", 55, 5, 5, 3.4, 0.35, 0.10, f"{_SOFT}; Wang 2007"),
    Tissue("thyroid", 100, 12, 5, 1.4, 0.25, 0.08, f"{_SOFT}; assumed"),
    Tissue("lung", -800, 35, 45, 0.42, 0.18, 0.20, "Schneider 2000; Wang 2007, Dias 2022"),
    Tissue("mediastinum", -30, 15, 35, 0.9, 0.15, 0.15, f"{_HU}; assumed: fat with vessels"),
    Tissue("blood", 42, 4, 2, 1.6, 0.15, 0.04, f"{_SOFT}; Wahl 2009"),
    Tissue("myocardium", 48, 4, 2, 3.2, 0.50, 0.10, f"{_SOFT}; Shreve 1999, Dias 2022"),
    Tissue("oesophagus", 40, 5, 8, 1.4, 0.20, 0.10, f"{_SOFT}; assumed"),
    Tissue("liver", 57, 7, 3, 2.0, 0.18, 0.06, f"{_SOFT}; Liu 2019, Wahl 2009"),
    Tissue("gallbladder", 10, 4, 2, 0.7, 0.20, 0.05, f"{_SOFT}; assumed"),
    Tissue("spleen", 49, 4, 3, 1.7, 0.18, 0.06, f"{_SOFT}; Zincirkeser 2007, Dias 2022"),
    Tissue("pancreas", 38, 7, 8, 1.4, 0.18, 0.10, f"{_SOFT}; Dias 2022"),
    Tissue("adrenals", 20, 8, 5, 1.6, 0.20, 0.10, f"{_SOFT}; assumed: as blood"),
    Tissue("kidney_cortex", 33, 3, 3, 2.9, 0.20, 0.10, f"{_SOFT}; Dias 2022"),
    Tissue("renal_pelvis", 8, 3, 2, 7.0, 0.45, 0.10, f"{_SOFT}; assumed: diluted urine"),
    Tissue("stomach_wall", 42, 5, 6, 2.0, 0.25, 0.12, f"{_SOFT}; Dias 2022"),
    Tissue("stomach_content", 12, 8, 10, 0.7, 0.20, 0.05, f"{_SOFT}; assumed"),
    Tissue("small_bowel", 35, 6, 14, 1.5, 0.25, 0.30, f"{_SOFT}; Shreve 1999"),
    Tissue("colon", 38, 6, 12, 1.6, 0.35, 0.35, f"{_SOFT}; Shreve 1999, Dias 2022"),
    Tissue("bowel_content", 25, 15, 45, 0.8, 0.30, 0.25, "assumed: stool"),
    Tissue("bowel_gas", -920, 25, 25, 0.1, 0.1, 0.0, "gas; assumed"),
    Tissue("visceral_fat", -100, 5, 14, 0.40, 0.15, 0.15, f"{_HU}; assumed"),
    Tissue("bladder", 5, 3, 2, 14.0, 0.45, 0.03, f"{_SOFT}; Shreve 1999"),
    Tissue("reproductive", 42, 6, 5, 1.7, 0.25, 0.10, f"{_SOFT}; Wang 2007"),
    Tissue("breast", -20, 30, 40, 0.7, 0.20, 0.15, f"{_HU}; assumed"),
    Tissue("spinal_cord", 32, 4, 3, 1.7, 0.15, 0.08, f"{_SOFT}; assumed: as blood"),
    Tissue("spine", 420, 60, 60, 1.1, 0.18, 0.08, f"{_HU}; Dias 2022"),
    Tissue("discs", 85, 10, 8, 0.7, 0.15, 0.08, f"{_HU}; assumed"),
    Tissue("marrow", 190, 35, 30, 1.5, 0.18, 0.10, f"{_HU}; Dias 2022"),
    Tissue("ribs", 420, 60, 70, 0.8, 0.15, 0.08, f"{_HU}; Dias 2022"),
    Tissue("sternum", 320, 50, 50, 1.0, 0.15, 0.08, f"{_HU}; Dias 2022"),
    Tissue("shoulder_girdle", 550, 70, 90, 0.7, 0.15, 0.08, f"{_HU}; Dias 2022"),
    Tissue("pelvis", 520, 70, 80, 0.9, 0.15, 0.08, f"{_HU}; Dias 2022"),
    Tissue("humerus", 950, 90, 80, 0.5, 0.15, 0.06, f"{_HU}; assumed: cortical bone"),
    Tissue("forearm_bones", 950, 90, 80, 0.45, 0.15, 0.06, f"{_HU}; assumed: cortical bone"),
    Tissue("femur", 1050, 90, 80, 0.5, 0.15, 0.06, f"{_HU}; assumed: cortical bone"),
    Tissue("lower_leg_bones", 1000, 90, 80, 0.4, 0.15, 0.06, f"{_HU}; assumed: cortical bone"),
    Tissue("yellow_marrow", -30, 15, 15, 0.35, 0.15, 0.08, f"{_HU}; assumed: as fat"),
)

PART_OF: dict[str, str] = {
    "heart_blood": "blood",
    "aorta": "blood",
    "stomach_gas": "bowel_gas",
    "colon_gas": "bowel_gas",
    "clavicle": "shoulder_girdle",
    "sacrum": "spine",
    "vertebral_marrow": "marrow",
    "sacral_marrow": "marrow",
    "pelvic_marrow": "marrow",
    "femoral_marrow": "marrow",
    "femoral_yellow_marrow": "yellow_marrow",
    "back_muscle": "muscle",
}
"""Parts of tissues that are organs, or parts of organs, with labels of their own, and the tissue of each."""
_ROWS = {tissue.name: tissue for tissue in _WHOLE}

TISSUES: tuple[Tissue, ...] = (*_WHOLE, *(_ROWS[whole]._replace(name=part) for part, whole in PART_OF.items()))

LABELS: dict[str, int] = {tissue.name: label for label, tissue in enumerate(TISSUES, start=1)}
"""The label of every tissue in the organ maps; 0 is the air around the patient."""

GAS = ("sinuses", "airways", "bowel_gas")
FATTY = ("fat", "visceral_fat", "yellow_marrow", "breast", "skin")
AIR_HU = -1000.0
COUCH_SHELL_HU, COUCH_FOAM_HU = -80.0, -900.0
"""A carbon-fibre couch with a foam core, in CT (assumed)."""


def labels_of(*names: str) -> tuple[int, ...]:
    """The labels of tissues by name, without their parts. Raises KeyError for an unknown one."""
    return tuple(LABELS[name] for name in names)


def labels_with_parts(*names: str) -> tuple[int, ...]:
    """The labels of tissues and of all parts of them. Raises KeyError for an unknown one."""
    return labels_of(*names, *(part for part, whole in PART_OF.items() if whole in names))
