"""The colours of pictures, viewer and plots, distinguishable with common kinds of colour blindness."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from matplotlib import colormaps
from matplotlib.colors import to_hex

from ct2pet.dataset import fields

# The first is the synthetic PET, the second another model's (Okabe and Ito's blue and vermilion: colour universal
# design, 2008), the others are trivial baselines.
SERIES = ("#0072b2", "#d55e00", "#6e7781", "#8a929b")


@dataclass(frozen=True)
class Window:
    """The mapping of numbers to colours: the shown range, the name of matplotlib's colour map, and the unit."""

    limits: tuple[float, float]
    colours: str
    unit: str


CT = Window((-200.0, 1000.0), "gray", "HU")
PET = Window((0.0, 10.0), "gray_r", "SUV")
ERROR = Window((-5.0, 5.0), "RdBu_r", "SUV")
OF_KIND = {fields.CT: CT, fields.PET: PET}  # display of images by kind


@cache
def colour_table(name: str) -> tuple[tuple[int, int, int], ...]:
    """256 colours (red, green, blue: 0 to 255) of one of matplotlib's maps."""
    return tuple(tuple(int(v) for v in colour[:3]) for colour in colormaps[name](range(256), bytes=True))  # type: ignore[misc]


def hex_table(name: str) -> str:
    """The 256 colours as one text of 6 hexadecimal digits each."""
    return "".join(f"{r:02x}{g:02x}{b:02x}" for r, g, b in colour_table(name))


def gradient(name: str, stops: int = 17) -> str:
    """The colour map from left to right, as CSS."""
    colours = [to_hex(colormaps[name](index / (stops - 1))) for index in range(stops)]
    return f"linear-gradient(to right,{','.join(colours)})"
