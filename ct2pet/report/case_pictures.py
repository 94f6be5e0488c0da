"""One case in the report: its projections, its numbers, and its volumes for the viewer."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ct2pet.dataset import Field
from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.label_evaluation import read_labels
from ct2pet.evaluation.label_summary import mean_dice
from ct2pet.evaluation.label_tables import COLUMNS
from ct2pet.evaluation.names import LESIONS
from ct2pet.imageio import read_volume
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.report import page
from ct2pet.report.colours import Window, gradient
from ct2pet.report.label_contours import contour_pictures
from ct2pet.report.projections import VIEWS, align, image_title, png, projections
from ct2pet.report.tables import metric_title, number, numbers_of_case
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
    """What the report shows of a case. ``field``: which input image it is shown with. ``volumes``: None where no PET is
    predicted. ``contours``: PNG by title, slices with the contours of predicted and true labels."""

    pictures: Sequence[Picture]
    volumes: ViewerVolumes | None
    field: Field
    contours: Mapping[str, bytes] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class LabelFiles:
    """The label maps of a case that belong to the target ``field``; None where a file is missing."""

    field: Field
    predicted: Path | None
    true: Path | None


@dataclass(frozen=True)
class CaseFiles:
    """The images of a case: an input, which ``field`` names, and what was predicted. ``has_pet``: whether a PET is."""

    image: Path | None
    field: Field
    has_pet: bool
    real: Path | None = None
    fake: Path | None = None
    labels: tuple[LabelFiles, ...] = ()

    def check(self) -> None:
        """Raise Ct2PetError where a file is missing."""
        wanted = {image_title(self.field): self.image}
        if self.has_pet:
            wanted |= {"real PET": self.real, "prediction": self.fake}
        for one in self.labels:
            name = image_title(one.field)
            wanted |= {f"true {name}": one.true, f"prediction of the {name}": one.predicted}
        missing = [what for what, path in wanted.items() if path is None]
        if missing:
            raise Ct2PetError(f"its {missing[0]} is missing")


def case_content(image: Volume, real_pet: Volume, fake_pet: Volume, field: Field) -> CaseContent:
    """The content from an input image (in the unit of its ``field``), real and synthetic PET (SUV), each on a grid of
    its own."""
    case = align(image, real_pet, fake_pet, field)
    pictures = [Picture(p.title, p.view, png(p), p.size_mm[1] / p.size_mm[0], p.window) for p in projections(case)]
    return CaseContent(pictures, viewer_volumes(case), field)


def content_of_files(files: CaseFiles) -> CaseContent:
    """As ``case_content``, with the contours of labels. Raises Ct2PetError where a file is missing."""
    files.check()
    image = _read(files.image, files.field.rules.unit)
    content = CaseContent([], None, files.field)
    if files.has_pet:
        content = case_content(image, _read(files.real, "SUV"), _read(files.fake, "SUV"), files.field)
    contours: dict[str, bytes] = {}
    for one in files.labels:
        predicted, true = (read_labels(path, one.field) for path in (one.predicted, one.true) if path is not None)
        contours |= contour_pictures(image, files.field, predicted, true, one.field)
    return dataclasses.replace(content, contours=contours)


def _read(path: Path | None, unit: str) -> Volume:
    assert path is not None
    return read_volume(path, unit=unit)


def card(name: str, anchor: str, regions: Mapping[str, Any], content: CaseContent, badge: str = "") -> str:
    """The case, folded; with a ``badge`` (best, worst, ...) unfolded."""
    top = page.element("strong", name)
    top += page.element("span", badge, class_="badge") if badge else ""
    top += "".join(page.element("span", text) for text in _headline(regions))
    numbers = page.details("Its numbers", numbers_of_case(regions)) if regions else ""
    body = _pictures(name, content.pictures) + _contours(name, content.contours) + numbers
    if content.volumes is not None:
        button = (
            f'<button type="button" hidden data-volumes="{page.escaped(anchor)}-volumes" '
            f'data-name="{page.escaped(name)}">Show its slices</button>'
        )
        body += page.wrapped("div", button)
    opened = " open" if badge else ""
    return f'<details class="case" id="{anchor}"{opened}><summary>{top}</summary>{body}</details>'


def _headline(regions: Mapping[str, Any]) -> list[str]:
    body = regions.get(WHOLE_BODY, {})
    texts = [
        f"{metric_title(metric)} {number(metric, body[metric]).text}" for metric in ("mae", "ssim") if metric in body
    ]
    bias = regions.get(LESIONS, {}).get("suv_mean_bias")
    texts += [f"lesions {number('suv_mean_bias', bias).text}%"] if bias is not None else []
    dice, column = mean_dice(regions), COLUMNS["dice"]
    return [*texts, f"mean {column.title} {column.text(dice)}{column.unit}"] if dice is not None else texts


def _contours(name: str, contours: Mapping[str, bytes]) -> str:
    figures = [
        page.wrapped(
            "figure",
            page.element("figcaption", f"{title}: reference solid, predicted dashed")
            + page.image(png, f"Contours of the {title} slice of {name}, reference solid, predicted dashed"),
        )
        for title, png in contours.items()
    ]
    return page.wrapped("div", "".join(figures), class_="contours") if figures else ""


def _pictures(name: str, pictures: Sequence[Picture]) -> str:
    if not pictures:
        return ""
    groups = []
    for view in VIEWS:
        shown = [picture for picture in pictures if picture.view == view]
        ratio = sum(picture.ratio for picture in shown)
        figures = "".join(_figure(name, picture) for picture in shown)
        groups.append((ratio, page.wrapped("div", figures, style=f"--ratio:{ratio:.3f}")))
    total = sum(ratio for ratio, _ in groups)
    return page.wrapped("div", "".join(group for _, group in groups), class_="mips", style=f"--ratio:{total:.3f}")


def _figure(name: str, picture: Picture) -> str:
    low, high = (f"{limit:g}".replace("-", "−") for limit in picture.window.limits)
    ends = page.element("span", low) + page.element("span", f"{high} {picture.window.unit}")
    parts = (
        page.element("figcaption", picture.title),
        page.image(picture.png, f"{picture.title} of {name}, {picture.view} maximum intensity projection"),
        page.wrapped("div", "", class_="bar", style=f"background:{gradient(picture.window.colours)}"),
        page.wrapped("div", ends, class_="ends"),
    )
    return page.wrapped("figure", "".join(parts), style=f"--ratio:{picture.ratio:.3f}")


def volumes_block(anchor: str, volumes: ViewerVolumes) -> str:
    """The volumes as text that scripts unpack when the case is opened."""
    shape = " ".join(map(str, volumes.shape))
    text = base64.b64encode(volumes.data).decode("ascii")
    return (
        f'<script type="text/plain" id="{page.escaped(anchor)}-volumes" data-shape="{shape}" '
        f'data-voxel="{volumes.voxel_mm:.4f}">{text}</script>'
    )
