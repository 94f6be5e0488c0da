"""Evidence in the slices of a PET series for the time to which their values are decay corrected.

Frame Reference Time (0054,1300) is the offset of a frame from the reference, Decay Factor (0054,1321) is the factor
by which its values were multiplied to be those of the reference (PS3.3 C.8.9.4). Both count from the reference to the
time of the frame at which the activity has its mean (Siemens and Philips, as the standard defines it) or to the start
of the frame (Frame Reference Time of GE, whose Decay Factor counts to the mean): Fritsak M et al. (2024),
Vendor-Specific Approach for SUV Calculation, arXiv 2410.13348, and its implementation Z-Rad; the soft-tissue sarcoma
images of a Discovery ST on The Cancer Imaging Archive (doi 10.7937/K9/TCIA.2015.7GO2GSKS) are of GE's kind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

import numpy as np

from ct2pet.errors import ImageError
from ct2pet.suv.header import Frame, name
from ct2pet.suv.times import acquisition_starts, frame_seconds, mean_activity_delay

AGREEMENT_S = 60.0
"""Times of a header that differ by less agree: 0.6% of SUV with fluorine-18. Many are written in whole minutes."""

AGREEMENT_HALF_LIVES = 0.01
"""Of short-lived nuclides times agree within this part of the half-life: 0.7% of SUV."""

_RESOLUTION_S = 1.0  # precision of most clocks


def agreement(half_life: float) -> float:
    """The largest difference in seconds between two times of a header that agree."""
    return max(_RESOLUTION_S, min(AGREEMENT_S, AGREEMENT_HALF_LIVES * half_life))


@dataclass(frozen=True)
class Evidence:
    """The evidence of one tag for the reference. ``offset``: seconds from it to the first frame; ``delays``: the
    possible end points of the offset in the frame, in seconds after the frame's start."""

    tag: str
    offset: float
    delays: tuple[float, ...]

    def supports(self, reference: datetime, first: datetime, tolerance: float) -> bool:
        """Whether ``reference`` agrees with the tag, with ``first`` as the start of the first frame."""
        passed = (first - reference).total_seconds()
        return any(abs(passed + delay - self.offset) <= tolerance for delay in self.delays)


class Meaning(Enum):
    """The meaning of Acquisition Time. It is that of each frame by the standard; (older) software of GE writes that of
    the scan into all frames."""

    FRAME = "each frame"
    SCAN = "the scan"
    OPEN = "either: all frames have one time and lie at one distance from the reference"


@dataclass(frozen=True)
class FrameTimes:
    """The times of the slices of a series: the earliest acquisition time and its ``meaning``, the ``recorded`` evidence
    of the reference, and the ``delay`` in seconds from the start of the first frame to its mean activity. Times agree
    within ``tolerance`` seconds."""

    first: datetime
    recorded: tuple[Evidence, ...]
    delay: float
    meaning: Meaning
    tolerance: float

    def contradicting(self, reference: datetime) -> list[str]:
        """The recorded tags that do not agree with a reference."""
        return [each.tag for each in self.recorded if not each.supports(reference, self.first, self.tolerance)]

    def begin_at(self, moment: datetime) -> bool:
        """Whether the earliest acquisition time agrees with a moment."""
        return abs((moment - self.first).total_seconds()) <= self.tolerance


def frame_times(slices: Sequence[Frame], half_life: float) -> FrameTimes:
    """Read the times of all slices.

    Frame Reference Time counts as not recorded where it is 0 in all slices although they begin at several times or
    Decay Factor says that the first frame does not begin at the reference; and Decay Factor where it is 1 in all
    slices: some systems write these values where they have none. Where all frames have one acquisition time but several
    distances from the reference, that time is the scan's and independent of these distances. Raises ImageError where
    the tags of the slices contradict each other: where the distance of two frames is not the same by acquisition,
    reference time and decay factor, to within one frame and ``agreement``.
    """
    starts = acquisition_starts(slices)
    first = min(starts)
    begun = np.array([(start - first).total_seconds() for start in starts])
    lengths = np.array([frame_seconds(frame) or 0.0 for frame in slices])
    offsets, decays = _reference_times(slices), decay_seconds(slices, half_life)
    tolerance = agreement(half_life)
    earliest = _earliest(begun, offsets, decays)
    delay = mean_activity_delay(float(lengths[earliest]), half_life)
    delays = tuple(dict.fromkeys((0.0, delay, float(lengths[earliest]) / 2)))
    if offsets is not None and not offsets.any():
        at_reference = decays is None or Evidence("", float(decays[earliest]), delays).supports(first, first, tolerance)
        offsets = offsets if at_reference and np.ptp(begun) <= tolerance else None
    _check_distances(earliest, tolerance + lengths, begun, offsets, decays)
    meaning = _meaning(begun, offsets, decays, tolerance + float(lengths[earliest]))
    recorded = [(name(_REFERENCE_TIME), offsets), (name(_DECAY_FACTOR), decays)]
    evidence = tuple(Evidence(tag, float(known[earliest]), delays) for tag, known in recorded if known is not None)
    return FrameTimes(first, () if meaning is Meaning.SCAN else evidence, delay, meaning, tolerance)


def _meaning(begun: np.ndarray, offsets: np.ndarray | None, decays: np.ndarray | None, tolerance: float) -> Meaning:
    if np.ptp(begun) > tolerance:
        return Meaning.FRAME
    moved = any(known is not None and np.ptp(known) > tolerance for known in (offsets, decays))
    return Meaning.SCAN if moved else Meaning.OPEN


_REFERENCE_TIME, _DECAY_FACTOR = "FrameReferenceTime", "DecayFactor"


def _reference_times(slices: Sequence[Frame]) -> np.ndarray | None:
    """Seconds; None where a slice has none."""
    values = [frame.number_or_zero(_REFERENCE_TIME) for frame in slices]
    return None if None in values else np.array(values, dtype=float) / 1000


def decay_seconds(slices: Sequence[Frame], half_life: float) -> np.ndarray | None:
    """The seconds over which each slice was corrected for decay; None where a slice has no factor, or all have 1."""
    values = [frame.number_or_zero(_DECAY_FACTOR) for frame in slices]
    if None in values or all(value == 1 for value in values):
        return None
    if any(value is None or value <= 0 for value in values):
        raise ImageError(f"{name(_DECAY_FACTOR)} is not above 0")
    return np.array([math.log2(value) * half_life for value in values if value is not None])


def _earliest(begun: np.ndarray, offsets: np.ndarray | None, decays: np.ndarray | None) -> int:
    """The slice that was measured first. Some systems write one acquisition time into all slices."""
    keys = [known for known in (decays, offsets, begun) if known is not None]
    return int(np.lexsort(keys)[0])


def _check_distances(
    earliest: int, tolerance: np.ndarray, begun: np.ndarray, offsets: np.ndarray | None, decays: np.ndarray | None
) -> None:
    known: dict[str, np.ndarray | None] = {name("AcquisitionTime"): begun if np.ptp(begun) > tolerance.min() else None}
    known |= {name(_REFERENCE_TIME): offsets, name(_DECAY_FACTOR): decays}
    after = [(tag, values - values[earliest]) for tag, values in known.items() if values is not None]
    for index, (tag, values) in enumerate(after):
        for other, others in after[index + 1 :]:
            apart = np.abs(values - others)
            if (apart > tolerance).any():
                raise ImageError(
                    f"{tag} and {other} contradict each other: the times of a frame differ by up to {apart.max():.0f} s"
                )


def describe(apart: timedelta) -> str:
    """A distance in time for messages, in minutes or, where it is short, seconds."""
    seconds = abs(apart.total_seconds())
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
