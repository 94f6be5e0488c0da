"""Rigid registration of a PET to the CT of the same patient, for pairs that did not come from one hardware.

Mattes' mutual information (Mattes et al. 2003, IEEE TMI 22:120), maximised over coarse and then finer images with
SimpleITK, from several beginnings. Sharp images whose grids coincide agree too well where they lie (Pluim et al. 2000,
CVIU 77:211): the CT is smoothed to the PET's resolution, and samples lie between the voxels.

A limb is nearly the same all along, so that the images do not show its place along its axis, or its turn about it. The
PET is moved along those of the six axes whose optimum is sharp, and left on the others (``sharpness``): by a change of
its grid; its voxels stay what they are.
"""

from ct2pet.registration.register import estimate_misalignment, register
from ct2pet.registration.result import (
    ALIGNED,
    IMPLAUSIBLE,
    MOVED,
    UNCLEAR,
    Registration,
    moved,
    moved_grid,
)

__all__ = [
    "ALIGNED",
    "IMPLAUSIBLE",
    "MOVED",
    "UNCLEAR",
    "Registration",
    "estimate_misalignment",
    "moved",
    "moved_grid",
    "register",
]
