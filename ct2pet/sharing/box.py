"""The built-in model: an archive in the package, trained only on phantoms, for use without a trained model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ct2pet.layout import PLANS
from ct2pet.planning.plans import Plans
from ct2pet.sharing.archive import is_package, unpacked

BOX = "box"
"""The name of the built-in model, where a command takes the path of a model, and of plans with its networks."""
ABOUT_BOX = f"{BOX}, built into ct2pet, trained only on phantoms: normal uptake, no lesions; research use only"


def box_file() -> Path:
    """The archive of the built-in model, as written by ct2pet_export_model."""
    return Path(__file__).with_name("box.zip")


def is_box(path: str | Path) -> bool:
    """Whether the path of a model means the built-in model: ``box``, unless a file or folder has this name."""
    return str(path) == BOX and not Path(path).exists()


def archive_of(path: str | Path) -> Path | None:
    """The archive at the path of a model; None where it is no archive."""
    path = Path(path)
    if is_box(path):
        return box_file()
    return path if path.is_file() and is_package(path) else None


def box_plans() -> Plans:
    """The plans of the built-in model, with its configurations only."""
    with unpacked(box_file()) as folder:
        found = {path.parent.name.split("__")[-1]: path for path in sorted(folder.glob(f"*/*/{PLANS}"))}
        plans = Plans.load(next(iter(found.values())))
    return replace(plans, configurations={name: plans.configuration(name) for name in found})
