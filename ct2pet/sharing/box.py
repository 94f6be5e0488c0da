"""The model in the box: an archive in the package, trained on phantoms alone, for use where nothing else is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ct2pet.layout import PLANS
from ct2pet.planning.plans import Plans
from ct2pet.sharing.archive import is_package, unpacked

BOX = "box"
"""The name of the model in the box, where a command takes the path of a model, and of the plans that fit it."""
ABOUT_BOX = (
    f"{BOX}, a part of ct2pet: trained on procedural phantoms alone, predicts normal uptake, lesions cannot be "
    "expected; research only"
)


def box_file() -> Path:
    """The archive of the model in the box, as ct2pet_export_model writes it."""
    return Path(__file__).with_name("box.zip")


def is_box(path: str | Path) -> bool:
    """Whether a path of a model means the model in the box: ``box``, where no file or folder of that name is."""
    return str(path) == BOX and not Path(path).exists()


def archive_of(path: str | Path) -> Path | None:
    """The archive that a path of a model means; None where it is no archive."""
    path = Path(path)
    if is_box(path):
        return box_file()
    return path if path.is_file() and is_package(path) else None


def box_plans() -> Plans:
    """The plans of the model in the box, with the configurations that it has."""
    with unpacked(box_file()) as folder:
        found = {path.parent.name.split("__")[-1]: path for path in sorted(folder.glob(f"*/*/{PLANS}"))}
        plans = Plans.load(next(iter(found.values())))
    return replace(plans, configurations={name: plans.configuration(name) for name in found})
