"""One case in the report: its projections, its numbers, and its volumes for the viewer."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ct2pet.dataset import Field
from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.label_evaluation import read_labels
from ct2pet.evaluation.label_summary import mean_dice
from ct2pet.evaluation.label_tables import COLUMNS
from ct2pet.evaluation.names import LESIONS, region_title
from ct2pet.imageio import read_volume
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.report import page
from ct2pet.report.colours import Window, gradient
from ct2pet.report.label_contours import contour_pictures
from ct2pet.report.projections import VIEWS, align, image_title, png, projections
from ct2pet.report.region_maps import RegionMap, region_map
from ct2pet.report.tables import metric_title, number, numbers_of_case
from ct2pet.report.templates import render
from ct2pet.report.uptake import joint_histogram
from ct2pet.report.volumes import ViewerVolumes, viewer_volumes
from ct2pet.volume import Volume


@dataclass(frozen=True)
class Picture:
    """A projection as PNG; ``ratio`` is its width over its height."""

    title: str
    view: str
    png: bytes
    ratio: float
    window: Window


@dataclass(frozen=True)
class CaseContent:
    """The content of a case in the report. ``field``: its input image. ``volumes``: None where no PET is
    predicted. ``contours``: PNG by title, slices with the contours of predicted and true labels. ``histogram``: see
    ``joint_histogram``."""

    pictures: Sequence[Picture]
    volumes: ViewerVolumes | None
    field: Field
    contours: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    histogram: np.ndarray | None = None


@dataclass(frozen=True)
class LabelFiles:
    """The label maps of a case for the target ``field``; None where a file is missing."""

    field: Field
    predicted: Path | None
    true: Path | None


@dataclass(frozen=True)
class CaseFiles:
    """The images of a case: an input (of ``field``) and the predictions. ``has_pet``: whether a PET is predicted.
    ``district_map`` (labels ``districts``) and ``lesions``: optional, drawn as contours."""

    image: Path | None
    field: Field
    has_pet: bool
    real: Path | None = None
    fake: Path | None = None
    labels: tuple[LabelFiles, ...] = ()
    district_map: Path | None = None
    districts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    lesions: Path | None = None

    def check(self) -> None:
        """Raise Ct2PetError where a file is missing."""
        wanted = {image_title(self.field): self.image}
        if self.has_pet:
            wanted |= {"real PET": self.real, "prediction": self.fake}
        for one in self.labels:
            name = image_title(one.field)
            wanted |= {f"reference {name}": one.true, f"prediction of the {name}": one.predicted}
        missing = [what for what, path in wanted.items() if path is None]
        if missing:
            raise Ct2PetError(f"its {missing[0]} is missing")


def case_content(
    image: Volume, real_pet: Volume, fake_pet: Volume, field: Field, regions: RegionMap | None = None
) -> CaseContent:
    """The content from an input image (in the unit of its ``field``), real and synthetic PET (SUV), each on its own
    grid; ``regions``: for the contours in the viewer."""
    case = align(image, real_pet, fake_pet, field)
    pictures = [Picture(p.title, p.view, png(p), p.size_mm[1] / p.size_mm[0], p.window) for p in projections(case)]
    histogram = joint_histogram(case.real.array, case.fake.array)
    return CaseContent(pictures, viewer_volumes(case, regions=regions), field, histogram=histogram)


def content_of_files(files: CaseFiles) -> CaseContent:
    """As ``case_content``, with the contours of labels. Raises Ct2PetError where a file is missing."""
    files.check()
    image = _read(files.image, files.field.rules.unit)
    content = CaseContent([], None, files.field)
    if files.has_pet:
        real = _read(files.real, "SUV")
        maps = [None if path is None else _read(path, "label") for path in (files.district_map, files.lesions)]
        regions = region_map(real, maps[0], files.districts, maps[1])
        content = case_content(image, real, _read(files.fake, "SUV"), files.field, regions)
    contours: dict[str, bytes] = {}
    for one in files.labels:
        predicted, true = (read_labels(path, one.field) for path in (one.predicted, one.true) if path is not None)
        contours |= contour_pictures(image, files.field, predicted, true, one.field)
    return dataclasses.replace(content, contours=contours)


def _read(path: Path | None, unit: str) -> Volume:
    assert path is not None
    return read_volume(path, unit=unit)


def card(
    name: str,
    anchor: str,
    regions: Mapping[str, Any],
    content: CaseContent,
    badge: str = "",
    lesions: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The case, collapsed; expanded with a ``badge`` (best, worst, ...). ``lesions``: those of the summary, with links
    to their slices in the viewer."""
    views = [_view(name, view, content.pictures) for view in VIEWS] if content.pictures else []
    in_viewer = content.volumes is not None and len(content.volumes.lesions) == len(lesions)
    return render(
        "case.html",
        name=name,
        anchor=anchor,
        badge=badge,
        headline=_headline(regions),
        lesions=[_lesion(number, lesion) for number, lesion in enumerate(lesions, start=1)] if in_viewer else [],
        ratio=sum(view["ratio"] for view in views),
        views=views,
        contours=[
            {
                "title": title,
                "image": page.image(png, f"Contours of the {title} slice of {name}, reference solid, predicted dashed"),
            }
            for title, png in content.contours.items()
        ],
        numbers=numbers_of_case(regions) if regions else "",
        with_volumes=content.volumes is not None,
    )


def _lesion(number: int, lesion: Mapping[str, Any]) -> str:
    suv = lesion.get("real_suv_max")
    facts = [region_title(lesion["district"])] if lesion.get("district") else []
    facts += [f"SUVmax {suv:.1f}"] if suv is not None else []
    return f"{number} ({', '.join(facts)})" if facts else str(number)


def _headline(regions: Mapping[str, Any]) -> list[str]:
    body = regions.get(WHOLE_BODY, {})
    texts = [
        f"{metric_title(metric)} {number(metric, body[metric]).text}" for metric in ("mae", "ssim") if metric in body
    ]
    bias = regions.get(LESIONS, {}).get("suv_mean_bias")
    texts += [f"lesions {number('suv_mean_bias', bias).text}%"] if bias is not None else []
    dice, column = mean_dice(regions), COLUMNS["dice"]
    return [*texts, f"mean {column.title} {column.text(dice)}{column.unit}"] if dice is not None else texts


def _view(name: str, view: str, pictures: Sequence[Picture]) -> dict[str, Any]:
    """The values of one view for the template."""
    shown = [picture for picture in pictures if picture.view == view]
    return {"ratio": sum(picture.ratio for picture in shown), "pictures": [_shown(name, one) for one in shown]}


def _shown(name: str, picture: Picture) -> dict[str, Any]:
    low, high = (f"{limit:g}".replace("-", "−") for limit in picture.window.limits)
    return {
        "title": picture.title,
        "ratio": picture.ratio,
        "image": page.image(picture.png, f"{picture.title} of {name}, {picture.view} maximum intensity projection"),
        "gradient": gradient(picture.window.colours),
        "low": low,
        "high": f"{high} {picture.window.unit}",
    }


def volumes_block(anchor: str, volumes: ViewerVolumes) -> str:
    """The volumes as text, which scripts decompress when the case is opened."""
    shape = " ".join(map(str, volumes.shape))
    lesions = ",".join(" ".join(map(str, place)) for place in volumes.lesions)
    text = base64.b64encode(volumes.data).decode("ascii")
    return (
        f'<script type="text/plain" id="{page.escaped(anchor)}-volumes" '
        f'data-districts="{page.escaped("|".join(volumes.districts))}" data-lesions="{lesions}" data-shape="{shape}" '
        f'data-voxel="{volumes.voxel_mm:.4f}">{text}</script>'
    )
