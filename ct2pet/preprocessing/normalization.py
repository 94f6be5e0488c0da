"""HU and SUV to the numbers that networks see, and back. NumPy arrays and torch tensors alike, of floating type."""

from __future__ import annotations

from typing import Any

from ct2pet.planning.plans import CTNormalization, PETNormalization

AIR = -1.0  # of a normalised CT: what a network sees where it must not look, and beyond the volume


def normalize_ct(ct_hu: Any, plan: CTNormalization) -> Any:
    """CT (HU, any shape, floating type) clipped to the plan's window and mapped linearly to [-1, 1]."""
    half = (plan.upper_hu - plan.lower_hu) / 2
    return (ct_hu.clip(plan.lower_hu, plan.upper_hu) - plan.lower_hu) / half - 1


def normalize_pet(pet_suv: Any, plan: PETNormalization) -> Any:
    """PET (SUV, any shape, floating type) with the plan's window mapped linearly to [0, 1].

    Values beyond the window go beyond [0, 1], unless the plan clips.
    """
    if plan.clip:
        pet_suv = pet_suv.clip(plan.lower_suv, plan.upper_suv)
    return (pet_suv - plan.lower_suv) / (plan.upper_suv - plan.lower_suv)


def denormalize_pet(pet: Any, plan: PETNormalization) -> Any:
    """The inverse of normalize_pet (without its clipping): [0, 1] to SUV. May be negative where a network says so."""
    return pet * (plan.upper_suv - plan.lower_suv) + plan.lower_suv


def pet_as_input(pet: Any) -> Any:
    """Normalised PET for a network that goes on with it: in the range of a CT, so that the lower end of the plan's
    window (SUV 0) is what lies around a CT, too (AIR)."""
    return 2 * pet - 1


def input_as_pet(image: Any) -> Any:
    """The inverse of pet_as_input."""
    return (image + 1) / 2
