"""The page of an augmentation study: the results of the arms, and synthetic and real images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ct2pet.files import atomic_path
from ct2pet.report import page
from ct2pet.report.page import Cell
from ct2pet.report.plots import figure_of
from ct2pet.report.study_images import images_section
from ct2pet.report.svg import INK, inline_svg
from ct2pet.study.slices import Slices

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ct2pet.study.synthetic_images import MeasuredImages

_PROGRAM = "ct2pet_augmentation_study"
WARNING = "Synthetic images are computed by a model: they are not of a patient and not for diagnosis."
_ARMS = ("arm", "added per real", "images", "AUC [95%]", "accuracy", "sensitivity", "specificity")
_DETAILS = ("classifier", "arm", "ratio", "runs", "counts", "confusion", "p_delong_holm", "p_mcnemar_holm")
_ADDED = {
    "gan": "Images of the generator",
    "gan_curated": "Curated images of the generator",
    "oracle": "Other real patients",
}
_SIGNIFICANT = 0.05
_COMPARED = ("AUC − real [95%]", "p (Holm)", "share of the oracle's gain [95%]")


def write_study_page(
    path: Path,
    title: str,
    study: Mapping[str, Any],
    real: tuple[Slices, Slices],
    images: Mapping[str, MeasuredImages],
) -> None:
    """Write the page of a ``study`` (the content of study.json) to ``path``.

    ``real``: training and test slices. ``images``: by sampler its slices and their metrics. The page is self-contained
    and contains no patient names.
    """
    body = [*_answer(title, study, real[1].classes), *_arms(study)]
    for name, own in images.items():
        body += images_section(name, own, *real)
    body.append(page.element("h2", "Details"))
    body.append(page.wrapped("pre", page.escaped(json.dumps(_details(study), indent=2))))
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(page.page(title, body, program=_PROGRAM))


def write_images_page(
    path: Path, title: str, real: tuple[Slices, Slices], images: Mapping[str, MeasuredImages]
) -> None:
    """Write the page of synthetic images without a study to ``path``; arguments as of write_study_page."""
    body = [page.element("h1", title), page.element("p", WARNING, class_="warning")]
    for name, own in images.items():
        body += images_section(name, own, *real)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(page.page(title, body, program=_PROGRAM))


def _details(study: Mapping[str, Any]) -> dict[str, Any]:
    arms = [{key: row[key] for key in _DETAILS} for row in study["arms"]]
    return {"options": study["options"], "generator": study["generator"], "arms": arms}


def _answer(title: str, study: Mapping[str, Any], classes: Sequence[str]) -> Iterator[str]:
    patients = ", ".join(f"{number} {name}" for number, name in zip(study["test_patients"], classes))
    runs = max(row["runs"] for row in study["arms"])
    yield page.element("h1", title)
    sentences = [f"{sum(study['test_patients'])} real test patients ({patients}), {runs} run(s) of each arm."]
    compared = [row for row in study["arms"] if row["auc_difference"] is not None]
    sentences += [_sentence(row) for row in compared if row["arm"] in _ADDED]
    yield page.wrapped("div", "".join(page.element("p", text) for text in sentences), class_="answer")
    yield page.element("p", WARNING, class_="warning")


def _sentence(row: Mapping[str, Any]) -> str:
    low, high = row["auc_difference_ci95"]
    shown = row["p_bootstrap_holm"] < _SIGNIFICANT
    verdict = ("raise" if row["auc_difference"] > 0 else "lower") if shown else "do not measurably change"
    ratio = f", {row['ratio']:g} for each real one," if row["ratio"] else ""
    share = ""
    if row["share_of_oracle_gain"] is not None:
        ends = row["share_of_oracle_gain_ci95"]
        share = f", {row['share_of_oracle_gain']:.0%} [{ends[0]:.0%}, {ends[1]:.0%}] of the oracle's gain"
    return (
        f"{_ADDED[row['arm']]}{ratio} {verdict} the AUC of {row['classifier']} "
        f"({row['auc_difference']:+.3f} [{low:+.3f}, {high:+.3f}], corrected p {row['p_bootstrap_holm']:.3g}{share})."
    )


def _arms(study: Mapping[str, Any]) -> Iterator[str]:
    yield page.element("h2", "Results of the classifiers on real test patients")
    for classifier in dict.fromkeys(row["classifier"] for row in study["arms"]):
        rows = [_row(row) for row in study["arms"] if row["classifier"] == classifier]
        yield page.table([*_ARMS, *_COMPARED], rows, caption=classifier)
    note = (
        "AUC, accuracy, sensitivity and specificity are means of the runs. Intervals and p are bootstrapped over "
        "patients and runs. The arm oracle adds other real patients."
    )
    yield page.element("p", note, class_="quiet")
    compared = [row for row in study["arms"] if row["auc_difference"] is not None]
    if compared:
        figure = figure_of([lambda axes: _draw_differences(axes, compared)], size=(6.5, 0.6 + 0.3 * len(compared)))
        svg = inline_svg(figure, "Differences of AUC to only real images, with intervals", "differences")
        yield page.wrapped("div", svg, class_="plots wide")


def _row(row: Mapping[str, Any]) -> list[Cell | str]:
    low, high = row["auc_ci95"]
    ratio = Cell(f"{row['ratio']:g}" if row["ratio"] else "", row["ratio"])
    cells: list[Cell | str] = [row["arm"], ratio]
    cells += [Cell(str(row["images"]), row["images"]), Cell(f"{row['auc']:.3f} [{low:.3f}, {high:.3f}]", row["auc"])]
    cells += [Cell(f"{row[name]:.2f}", row[name]) for name in ("accuracy", "sensitivity", "specificity")]
    return [*cells, *_comparison(row)]


def _comparison(row: Mapping[str, Any]) -> list[Cell | str]:
    if row["auc_difference"] is None:
        return ["", "", ""]
    low, high = row["auc_difference_ci95"]
    share: Cell | str = ""
    if row["share_of_oracle_gain"] is not None:
        ends = row["share_of_oracle_gain_ci95"]
        share = Cell(f"{row['share_of_oracle_gain']:.0%} [{ends[0]:.0%}, {ends[1]:.0%}]", row["share_of_oracle_gain"])
    return [
        Cell(f"{row['auc_difference']:+.3f} [{low:+.3f}, {high:+.3f}]", row["auc_difference"]),
        Cell(f"{row['p_bootstrap_holm']:.3g}", row["p_bootstrap_holm"]),
        share,
    ]


def _draw_differences(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    names = [f"{row['classifier']} {row['arm']}" + (f" {row['ratio']:g}" if row["ratio"] else "") for row in rows]
    for place, row in enumerate(rows):
        low, high = row["auc_difference_ci95"]
        axes.plot([low, high], [place, place], color=INK, linewidth=1.2)
        axes.plot([row["auc_difference"]], [place], "o", color=INK, markersize=4)
    axes.axvline(0, color=INK, linewidth=0.6)
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    axes.set_xlabel("AUC − AUC of only real images")
