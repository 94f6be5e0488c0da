"""The plan of one district, or of the whole body, as frozen dataclasses."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from ct2pet.errors import PlansError

UNIFORM, GAUSSIAN = "uniform", "gaussian"
WINDOW_WEIGHTS = (UNIFORM, GAUSSIAN)  # equal weights; largest at the centre, near zero at the border


@dataclass(frozen=True)
class Normalization:
    """Values [lower, upper] (in the field's unit) are mapped linearly to ``range``; ``clip`` limits other values to it.

    ``scope``: ``dataset``: the same window for all images; ``image``: the minimum and maximum of each image in place of
    ``lower`` and ``upper`` (inputs only, because targets are mapped back). ``windows``: narrower windows (in the
    field's unit) in which networks get an input a second time, see networks/input_windows.py; stored images are
    independent of them."""

    lower: float
    upper: float
    clip: bool
    range: list[float]
    scope: str = "dataset"
    windows: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True)
class Masking:
    """The input voxels that are not masked: the district (``hard``, as in the paper), or also those within
    ``margin_mm`` of it (``context``). Other voxels get the value outside of images. Losses and errors are computed
    inside the district in both cases. ``none``: the whole image is input, training region and prediction, independent
    of the district map."""

    kind: str
    margin_mm: float


@dataclass(frozen=True)
class Sampling:
    """Sampling of training patches: ``lesion_fraction`` of them are centred on a lesion voxel (of cases that have any),
    ``label_fraction`` on a voxel of a random label of the label maps, the others on a random voxel of the district.
    ``balanced_over``: a condition whose classes are sampled equally often; empty: all cases are. ``lesions_centred``:
    the centre of a lesion patch is the centre of the case's largest lesion, in a random axial slice of it; otherwise a
    random lesion voxel is at a random position in the middle half of the patch."""

    lesion_fraction: float
    label_fraction: float = 0.0
    balanced_over: str = ""
    lesions_centred: bool = False


@dataclass(frozen=True)
class ValueChanges:
    """Random changes of the values of input CTs, each with this ``probability``: a Gaussian ``blur_voxels`` (smallest
    and largest sigma), the factor of their ``contrast`` around the middle of their window (smallest and largest), a
    ``shift`` (the largest, as a share of the window), and the exponent ``gamma`` (smallest and largest) of their share
    of the window. See training/ct_values.py."""

    probability: float
    blur_voxels: list[float]
    contrast: list[float]
    shift: float
    gamma: list[float]


@dataclass(frozen=True)
class Augmentation:
    """Spatial transforms of all fields together, and Gaussian noise on the normalised input images. Axes are Z, Y, X.

    ``scaling_range``: the smallest and the largest factor of the size of the body, in samples that are not rotated.
    ``misalignment_mm``: by field, its largest shift (mm, Z, Y, X) against the others, with
    ``misalignment_probability`` (Kovacs et al., Sci Rep 2023). ``dose_fractions``: the dose of the stored low-dose PET
    and the highest dose of training patches; empty: the stored dose alone. See training/dose_mixing.py."""

    rotation_degrees: list[float]
    rotation_probability: float
    flip_axes: list[int]
    flip_probability: float
    noise_std: float
    noise_probability: float
    misalignment_mm: dict[str, list[float]] = field(default_factory=dict)
    misalignment_probability: float = 0.0
    dose_fractions: list[float] = field(default_factory=list)
    scaling_range: list[float] = field(default_factory=lambda: [1.0, 1.0])
    scaling_probability: float = 0.0
    ct_values: ValueChanges | None = None


@dataclass(frozen=True)
class NetworkPlan:
    """A network: the dotted name of its class, and the arguments of its constructor.

    Arguments that are classes (``norm_op``) are also dotted names. Channels are not included: they follow from the
    fields and are set when the network is built; see networks.build_network.
    """

    network_class: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Slices:
    """The plan for methods of axial slices: ``patch_size`` (voxels: Y, X), slices per step, 2D networks."""

    patch_size: list[int]
    batch_size: int
    networks: dict[str, NetworkPlan]


@dataclass(frozen=True)
class Configuration:
    """The plan of one district, or of the whole body.

    ``spacing`` (mm), ``median_shape`` and ``patch_size`` (voxels) are in the order Z, Y, X. ``normalization``: by image
    field. ``tile_overlap`` is the overlap of neighbouring windows, as a share of the window; ``tile_layout``: see
    SlidingWindow; ``window_weights``: the weights of a window's voxels where windows overlap (WINDOW_WEIGHTS).
    ``networks``: by role. ``slices``: the plan for methods in 2D; None in older plans and where none was planned.
    """

    labels: list[int]
    spacing: list[float]
    median_shape: list[int]
    patch_size: list[int]
    batch_size: int
    normalization: dict[str, Normalization]
    masking: Masking
    sampling: Sampling
    augmentation: Augmentation
    tile_overlap: float
    mirror_axes: list[int]
    networks: dict[str, NetworkPlan]
    slices: Slices | None = None
    tile_layout: str = "fitted"
    window_weights: str = UNIFORM  # the value used by older plans without this key

    def as_seen_in(self, dimensions: int) -> Configuration:
        """The plan for a method of 2 or 3 ``dimensions``: in 2D patches are one voxel thick, networks are those of the
        slices, and there are no rotations or flips out of the slice.

        Raises PlansError where 2D was not planned.
        """
        if dimensions == 3:
            return self
        if self.slices is None:
            raise PlansError(
                "these plans have no slices, which methods in 2D need; make new plans with ct2pet_plan_experiment"
            )
        turned = self.augmentation
        return dataclasses.replace(
            self,
            patch_size=[1, *self.slices.patch_size],
            batch_size=self.slices.batch_size,
            augmentation=dataclasses.replace(
                turned,
                rotation_degrees=[turned.rotation_degrees[0], 0.0, 0.0],
                flip_axes=[axis for axis in turned.flip_axes if axis != 0],
            ),
            mirror_axes=[axis for axis in self.mirror_axes if axis != 0],
            networks=self.slices.networks,
            slices=None,
        )

    def network(self, role: str) -> NetworkPlan:
        """The network of a role. Raises PlansError that lists the roles."""
        if role not in self.networks:
            known = ", ".join(self.networks)
            raise PlansError(f"these plans have no network for the role {role!r}; known are: {known}; plan again")
        return self.networks[role]
