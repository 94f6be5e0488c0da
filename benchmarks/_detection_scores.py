"""Scores of the detection of lesions: the share that is found, and the regions outside lesions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, label

from ct2pet.phantom.scan import LESION_GROUPS

SHOWN, HIDDEN = LESION_GROUPS["shown_in_CT"], LESION_GROUPS["hidden_in_CT"]
REGIONS_PER_SCAN = (1, 2, 4)
_THRESHOLDS = (0.05, 0.1, 0.3, 0.5, 0.7)
_LOGITS = np.arange(-9, 9.1, 0.5)
_LARGEST_SHARE = 0.02  # of the trunk; lesions have a thousandth of it
_NEIGHBOURS = np.ones((3, 3, 3))


@dataclass(frozen=True)
class Case:
    """The trunk on the network's grid: normalised ``ct``, ``mask`` (bool), ``groups`` of lesions (LESION_GROUPS)."""

    ct: np.ndarray
    mask: np.ndarray
    groups: np.ndarray

    def padded(self, width: int) -> Case:
        """With so many voxels outside of the image on each side."""
        return Case(
            *(np.pad(a, width, constant_values=v) for a, v in ((self.ct, -1), (self.mask, 0), (self.groups, 0)))
        )


def regions(mask: np.ndarray) -> list[np.ndarray]:
    """The voxels (number, 3) of each connected region of a mask; voxels that share a corner are connected."""
    numbers, count = label(mask, _NEIGHBOURS)
    voxels = np.argwhere(numbers)
    own = numbers[tuple(voxels.T)]
    return [voxels[own == number] for number in range(1, count + 1)]


def sensitivities(some: Sequence[Case], found: Sequence[np.ndarray]) -> list[float]:
    """The share of shown lesions (%) at the lowest threshold from which on no higher one has more than 1, 2, 4 regions
    outside lesions per scan, or 2% of the trunk."""
    values = reached(some, found, SHOWN)
    outside = np.mean([_outside(c, f, _LOGITS) for c, f in zip(some, found)], axis=0)
    volume = np.array([np.mean([(f >= t)[c.mask].mean() for c, f in zip(some, found)]) for t in _LOGITS])
    outside[volume > _LARGEST_SHARE] = np.inf  # regions merge where most of the trunk is marked
    shares = []
    for most in REGIONS_PER_SCAN:
        too_many = np.flatnonzero(outside > most)
        usable = _LOGITS[too_many[-1] + 1 if too_many.size else 0 :]
        shares.append(100 * float(np.mean(values >= usable[0])) if usable.size else 0.0)
    return shares


def reached(some: Sequence[Case], found: Sequence[np.ndarray], group: int) -> np.ndarray:
    """The highest value in each lesion of a group."""
    return np.array(
        [image[tuple(v.T)].max() for case, image in zip(some, found) for v in regions(case.groups == group)]
    )


def table(test: Sequence[Case], found: Sequence[np.ndarray]) -> str:
    """In Markdown, by threshold of the probability."""
    shown, hidden = (reached(test, found, group) for group in (SHOWN, HIDDEN))
    rows = [
        f"| probability ({len(shown)} shown, {len(hidden)} hidden lesions) | shown [%] | hidden [%] "
        "| regions outside lesions, per scan |",
        "|" + " --- |" * 4,
    ]
    others = np.mean([_outside(case, image, _THRESHOLDS) for case, image in zip(test, found)], axis=0)
    for threshold, number in zip(_THRESHOLDS, others):
        shares = [100 * np.mean(values >= threshold) for values in (shown, hidden)]
        rows.append(f"| ≥ {threshold:g} | {shares[0]:.0f} | {shares[1]:.0f} | {number:.2f} |")
    return "\n".join(rows)


def _outside(case: Case, found: np.ndarray, thresholds: Sequence[float]) -> list[int]:
    """The number of regions of the trunk with at least this value that touch no lesion, by threshold."""
    near, counts = binary_dilation(case.groups > 0, _NEIGHBOURS), []
    for threshold in thresholds:
        numbers, count = label((found >= threshold) & case.mask, _NEIGHBOURS)
        counts.append(count - len({*np.unique(numbers[near])} - {0}))
    return counts
