"""The report: one self-contained HTML file, from ``summary.json`` and the images of the cases."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ct2pet.dataset import RawDataset
from ct2pet.evaluation.comparing import answer, compare
from ct2pet.evaluation.comparing.pairing import check_pairs
from ct2pet.evaluation.headline import plain_answer
from ct2pet.evaluation.label_summary import label_cases, mean_dice
from ct2pet.evaluation.origin import EVALUATED_TRAINING_CASES
from ct2pet.evaluation.text_table import FOOTNOTE
from ct2pet.files import atomic_path
from ct2pet.imageio import count_voxels, image_files
from ct2pet.parallel import map_cases
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.report import page, sections, tables, versus
from ct2pet.report.answer import certainties, tiles
from ct2pet.report.case_pictures import CaseContent, card, content_of_files, volumes_block
from ct2pet.report.dataset_files import district_maps_of, doubts_of, files_of, title_of
from ct2pet.report.figures import write_figures
from ct2pet.report.label_section import label_section
from ct2pet.report.methods import methods_section
from ct2pet.report.overview import overview, seen_in_training
from ct2pet.report.uptake import uptake_section
from ct2pet.report.viewer import viewer
from ct2pet.report.warnings import warnings_section

WARNING = "Research only. Synthetic and predicted images are computed: they are not measurements and not for diagnosis."
MAX_CASES = 20
OWN = "This model"
_SEEN = "{} of these {} cases are training cases: the numbers are not valid for new patients."
_SEEN_CURVES = "Trained on all cases (fold all): {}. Their curves show training cases, not validation cases."
_PROCESS_GIB = 0.4
_BYTES_PER_VOXEL = 14  # of the input image: as it is read, and the copies that are resampled
_CASES_NOTE = (
    "Maximum intensity projections from the front (the patient's left on the right) and from the left side, and below "
    "them the slices. Error: along each line of sight the largest one, with its sign; red where the synthetic PET is "
    "too high, blue where it is too low. "
)
_CONTOURS_NOTE = "Contours of labels: in the slices that show most of them, the reference solid, the prediction dashed."
_LESIONS_NOTE = (
    "A lesion is detected where its SUVmax reaches the threshold. False positives are all hot spots outside lesions; "
    "they include brain, bladder and other physiological uptake, also in the real PET."
)
_CONTENTS = {
    "answer": "Answer",
    "errors": "Errors",
    "versus": "Comparison",
    "plots": "Spread",
    "agreement": "Agreement",
    "uptake": "Uptake",
    "lesions": "Lesions",
    "labels": "Labels",
    "cases": "Cases",
    "training": "Training",
    "warnings": "Warnings",
    "methods": "Methods",
    "details": "Details",
}


def write_report(
    path: Path,
    summary: Mapping[str, Any],
    cases: Mapping[str, CaseContent] | None = None,
    *,
    curves: Mapping[str, sections.Rows] | None = None,
    other: tuple[str, Mapping[str, Any]] | None = None,
    doubts: Mapping[str, Sequence[str]] | None = None,
    title: str = "Synthetic PET from CT",
) -> None:
    """Write the report to ``path``.

    ``summary`` is the content of ``summary.json``, ``cases`` the content of each case, in this order, ``curves`` the
    rows of the training logs by name, ``other`` name and summary of another model on the same cases, ``doubts`` the
    segmenter's warnings on the district maps. Raises Ct2PetError where the other model cannot be compared.
    """
    cases, curves = cases or {}, curves or {}
    anchors = anchors_of(summary, cases)
    histograms = [content.histogram for content in cases.values() if content.histogram is not None]
    body = [
        *_answer(summary, other, title),
        overview(summary, curves),
        *_errors(summary, other),
        *_versus(summary, other),
        *sections.box_section(summary, other, anchors),
        *sections.agreement_section(summary, anchors),
        *uptake_section(summary, histograms, anchors),
        *_lesions(summary, other, anchors),
        *label_section(label_cases(summary["cases"]), anchors),
        *_cases(summary, cases, anchors),
        *_training(summary, curves),
        warnings_section(summary, doubts or {}),
        methods_section(summary),
        *_details(summary),
    ]
    volumes = ((anchors[case], content.volumes) for case, content in cases.items())
    data = (volumes_block(anchor, found) for anchor, found in volumes if found is not None)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(page.page(title, [_contents(body), *body], data))


def anchors_of(summary: Mapping[str, Any], cases: Mapping[str, CaseContent]) -> dict[str, str]:
    """The anchors of each case, and of each lesion ("CASE, lesion 1") with slices in the viewer."""
    anchors = {case: f"case-{index}" if case in cases else "cases" for index, case in enumerate(summary["cases"])}
    for case, content in cases.items():
        lesions = summary["lesions"].get(case, [])
        if content.volumes is not None and len(content.volumes.lesions) == len(lesions):
            numbers = range(1, len(lesions) + 1)
            anchors |= {f"{case}, lesion {number}": f"{anchors[case]}-lesion-{number}" for number in numbers}
    return anchors


def report_of_dataset(
    dataset: RawDataset,
    predictions: Path,
    summary: Mapping[str, Any],
    path: Path,
    *,
    split: str = "Ts",
    curves: Mapping[str, sections.Rows] | None = None,
    other: tuple[str, Mapping[str, Any]] | None = None,
    max_cases: int = MAX_CASES,
    figures: Path | None = None,
    num_processes: int = 1,
) -> Path:
    """Write the report on the predictions of one split of a raw dataset to ``path``, pictures included.

    ``summary`` is the content of the ``summary.json`` of these predictions; ``curves`` and ``other`` as in
    ``write_report``. At most ``max_cases`` cases are pictured: the best, the worst, and those evenly between. Plots
    and pictures also go into the folder ``figures``, where given. Raises CasesFailed, after writing, that names the
    cases that could not be pictured; Ct2PetError, before any work, where the other model cannot be compared.
    """
    if other:
        check_pairs({OWN: summary, other[0]: other[1]})
    chosen = spread_of_cases(summary, max_cases)
    files = image_files(predictions)
    maps = district_maps_of(dataset, summary["cases"], split, predictions)
    arguments = {case: (files_of(dataset, case, split, files, maps.get(case)),) for case in chosen}
    most = max((count_voxels(found.image) for (found,) in arguments.values()), default=0)
    done = map_cases(
        content_of_files,
        arguments,
        num_processes=num_processes,
        memory_per_process_gib=_PROCESS_GIB + most * _BYTES_PER_VOXEL / 2**30,
        description="Drawing",
    )
    shown = {case: done.values[case] for case in chosen if case in done.values}
    title = f"{title_of(dataset.fields)}: {dataset.name}"
    write_report(path, summary, shown, curves=curves, other=other, doubts=doubts_of(maps), title=title)
    if figures is not None:
        write_figures(figures, summary, shown, curves=curves, other=other)
    done.raise_failures("could not be pictured", some_done=True)
    return Path(path)


def spread_of_cases(summary: Mapping[str, Any], number: int) -> list[str]:
    """At most ``number`` cases from the lowest to the highest error inside the body (without a PET: from the highest to
    the lowest mean Dice coefficient), evenly distributed over their ranks."""
    errors = {case: _error(regions) for case, regions in summary["cases"].items()}
    ranked = sorted(errors, key=lambda case: (errors[case] is None, errors[case] or 0.0, case))
    if len(ranked) <= number:
        return ranked
    if number <= 1:
        return ranked[:number]
    return [ranked[round(index * (len(ranked) - 1) / (number - 1))] for index in range(number)]


def _error(regions: Mapping[str, Mapping[str, float | None]]) -> float | None:
    error, dice = regions.get(WHOLE_BODY, {}).get("mae"), mean_dice(regions)
    return error if error is not None or dice is None else -dice


def _contents(body: Sequence[str]) -> str:
    there = [(anchor, name) for anchor, name in _CONTENTS.items() if any(f'id="{anchor}"' in part for part in body)]
    links = "".join(page.element("a", name, href=f"#{anchor}") for anchor, name in there)
    button = '<button type="button" id="theme" hidden aria-label="Switch between light and dark">◐</button>'
    return page.wrapped("nav", links + button, class_="contents", aria_label="Contents")


def _answer(summary: Mapping[str, Any], other: Any, title: str) -> Iterator[str]:
    yield page.element("h1", title, id="answer")
    words = [plain_answer(summary), *certainties(summary)]
    if other:
        words.append(answer(compare({OWN: summary, other[0]: other[1]}), other[0]))
    yield page.wrapped("div", "".join(page.element("p", text) for text in words), class_="answer")
    yield tiles(summary)
    seen = summary["provenance"].get(EVALUATED_TRAINING_CASES)
    if seen:
        yield page.element("p", _SEEN.format(len(seen), len(summary["cases"])), class_="warning")
    yield page.element("p", WARNING, class_="warning")


def _errors(summary: Mapping[str, Any], other: Any) -> Iterator[str]:
    found = tables.tables_by_metric(summary, other)
    if found:
        yield page.element("h2", "Errors by region", id="errors")
        yield found
        yield tables.group_table(summary)
        yield page.element("p", FOOTNOTE, class_="quiet")


def _versus(summary: Mapping[str, Any], other: Any) -> Iterator[str]:
    if other:
        yield page.element("h2", f"Against {other[0]}", id="versus")
        yield versus.comparison_tables(compare({OWN: summary, other[0]: other[1]}))
        yield page.element("p", versus.NOTE, class_="quiet")


def _lesions(summary: Mapping[str, Any], other: Any, anchors: Mapping[str, str]) -> Iterator[str]:
    found = tables.detection_table(summary)
    if found:
        yield page.element("h2", "Lesions", id="lesions")
        yield found
        yield page.element("p", _LESIONS_NOTE, class_="quiet")
        yield sections.as_html(sections.detection_plot(summary, other), "Free-response curve", "lesions-")
        yield page.details("Every lesion", tables.lesion_table(summary, anchors))


def _cases(summary: Mapping[str, Any], cases: Mapping[str, CaseContent], anchors: Mapping[str, str]) -> Iterator[str]:
    total = len(summary["cases"])
    yield page.element("h2", "Cases", id="cases")
    yield tables.case_table(summary, anchors)
    if not cases:
        return
    shown = f"Pictures of {len(cases)} of {total} cases. " if len(cases) < total else ""
    with_pet = [content.field for content in cases.values() if content.volumes is not None]
    contours = _CONTOURS_NOTE if any(content.contours for content in cases.values()) else ""
    yield page.element("p", f"{shown}{_CASES_NOTE if with_pet else ''}{contours}", class_="quiet")
    badges = _badges(list(cases), bool(with_pet))
    for case, content in cases.items():
        lesions = summary["lesions"].get(case, [])
        yield card(case, anchors[case], summary["cases"].get(case, {}), content, badges[case], lesions)
    if with_pet:
        yield viewer(with_pet[0])


def _badges(cases: Sequence[str], with_pet: bool) -> dict[str, str]:
    if len(cases) == 1:
        return {cases[0]: "shown"}
    best, worst = ("lowest error", "highest error") if with_pet else ("highest Dice", "lowest Dice")
    return {**dict.fromkeys(cases, ""), cases[0]: best, cases[-1]: worst}


def _training(summary: Mapping[str, Any], curves: Mapping[str, sections.Rows]) -> Iterator[str]:
    if curves:
        yield page.element("h2", "Training", id="training")
        seen = seen_in_training(summary)
        if seen:
            yield page.element("p", _SEEN_CURVES.format(", ".join(sorted(seen))), class_="warning")
        yield sections.as_html(sections.training_plots(curves, seen), "Training curve", "training-")


def _details(summary: Mapping[str, Any]) -> Iterator[str]:
    yield page.element("h2", "Details", id="details")
    settings = json.dumps(summary["provenance"], indent=2, ensure_ascii=False)
    yield page.details("Provenance of these numbers", page.element("pre", settings, tabindex="0"))
