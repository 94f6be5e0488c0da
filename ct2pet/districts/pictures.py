"""A district map over its CT, for a quick look by a person: coronal and sagittal, projections and slices, as PNG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from scipy.ndimage import binary_erosion

from ct2pet.files import atomic_path
from ct2pet.volume import Volume

# Okabe M, Ito K, "Color universal design", 2008: distinct for colour-blind readers, and in this order for neighbours.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00", "#FFFFFF")
_SLICE_HU = (-160.0, 240.0)
_PROJECTION_HU = (-1000.0, 300.0)
_PIXEL_MM = 2.0
_PANEL_INCHES = (2.6, 5.6)  # at most this wide and this high
_FILL, _EDGE = 0.35, 0.95  # opacity
_DPI = 110
CORONAL, SAGITTAL = 1, 2  # the axis along which one looks


@dataclass(frozen=True)
class _Panel:
    title: str
    grey: np.ndarray  # (Z, Y or X), 0 to 1
    fills: list[np.ndarray]  # one mask per district
    outlines: list[np.ndarray]
    sides: tuple[str, str]


def write_picture(
    path: Path, ct_hu: Volume, district_map: Volume, districts: Mapping[str, int], captions: Mapping[str, str]
) -> None:
    """Write the PNG of a CT (HU) and its district map (labels), both on the same grid of any orientation.

    Head up. Two projections through the whole body, which show all districts (filled where most of the line of sight
    is theirs, outlined as far as they reach), and two slices through its middle. ``captions``: the legend's text by
    district.
    """
    ct, labels = thinned(ct_hu.to_canonical()), thinned(district_map.to_canonical())
    panels = [panel for axis in (CORONAL, SAGITTAL) for panel in _panels(ct.array, labels.array, axis, districts)]
    figure = _figure(panels, ct.grid.spacing, [captions[name] for name in districts])
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, metadata={"Software": None})


def thinned(volume: Volume) -> Volume:
    """Every n-th voxel, so that none is much smaller than a pixel of the picture. The grid's origin stays."""
    steps = [max(1, round(_PIXEL_MM / size)) for size in volume.grid.spacing]
    array = volume.array[:: steps[0], :: steps[1], :: steps[2]]
    spacing = tuple(size * step for size, step in zip(volume.grid.spacing, steps))
    return Volume(array, replace(volume.grid, shape=array.shape, spacing=spacing))  # type: ignore[arg-type]


def _panels(ct_hu: np.ndarray, labels: np.ndarray, axis: int, districts: Mapping[str, int]) -> list[_Panel]:
    view, sides = ("Coronal", ("R", "L")) if axis == CORONAL else ("Sagittal", ("A", "P"))
    depths = np.stack([np.count_nonzero(labels == label, axis=axis) for label in districts.values()])
    most = np.where(depths.any(axis=0), depths.argmax(axis=0), -1)
    middle = _middle(labels, axis)
    cut, cut_labels = ct_hu.take(middle, axis=axis), labels.take(middle, axis=axis)
    in_cut = [cut_labels == label for label in districts.values()]
    projected = np.clip(ct_hu, *_PROJECTION_HU).mean(axis=axis, dtype=np.float32)
    fills = [most == number for number in range(len(districts))]
    return [
        _Panel(
            f"{view}, projected", _grey(projected, _PROJECTION_HU[0], projected.max()), fills, list(depths > 0), sides
        ),
        _Panel(f"{view}, slice", _grey(cut, *_SLICE_HU), in_cut, in_cut, sides),
    ]


def _middle(labels: np.ndarray, axis: int) -> int:
    """The slice with as many labelled voxels before as behind it."""
    others = tuple(other for other in range(3) if other != axis)
    counts = np.count_nonzero(labels, axis=others).cumsum()
    return int(np.searchsorted(counts, counts[-1] / 2))


def _grey(image: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((image - low) / max(high - low, 1e-6), 0, 1)


def _figure(panels: list[_Panel], spacing: tuple[float, float, float], captions: list[str]) -> Figure:
    sizes_mm = [(spacing[0] * p.grey.shape[0], spacing[1 + (p.sides == ("R", "L"))] * p.grey.shape[1]) for p in panels]
    scale = min(
        *(_PANEL_INCHES[0] / width for _, width in sizes_mm), *(_PANEL_INCHES[1] / high for high, _ in sizes_mm)
    )
    gap, above, below = 0.15, 0.3, 0.55
    widths, height = [width * scale for _, width in sizes_mm], sizes_mm[0][0] * scale
    size = (sum(widths) + gap * (len(panels) + 1), height + above + below)
    figure, left = Figure(figsize=(max(size[0], 6.0), size[1]), facecolor="black"), gap
    for panel, width in zip(panels, widths):
        axes = figure.add_axes(
            (left / figure.get_figwidth(), below / size[1], width / figure.get_figwidth(), height / size[1])
        )
        axes.imshow(
            _coloured(panel), origin="lower", aspect="auto", interpolation="nearest"
        )  # the first slice is lowest
        axes.set_title(panel.title, fontsize=9, color="white")
        axes.set_axis_off()
        for x, side, alignment in ((0.02, panel.sides[0], "left"), (0.98, panel.sides[1], "right")):
            axes.text(x, 0.99, side, transform=axes.transAxes, fontsize=8, color="white", ha=alignment, va="top")
        left += width + gap
    patches = [Patch(facecolor=_colour(number), label=text) for number, text in enumerate(captions)]
    figure.legend(
        handles=patches,
        loc="lower center",
        ncols=min(len(patches), 8),
        fontsize=9,
        labelcolor="white",
        facecolor="black",
        edgecolor="none",
        title=f"slices: CT from {_SLICE_HU[0]:.0f} to {_SLICE_HU[1]:.0f} HU; number: confidence of the district",
        title_fontproperties={"size": 8},
    ).get_title().set_color("white")
    return figure


def _coloured(panel: _Panel) -> np.ndarray:
    image = np.repeat(panel.grey[..., None], 3, axis=-1).astype(np.float32)
    for number, (fill, reach) in enumerate(zip(panel.fills, panel.outlines)):
        colour = np.array(to_rgb(_colour(number)), np.float32)
        edge = reach & ~binary_erosion(reach, border_value=1)
        image[fill] += _FILL * (colour - image[fill])
        image[edge] += _EDGE * (colour - image[edge])
    return image


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]
