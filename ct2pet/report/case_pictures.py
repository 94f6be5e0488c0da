"""One case in the report: its projections, its numbers, and its volumes for the viewer."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.names import LESIONS
from ct2pet.imageio import read_volume
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.report import page
from ct2pet.report.colours import Window, gradient
from ct2pet.report.projections import VIEWS, align, png, projections
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
    """What the report shows of a case."""

    pictures: Sequence[Picture]
    volumes: ViewerVolumes


def case_content(ct_hu: Volume, real_pet: Volume, fake_pet: Volume) -> CaseContent:
    """The content from CT (HU), real and synthetic PET (SUV), each on a grid of its own."""
    case = align(ct_hu, real_pet, fake_pet)
    pictures = [Picture(p.title, p.view, png(p), p.size_mm[1] / p.size_mm[0], p.window) for p in projections(case)]
    return CaseContent(pictures, viewer_volumes(case))


def content_of_files(ct: Path | None, pet: Path | None, prediction: Path | None) -> CaseContent:
    """As ``case_content``. Raises Ct2PetError where a file is missing."""
    if ct is None or pet is None or prediction is None:
        raise Ct2PetError(f"its {'CT' if ct is None else 'real PET' if pet is None else 'prediction'} is missing")
    return case_content(read_volume(ct, unit="HU"), read_volume(pet, unit="SUV"), read_volume(prediction, unit="SUV"))


def card(name: str, anchor: str, regions: Mapping[str, Any], content: CaseContent, badge: str = "") -> str:
    """The case, folded; with a ``badge`` (best, worst, ...) unfolded."""
    top = page.element("strong", name)
    top += page.element("span", badge, class_="badge") if badge else ""
    top += "".join(page.element("span", text) for text in _headline(regions))
    button = (
        f'<button type="button" hidden data-volumes="{page.escaped(anchor)}-volumes" '
        f'data-name="{page.escaped(name)}">Show its slices</button>'
    )
    numbers = page.details("Its numbers", numbers_of_case(regions)) if regions else ""
    body = _pictures(name, content.pictures) + numbers + page.wrapped("div", button)
    opened = " open" if badge else ""
    return f'<details class="case" id="{anchor}"{opened}><summary>{top}</summary>{body}</details>'


def _headline(regions: Mapping[str, Any]) -> list[str]:
    body = regions.get(WHOLE_BODY, {})
    texts = [
        f"{metric_title(metric)} {number(metric, body[metric]).text}" for metric in ("mae", "ssim") if metric in body
    ]
    bias = regions.get(LESIONS, {}).get("suv_mean_bias")
    return [*texts, f"lesions {number('suv_mean_bias', bias).text}%"] if bias is not None else texts


def _pictures(name: str, pictures: Sequence[Picture]) -> str:
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
