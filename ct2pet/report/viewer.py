"""The slice viewer in the page: its controls, and the settings of its script."""

from __future__ import annotations

from typing import Any

from ct2pet.dataset import Field
from ct2pet.report.assets import asset
from ct2pet.report.colours import ERROR, hex_table
from ct2pet.report.page import json_block
from ct2pet.report.projections import image_title
from ct2pet.report.volumes import PET_SCALE, SCALES

PET_COLOURS = {
    "inferno": "inferno",
    "gray_r": "grey, dark: high uptake",
    "gray": "grey, bright: high uptake",
    "cividis": "cividis",
}


def viewer(field: Field) -> str:
    """The viewer's controls (hidden until a script shows them) and its settings; ``field``: the input image that it
    shows with the PETs (a CT also under them)."""
    return asset("viewer.html") + json_block("viewer-settings", _settings(field))


def _settings(field: Field) -> dict[str, Any]:
    return {
        "input": {
            "title": image_title(field),
            "kind": field.kind,
            "unit": field.rules.unit,
            "values": SCALES[field.kind].table(),
        },
        "pet": PET_SCALE.table(),
        "colours": {name: hex_table(name) for name in PET_COLOURS} | {"error": hex_table(ERROR.colours)},
        "petColours": [{"map": name, "label": label} for name, label in PET_COLOURS.items()],
    }
