"""A predicted PET over its CT as PNG, for a quick visual check: coronal and sagittal projections and slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ct2pet.dataset import Field, Fields
from ct2pet.dataset.fields import CT, PET
from ct2pet.districts.pictures import CORONAL, SAGITTAL, thinned
from ct2pet.files import atomic_path
from ct2pet.imageio import read_volume
from ct2pet.inference.input_files import Case, read_input
from ct2pet.parallel import map_cases
from ct2pet.resampling import resample
from ct2pet.volume import Volume

_CT_HU = (-160.0, 240.0)
_LEAST_SUV, _QUANTILE = 1.0, 0.995  # upper end of the colour scale: this quantile of the uptake, at least 1 SUV
_OPAQUE_SHARE = 0.5  # share of that uptake from which on the colours are opaque
_HIGHEST_OPACITY = 0.8
_HEIGHT_INCHES, _DPI = 5.6, 110
_TITLE_INCHES, _BAR_INCHES, _GAP_INCHES = 0.3, 0.6, 0.12
_SIDES = {CORONAL: ("R", "L"), SAGITTAL: ("A", "P")}
_NAMES = {CORONAL: "Coronal", SAGITTAL: "Sagittal"}


def write_pictures(cases: Sequence[Case], fields: Fields) -> None:
    """Write the missing picture of every case with predictions. Raises CasesFailed."""
    pet = next((one for one in fields.targets if one.kind == PET), None)
    if pet is None:
        return
    work = [case for case in cases if case.is_done and not case.picture.exists()]
    found = map_cases(_write_case, {case.name: (case, fields, pet) for case in work}, description="Drawing")
    found.raise_failures("could not be drawn", some_done=len(work) < len(cases))


def _write_case(case: Case, fields: Fields, pet: Field) -> None:
    background = next((one for one in fields.inputs if one.kind == CT), fields.inputs[0])
    image = read_input(case.images[background.name], background)
    write_overlay(case.picture, image, background, read_volume(case.outputs[pet.name], "SUV"))


def write_overlay(path: Path, image: Volume, field: Field, pet_suv: Volume) -> None:
    """Write the PNG of an input image (of ``field``, in its unit) and a PET (SUV) that may be on another grid.

    Head up, the patient's right at the left of coronal views. Maximum intensity projections of the PET (dark: high
    uptake), and slices of the input in grey under the PET in colours, through the middle of the uptake.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    below = thinned(image.to_canonical())
    above = resample(pet_suv.to_canonical(), below.grid).array
    highest = max(_LEAST_SUV, float(np.quantile(above[above > 0], _QUANTILE)) if (above > 0).any() else 0.0)
    window = _CT_HU if field.kind == CT else (0.0, max(float(np.quantile(below.array, _QUANTILE)), 1e-6))
    grey = np.clip((below.array - window[0]) / (window[1] - window[0]), 0, 1)
    panels = {}
    for axis in (CORONAL, SAGITTAL):
        middle = _middle(above, axis)
        share = np.clip(above / highest, 0, 1)
        panels[f"{_NAMES[axis]}, projected"] = (axis, 1 - np.repeat(share.max(axis)[..., None], 3, -1))
        cut = tuple(np.asarray(array.take(middle, axis)) for array in (grey, share))
        panels[f"{_NAMES[axis]}, slice"] = (axis, _fused(*cut))
    shown = f"{field.name}, {window[0]:.4g} to {window[1]:.4g} {field.unit}"
    figure = _figure(panels, below.grid.spacing, highest, shown)
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, metadata={"Software": None})


def _middle(pet: np.ndarray, axis: int) -> int:
    """The median slice of the uptake: half of it is before this slice."""
    others = tuple(other for other in range(3) if other != axis)
    sums = pet.sum(axis=others, dtype=np.float64).cumsum()
    return int(np.searchsorted(sums, sums[-1] / 2)) if sums[-1] > 0 else len(sums) // 2


def _fused(grey: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Grey (0 to 1) under the colours of ``share`` (0 to 1), which are less transparent where there is more uptake."""
    from matplotlib import colormaps

    opacity = (_HIGHEST_OPACITY * np.minimum(share / _OPAQUE_SHARE, 1))[..., None]
    return (1 - opacity) * grey[..., None] + opacity * colormaps["hot"](share)[..., :3]


def _figure(panels: Mapping[str, tuple[int, np.ndarray]], spacing: Sequence[float], highest: float, grey: str) -> Any:
    """``highest``: the upper end of the colour bars (SUV). ``grey``: what the slices show in grey, with its window."""
    from matplotlib.figure import Figure

    sizes = []
    for axis, picture in panels.values():
        high, wide = picture.shape[0] * spacing[0], picture.shape[1] * spacing[2 if axis == CORONAL else 1]
        sizes.append(_HEIGHT_INCHES * wide / high)
    width = sum(sizes) + _GAP_INCHES * (len(sizes) + 1)
    height = _HEIGHT_INCHES + _TITLE_INCHES + _BAR_INCHES
    figure, left = Figure(figsize=(width, height), facecolor="black"), _GAP_INCHES
    for (title, (axis, picture)), wide in zip(panels.items(), sizes):
        place = (left / width, _BAR_INCHES / height, wide / width, _HEIGHT_INCHES / height)
        axes = figure.add_axes(place)
        axes.imshow(picture, origin="lower", aspect="auto", interpolation="nearest")  # the first slice is the lowest
        axes.set_title(title, fontsize=9, color="white")
        axes.set_axis_off()
        for x, side, alignment in zip((0.02, 0.98), _SIDES[axis], ("left", "right")):
            axes.text(x, 0.99, side, transform=axes.transAxes, fontsize=8, color="gray", ha=alignment, va="top")
        left += wide + _GAP_INCHES
    _add_colour_bars(figure, highest, grey)
    return figure


def _add_colour_bars(figure: Any, highest: float, grey: str) -> None:
    """One for the projections, which are grey, and one for the slices."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    height = figure.get_figheight()
    for left, colours, panels in ((0.06, "gray_r", "projections"), (0.56, "hot", f"slices, over {grey}")):
        bar = figure.add_axes((left, 0.72 * _BAR_INCHES / height, 0.38, 0.1 / height))
        scale = figure.colorbar(ScalarMappable(Normalize(0, highest), colours), cax=bar, orientation="horizontal")
        scale.set_label(f"synthetic PET [SUV] in the {panels}", color="white", fontsize=8)
        scale.outline.set_edgecolor("gray")  # the darkest grey is that of the background
        bar.tick_params(colors="white", labelsize=8)
