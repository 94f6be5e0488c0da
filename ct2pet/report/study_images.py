"""Metrics of synthetic images, and sheets of synthetic and real images, in the page of a study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ct2pet.report import page
from ct2pet.report.page import Cell
from ct2pet.report.sheets import pair_sheet, sheet
from ct2pet.study.slices import UNITS, Slices, number_text, shown_range

if TYPE_CHECKING:
    from ct2pet.study.synthetic_images import MeasuredImages

Row = list[Cell | str]
_SETS = ("synthetic", "real")
_FEATURES = {
    "frechet": "Fréchet distance",
    "kid": "kernel distance",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
}
_NOTE = (
    "Similarity: to a random real training image of the class and of another patient. Distances of features: to the "
    "real test images, of the synthetic and of the real training images. Near-copies: closer to a training image than "
    "99% of the real test images are."
)


def images_section(name: str, own: MeasuredImages, training: Slices, test: Slices) -> Iterator[str]:
    """The table of the sampler ``name``, sheets of its images and of real test images side by side, and the pairs of a
    synthetic and a training image that are closest."""
    yield page.element("h2", f"Images of {name}")
    rows = [*_similarity_rows(own.report), *_feature_rows(own.report), *_class_rows(own.report)]
    yield page.table(("measured", *_SETS), rows, caption="Synthetic and real images", sort=False)
    yield page.element("p", _NOTE, class_="quiet")
    yield from _sheets(name, own.slices, test)
    yield from _pairs(name, own, training, test)


def _similarity_rows(report: Mapping[str, Any]) -> Iterator[Row]:
    for kind, both in report["similarity"].items():
        title, unit = kind.upper(), UNITS[kind]
        yield [f"{title}: SSIM", *(f"{both[own]['ssim']:.3f}" for own in _SETS)]
        yield [f"{title}: PSNR", *(f"{both[own]['psnr']:.1f} dB" for own in _SETS)]
        yield [f"{title}: mean squared error", *(f"{number_text(both[own]['mse'])} {unit}²" for own in _SETS)]


def _feature_rows(report: Mapping[str, Any]) -> Iterator[Row]:
    for features, both in report["features"].items():
        for key, title in _FEATURES.items():
            yield [f"{title} ({features})", *(number_text(both[own][key]) for own in _SETS)]


def _class_rows(report: Mapping[str, Any]) -> Iterator[Row]:
    for own in report["uptake"]:
        yield [f"median SUVmax, {own['label']}", *(f"{own[key]:.2f} SUV" for key in ("median_fake", "median_real"))]
        yield [f"Kolmogorov-Smirnov of SUVmax, {own['label']}", f"{own['statistic']:.2f} (p = {own['p']:.2g})", ""]
    if "label_confirmed" in report:
        yield ["class confirmed by a classifier", *(f"{report['label_confirmed'][own]:.0%}" for own in _SETS)]
    privacy = report["privacy"]
    yield ["near-copies of training images", f"{privacy['share_below']:.1%}", "1.0%"]
    medians = (f"{privacy[f'median_{own}']:.3f}" for own in _SETS)
    yield ["median distance to the nearest training image", *medians]


def _sheets(name: str, made: Slices, test: Slices) -> Iterator[str]:
    yield page.element("h3", "Synthetic (left) and real test images (right)")
    for channel, kind in enumerate(test.channels):
        low, high = shown_range(test, kind)
        for label, diagnosis in enumerate(test.classes):
            sets = [own.images[own.labels == label, channel] for own in (made, test)]
            title = f"{kind.upper()}, {diagnosis}, {low:g} to {high:g} {UNITS[kind]}"
            yield _figure(title, sheet(sets, (low, high)), name)


def _pairs(name: str, own: MeasuredImages, training: Slices, test: Slices) -> Iterator[str]:
    yield page.element("h3", "Closest pairs: synthetic (above) and the nearest training image (below)")
    pairs = own.report["privacy"]["closest"]
    distances = ", ".join(f"{pair['distance']:.3f}" for pair in pairs)
    for channel, kind in enumerate(training.channels):
        made = own.slices.images[[pair["synthetic"] for pair in pairs], channel]
        near = training.images[[pair["training"] for pair in pairs], channel]
        title = f"{kind.upper()}, closest pairs; distances {distances}"
        yield _figure(title, pair_sheet(made, near, shown_range(test, kind)), name)


def _figure(title: str, png: bytes, name: str) -> str:
    return page.wrapped("figure", page.element("figcaption", title) + page.image(png, f"{name}: {title}"))
