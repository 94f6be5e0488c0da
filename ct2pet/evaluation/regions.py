"""The real PET, the prediction and the evaluated regions, on one grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ct2pet.errors import GeometryError, ImageError
from ct2pet.evaluation.lesions import components
from ct2pet.evaluation.names import LESION, LESIONS, LESIONS_OF, ORGAN
from ct2pet.evaluation.peaks import peak_radii, sphere_means
from ct2pet.evaluation.region_partition import LabelledRegions, Partition
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.resampling import resample
from ct2pet.volume import Box, Triple, Volume

_MARGIN = 1  # voxels around the regions: predictions are shifted by one


@dataclass(frozen=True)
class Scene:
    """A case for evaluation, on the real PET's grid (Z, Y, X, oriented).

    ``real``: PET in SUV, float32. ``labels``: the labels of the ``districts``, 0 outside the body. The other arrays
    cover ``_MARGIN`` voxels around ``box``, which contains all regions (see ``cut``): ``real_part``, ``real_peaks``
    (means of spheres, see peaks), ``lesions`` (numbered from 1; None without a mask). ``partition``: the voxels of the
    whole body, the districts, all lesions together, by group ("lesions_GROUP") and one by one ("lesion:1"), and the
    organs, by flat index into these. ``lesion_groups``: the names of the groups.
    """

    real: Volume
    labels: np.ndarray
    districts: Mapping[str, int]
    box: Box
    real_part: np.ndarray
    real_peaks: np.ndarray
    lesions: np.ndarray | None
    partition: Partition
    lesion_groups: tuple[str, ...] = ()

    @property
    def spacing(self) -> Triple:
        return self.real.grid.spacing

    def peaks(self, pet_suv: np.ndarray) -> np.ndarray:
        """The means of spheres in a PET on the whole grid, cut."""
        return _peaks(pet_suv, self.box, self.spacing)

    def cut(self, array: np.ndarray) -> np.ndarray:
        """The part of an array on the whole grid that the regions need, with repeated borders."""
        return _cut(array, self.box)


def make_scene(
    real_pet: Volume,
    district_map: Volume,
    districts: Mapping[str, int],
    lesions: Volume | None = None,
    organs: Volume | None = None,
    organ_names: Mapping[str, int] | None = None,
    lesion_groups: Mapping[str, int] | None = None,
) -> Scene:
    """All maps are resampled to the real PET's grid by nearest neighbour. Organs without a name are named by their
    number. ``lesion_groups``: the labels in the lesion mask (None: all voxels above 0 are one group).

    Raises ImageError where the PET has values that are not finite, or the district map no district.
    """
    real, labels = real_and_labels(real_pet, district_map, districts)
    lesion_map = None if lesions is None else _on_grid(lesions, real)
    organ_map = None if organs is None else _on_grid(organs, real)
    everything = labels > 0
    for other in (lesion_map, organ_map):
        if other is not None:
            everything |= other > 0
    box = Box.around(everything) or Box((0, 0, 0), (1, 1, 1))
    kinds = [LabelledRegions(_cut_mask(labels, box), districts, WHOLE_BODY)]
    numbered = None
    groups = {} if lesion_map is None else dict(lesion_groups or {})
    if lesion_map is not None:
        lesion_part = _cut_mask(lesion_map, box)
        numbered = components(lesion_part > 0)
        single = {f"{LESION}{number}": number for number in range(1, int(numbered.max()) + 1)}
        kinds.append(LabelledRegions(numbered, single, LESIONS))
        if groups:
            kinds.append(LabelledRegions(lesion_part, {f"{LESIONS_OF}{name}": label for name, label in groups.items()}))
    if organ_map is not None:
        organ_part = _cut_mask(organ_map, box)
        kinds.append(LabelledRegions(organ_part, _named_organs(organ_part, organ_names or {})))
    part, peaks = _cut(real.array, box), _peaks(real.array, box, real.grid.spacing)
    return Scene(real, labels, districts, box, part, peaks, numbered, Partition.of(kinds), tuple(groups))


def real_and_labels(real_pet: Volume, district_map: Volume, districts: Mapping[str, int]) -> tuple[Volume, np.ndarray]:
    """The real PET, float32 and oriented, and the labels of the districts on its grid, 0 for all others."""
    _require_finite(real_pet, "real PET")
    real = real_pet.to_canonical()
    real = real.with_array(np.ascontiguousarray(real.array, dtype=np.float32))
    labels = _on_grid(district_map, real)
    known = np.zeros(max(int(labels.max(initial=0)), *districts.values()) + 1, labels.dtype)
    known[list(districts.values())] = list(districts.values())
    labels = known[labels]
    if not labels.any():
        raise ImageError(
            f"the district map has no district ({', '.join(districts)}) in the field of view of the real PET"
        )
    return real, labels


def on_grid_of(fake_pet: Volume, real: Volume) -> np.ndarray:
    """The prediction (Z, Y, X, float32) on the real PET's grid: linear, and 0 outside."""
    _require_finite(fake_pet, "prediction")
    if fake_pet.grid.overlap(real.grid) == 0:
        raise GeometryError("prediction and real PET do not overlap; check the positions in their headers")
    return np.ascontiguousarray(resample(fake_pet.to_canonical(), real.grid).array, dtype=np.float32)


def _on_grid(labels: Volume, real: Volume) -> np.ndarray:
    """A label map as unsigned integers."""
    array = resample(labels.to_canonical(), real.grid, labels=True).array
    if array.dtype.kind not in "ub":
        rounded = np.rint(array).clip(0)
        array = rounded.astype(np.min_scalar_type(int(rounded.max(initial=0))))
    return array


def _cut(array: np.ndarray, box: Box, margins: tuple[int, int, int] = (_MARGIN, _MARGIN, _MARGIN)) -> np.ndarray:
    wider = box.grown(margins, array.shape)  # type: ignore[arg-type]
    beyond = [
        (margin - (start - first), margin - (last - stop))
        for margin, start, first, last, stop in zip(margins, box.start, wider.start, wider.stop, box.stop)
    ]
    return np.pad(array[wider.slices], beyond, mode="edge") if np.any(beyond) else array[wider.slices].copy()


def _cut_mask(array: np.ndarray, box: Box) -> np.ndarray:
    """As ``_cut``, but with nothing in the margin."""
    return np.pad(array[box.slices], _MARGIN)


def _peaks(pet_suv: np.ndarray, box: Box, spacing: Triple) -> np.ndarray:
    margins = tuple(_MARGIN + radius for radius in peak_radii(spacing))
    return sphere_means(_cut(pet_suv, box, margins), spacing)  # type: ignore[arg-type]


def _named_organs(labels: np.ndarray, names: Mapping[str, int]) -> dict[str, int]:
    """Every named organ, and the number of every label that has no name."""
    present = np.flatnonzero(np.bincount(labels.ravel()))
    unnamed = {str(label): int(label) for label in present if label and label not in names.values()}
    return {f"{ORGAN}{name}": label for name, label in {**names, **unnamed}.items()}


def _require_finite(volume: Volume, what: str) -> None:
    if not np.isfinite(volume.array).all():
        raise ImageError(f"the {what} has NaN or infinite values")
