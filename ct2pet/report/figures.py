"""The report's plots and pictures as files for papers: PNG, SVG and PDF of each, and the table of predicted labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from ct2pet.evaluation.label_summary import label_cases, summarise_labels
from ct2pet.evaluation.label_tables import csv_text, latex
from ct2pet.files import atomic_path
from ct2pet.report.case_pictures import CaseContent
from ct2pet.report.label_section import label_figure
from ct2pet.report.overview import seen_in_training
from ct2pet.report.pictures import case_figure
from ct2pet.report.plots import Draw, figure_of
from ct2pet.report.sections import (
    AGREEMENT_QUANTITIES,
    BOX_METRICS,
    Other,
    Rows,
    agreement_plots,
    box_plots,
    detection_plot,
    training_plots,
)

FORMATS = ("png", "svg", "pdf")
_COLUMNS = 3
_DPI = 300
_REPRODUCIBLE = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def write_figures(
    folder: Path,
    summary: Mapping[str, Any],
    cases: Mapping[str, CaseContent],
    *,
    curves: Mapping[str, Rows] | None = None,
    other: Other = None,
) -> list[Path]:
    """Write every figure, and the table of predicted labels, into ``folder``; arguments as of ``report.write_report``.
    Returns the files."""
    files = []
    for name, figure in _figures(summary, cases, curves or {}, other):
        for ending in FORMATS:
            path = Path(folder) / f"{name}.{ending}"
            with atomic_path(path) as temporary, rc_context({"svg.hashsalt": name, "pdf.fonttype": 42}):
                figure.savefig(temporary, format=ending, dpi=_DPI, facecolor="white", metadata=_REPRODUCIBLE[ending])
            files.append(path)
    return [*files, *_label_tables(Path(folder), summary)]


def _label_tables(folder: Path, summary: Mapping[str, Any]) -> list[Path]:
    """The table of the predicted labels as labels.csv and labels.tex (LaTeX); no files without labels."""
    found = summarise_labels(label_cases(summary["cases"]))
    if not found.labels:
        return []
    contents = {"labels.csv": csv_text(found), "labels.tex": latex(found)}
    for name, content in contents.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8", newline="\n")
    return [folder / name for name in contents]


def _figures(
    summary: Mapping[str, Any], cases: Mapping[str, CaseContent], curves: Mapping[str, Rows], other: Other
) -> Iterator[tuple[str, Figure]]:
    for name, draws in _plots(summary, curves, other):
        if draws:
            yield name, figure_of(list(draws.values()), min(_COLUMNS, len(draws)))
    labels = label_cases(summary["cases"])
    if any(labels.values()):
        yield "labels_dice", label_figure(labels)
    for case, content in cases.items():
        if content.pictures:
            yield f"case_{case}", case_figure(content.pictures)


def _plots(
    summary: Mapping[str, Any], curves: Mapping[str, Rows], other: Other
) -> Iterator[tuple[str, dict[str, Draw]]]:
    for metric in BOX_METRICS:
        yield f"boxes_{metric}", box_plots(summary, metric, other)
    for quantity in AGREEMENT_QUANTITIES:
        yield f"agreement_{quantity}", agreement_plots(summary, quantity)
    yield "detection", detection_plot(summary, other)
    yield "training", training_plots(curves, seen_in_training(summary))
