"""Tumours: sites, sizes and uptake by disease, and whether they are visible in CT.

Sites and sizes were chosen for this project, after clinical reports; uptake includes lesions that are measurable by
PERCIST (above 1.5 times the liver; Wahl RL et al., J Nucl Med 2009;50 Suppl 1:122S-150S) and faint lesions below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.patient import Lesion, Patient
from ct2pet.phantom.tissues import labels_with_parts
from ct2pet.volume import Grid, label_mask

_SMALLEST_MM = 4.0
_FAINTEST, _HOTTEST = 1.7, 25.0
_SITE_DRAWN = 0.6


@dataclass(frozen=True)
class Site:
    """Up to ``most`` lesions in a tissue, between two heights (reference mm) and two distances from the midline.

    ``radius`` (mm) and ``suv`` are medians, and no radius is above ``largest``; with probability ``shown`` the CT shows
    it, at about ``hu``.
    """

    host: str
    most: int
    radius: float
    suv: float
    hu: float
    shown: float
    least: int = 0
    z: tuple[float, float] = (0.0, 1700.0)
    aside: tuple[float, float] = (0.0, 400.0)
    largest: float = 34.0


_NECK = Site("muscle", 3, 8, 6, 45, 0.8, z=(1440, 1530), aside=(22, 60))
_CHEST = Site("mediastinum", 4, 8, 7, 45, 0.7, z=(1230, 1400))
_LIVER = Site("liver", 3, 11, 6, 40, 0.5)
_LUNG = Site("lung", 3, 7, 5, 35, 1.0)
_BONE = Site("marrow", 3, 9, 6, 480, 0.4, z=(860, 1500))

SITES: dict[str, tuple[Site, ...]] = {
    "negative": (),
    "lung cancer": (
        Site("lung", 1, 17, 9, 40, 1.0, least=1),
        _CHEST,
        _LIVER,
        _BONE,
        Site("adrenals", 1, 8, 5, 35, 1.0),
    ),
    "lymphoma": (
        _NECK,
        Site("mediastinum", 5, 12, 8, 45, 0.9, least=1, z=(1230, 1400)),
        Site("visceral_fat", 5, 10, 8, 45, 0.9, z=(930, 1110), aside=(0, 45)),
        Site("fat", 2, 9, 6, 45, 0.9, z=(1290, 1370), aside=(120, 180)),
        Site("fat", 2, 8, 6, 45, 0.9, z=(850, 900), aside=(50, 110)),
        Site("spleen", 2, 10, 5, 45, 0.0),
    ),
    "melanoma": (
        Site("fat", 4, 7, 6, 40, 0.9, least=1, z=(100, 1380)),
        _LUNG,
        _LIVER,
        _BONE,
        Site("muscle", 2, 8, 5, 50, 0.2),
    ),
    "head and neck cancer": (Site("muscle", 1, 13, 10, 55, 0.6, least=1, z=(1490, 1530), aside=(0, 26)), _NECK, _LUNG),
    "colorectal cancer": (Site("colon", 1, 14, 9, 45, 0.8, least=1), Site("liver", 5, 13, 6, 40, 0.5), _LUNG),
}
"""The possible sites of each diagnosis."""


def place_lesions(patient: Patient, random: np.random.Generator) -> tuple[Lesion, ...]:
    """Lesions of the patient's diagnosis, each centred in a voxel of its host tissue inside the field of view."""
    return place_lesions_at(patient, SITES[patient.diagnosis], random)


def lesion_rich(patient: Patient) -> Patient:
    """The patient with further lesions, of all diagnoses: each site is used with a probability of 0.6, which gives
    about ten lesions in the trunk. For training data; most patients have one or two lesions."""
    random = np.random.default_rng([patient.seed, *b"lesion-rich"])
    sites = [site for own in SITES.values() for site in own if random.random() < _SITE_DRAWN]
    further = place_lesions_at(patient, sites, random)
    return replace(patient, diagnosis="several", lesions=(*patient.lesions, *further))


def place_lesions_at(patient: Patient, sites: Sequence[Site], random: np.random.Generator) -> tuple[Lesion, ...]:
    """Lesions at the sites, as many as each states, where the patient has its host tissue inside the field of view."""
    if not sites:
        return ()
    anatomy = Anatomy(patient)
    low, high = anatomy.frame.axial_range()
    grid = Grid((int((high - low) / 8), 56, 84), (8.0, 8.0, 8.0), (-332.0, -190.0, low + 4))
    labels = anatomy.organs(grid).array
    found = []
    for site in sites:
        for _ in range(int(random.integers(site.least, site.most + 1))):
            lesion = _place(patient, site, labels, grid, anatomy.frame.axes(grid), random)
            if lesion is not None:
                found.append(lesion)
    return tuple(found)


def _place(
    patient: Patient,
    site: Site,
    labels: np.ndarray,
    grid: Grid,
    axes: tuple[np.ndarray, ...],
    random: np.random.Generator,
) -> Lesion | None:
    x, _, z = axes
    slices = np.flatnonzero((z >= site.z[0]) & (z <= site.z[1]))
    columns = np.flatnonzero((np.abs(x) >= site.aside[0]) & (np.abs(x) <= site.aside[1]))
    if not slices.size or not columns.size:
        return None
    part = labels[slices[0] : slices[-1] + 1][:, :, columns]
    voxels = np.argwhere(label_mask(part, labels_with_parts(site.host)))
    if not len(voxels):
        return None
    i, j, k = voxels[random.integers(len(voxels))]
    index = np.array([columns[k], j, i + slices[0]])
    centre = np.array(grid.origin) + index * 8.0 + random.uniform(-3, 3, 3)
    radius = site.radius * np.exp(random.normal(0, 0.35)) * random.uniform(0.8, 1.25, 3)
    suv = site.suv * float(np.exp(random.normal(0, 0.45)))
    suv = float(np.clip(suv, max(_FAINTEST, 1.5 * patient.suv[site.host]), _HOTTEST))
    hu = float(site.hu + random.normal(0, 6)) if random.random() < site.shown else None
    radii = tuple(float(r) for r in np.clip(radius, _SMALLEST_MM, site.largest))
    return Lesion(tuple(centre.tolist()), radii, suv, hu, site.host)  # type: ignore[arg-type]
