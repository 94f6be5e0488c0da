"""The decisions for one district, or for the whole body, as frozen dataclasses."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from ct2pet.errors import PlansError

UNIFORM, GAUSSIAN = "uniform", "gaussian"
WINDOW_WEIGHTS = (UNIFORM, GAUSSIAN)  # every voxel alike; the middle most, the rim next to nothing


@dataclass(frozen=True)
class Normalization:
    """Values [lower, upper] (in the field's unit) are mapped linearly to ``range``; ``clip`` cuts off the rest.

    ``scope``: whose window it is: that of the ``dataset``, the same for all images, or the ``image``'s own minimum and
    maximum, in place of ``lower`` and ``upper``; of inputs only, because a target is mapped back."""

    lower: float
    upper: float
    clip: bool
    range: list[float]
    scope: str = "dataset"


@dataclass(frozen=True)
class Masking:
    """Which input voxels a network sees: the district alone (``hard``, as the paper), or those within ``margin_mm`` of
    it too (``context``). All others are as beyond the image. Losses and errors count inside the district in both
    cases. ``none``: the network sees, learns and predicts the whole image, whatever the district map says."""

    kind: str
    margin_mm: float


@dataclass(frozen=True)
class Sampling:
    """Where training patches come from: ``lesion_fraction`` of them are centred on a lesion voxel (of cases that have
    any), ``label_fraction`` on a voxel of a random label of the label maps, the others on a random voxel of the
    district. ``balanced_over``: a condition whose classes are drawn equally often; empty: cases are.
    ``lesions_centred``: patches of lesions have the middle of the case's largest lesion in their middle, in a random
    axial slice of it; otherwise a random lesion voxel lies anywhere in the middle half of the patch."""

    lesion_fraction: float
    label_fraction: float = 0.0
    balanced_over: str = ""
    lesions_centred: bool = False


@dataclass(frozen=True)
class Augmentation:
    """Spatial transforms of all fields together, and Gaussian noise on the normalised input images. Axes are Z, Y, X.

    ``misalignment_mm``: by field, how far (mm, Z, Y, X) it is moved at most against the others, with
    ``misalignment_probability`` (Kovacs et al., Sci Rep 2023)."""

    rotation_degrees: list[float]
    rotation_probability: float
    flip_axes: list[int]
    flip_probability: float
    noise_std: float
    noise_probability: float
    misalignment_mm: dict[str, list[float]] = field(default_factory=dict)
    misalignment_probability: float = 0.0


@dataclass(frozen=True)
class NetworkPlan:
    """A network by the dotted name of its class, and the arguments that it is called with.

    Arguments that are classes (``norm_op``) are dotted names too. Channels are not among them: they follow from the
    fields, and are given when it is built; see networks.build_network.
    """

    network_class: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Slices:
    """The decisions for methods that see axial slices: ``patch_size`` (voxels: Y, X), slices per step, 2D networks."""

    patch_size: list[int]
    batch_size: int
    networks: dict[str, NetworkPlan]


@dataclass(frozen=True)
class Configuration:
    """The decisions for one district, or for the whole body.

    ``spacing`` (mm), ``median_shape`` and ``patch_size`` (voxels) are in the order Z, Y, X. ``normalization``: by image
    field. ``tile_overlap`` is the share of a window that its neighbour covers again; ``tile_layout``: see
    SlidingWindow; ``window_weights``: how much each voxel of a window counts where windows overlap (WINDOW_WEIGHTS).
    ``networks``: by role. ``slices``: the same for methods in 2D; None in older plans and where none was planned.
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
    window_weights: str = UNIFORM  # what older plans, which do not say, were predicted with

    def as_seen_in(self, dimensions: int) -> Configuration:
        """The decisions as a method of so many ``dimensions`` sees them: in 2D patches are one voxel thick, networks
        are those of the slices, and nothing is turned or flipped out of its slice.

        Raises PlansError where 2D is asked for and not planned.
        """
        if dimensions == 3:
            return self
        if self.slices is None:
            raise PlansError(
                "these plans have no slices for methods in 2D; make plans that have: ct2pet_plan_experiment"
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
        """The network of a role. Raises PlansError that lists the roles there are."""
        if role not in self.networks:
            known = ", ".join(self.networks)
            raise PlansError(f"these plans have no network for the role {role!r}; there are: {known}; plan again")
        return self.networks[role]
