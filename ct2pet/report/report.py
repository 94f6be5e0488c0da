"""The report: one HTML file that needs nothing else, from ``summary.json`` and the images of the cases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ct2pet.dataset import RawDataset
from ct2pet.errors import CasesFailed, Ct2PetError
from ct2pet.evaluation.comparison import plain_answer
from ct2pet.evaluation.names import HEADERS, VOLUME, metrics_of, value_text
from ct2pet.evaluation.references import image_files
from ct2pet.evaluation.text_table import FOOTNOTE, blocks
from ct2pet.files import atomic_path
from ct2pet.imageio import count_voxels, read_volume
from ct2pet.parallel import map_cases
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.report import page
from ct2pet.report.pictures import case_picture

WARNING = (
    "Research only. The PET shown as synthetic is computed from a CT: it is not a measurement and not for diagnosis."
)
_PROCESS_GIB = 0.3
_BYTES_PER_VOXEL = 12  # of the CT: as it is read, and the copies that are resampled
_PICTURE_NOTE = (
    "Coronal maximum intensity projections, head up, the patient's left on the right. PET in SUV from 0 (white) to 10 "
    "(black). Error: along each line of sight the largest one, with its sign; red where the synthetic PET is too high, "
    "blue where it is too low."
)


def write_report(
    path: Path,
    summary: Mapping[str, Any],
    cases: Mapping[str, bytes] | None = None,
    *,
    curves: Mapping[str, bytes] | None = None,
    title: str = "Synthetic PET from CT",
) -> None:
    """Write the report to ``path``.

    ``summary`` is the content of ``summary.json``, ``cases`` the picture (PNG) of each case to show, in this order,
    ``curves`` the training curves (PNG) by name.
    """
    body = [
        page.element("h1", title),
        page.element("p", plain_answer(summary), "answer"),
        page.element("p", WARNING, "warning"),
        *_tables(summary),
        *_pictures(summary, cases or {}),
        *_curves(curves or {}),
        *_appendix(summary),
    ]
    with atomic_path(path) as temporary:
        temporary.write_text(page.page(title, body), encoding="utf-8")


def report_of_dataset(
    dataset: RawDataset,
    predictions: Path,
    summary: Mapping[str, Any],
    path: Path,
    *,
    split: str = "Ts",
    curves: Mapping[str, Path] | None = None,
    max_cases: int = 10,
    num_processes: int = 1,
) -> Path:
    """Write the report on the predictions of one split of a raw dataset to ``path``, pictures included.

    ``summary`` is the content of the ``summary.json`` of these predictions, ``curves`` the ``progress.png`` files to
    show, by name. At most ``max_cases`` cases are pictured: the best, the worst, and those evenly between. Raises
    CasesFailed, after writing, that names the cases that could not be pictured.
    """
    chosen = spread_of_cases(summary, max_cases)
    files = image_files(predictions)
    arguments = {case: (dataset.image(case, split), dataset.target(case, split), files.get(case)) for case in chosen}
    most = max((count_voxels(ct) for ct, _, _ in arguments.values()), default=0)
    done = map_cases(
        _picture_of_files,
        arguments,
        num_processes=num_processes,
        memory_per_process_gib=_PROCESS_GIB + most * _BYTES_PER_VOXEL / 2**30,
        description="pictures",
    )
    pictures = {case: done.values[case] for case in chosen if case in done.values}
    images = {name: Path(file).read_bytes() for name, file in (curves or {}).items()}
    write_report(path, summary, pictures, curves=images, title=f"Synthetic PET from CT: {dataset.name}")
    if done.failures:
        raise CasesFailed(done.failures, some_done=True, what="could not be pictured", tracebacks=done.tracebacks)
    return Path(path)


def spread_of_cases(summary: Mapping[str, Any], number: int) -> list[str]:
    """At most ``number`` cases from the lowest to the highest error inside the body, evenly over their ranks."""
    errors = {case: regions.get(WHOLE_BODY, {}).get("mae") for case, regions in summary["cases"].items()}
    ranked = sorted(errors, key=lambda case: (errors[case] is None, errors[case] or 0.0, case))
    if len(ranked) <= number:
        return ranked
    if number <= 1:
        return ranked[:number]
    return [ranked[round(index * (len(ranked) - 1) / (number - 1))] for index in range(number)]


def _picture_of_files(ct: Path | None, pet: Path | None, prediction: Path | None) -> bytes:
    if ct is None or pet is None or prediction is None:
        raise Ct2PetError(f"its {'CT' if ct is None else 'real PET' if pet is None else 'prediction'} is missing")
    return case_picture(read_volume(ct, unit="HU"), read_volume(pet, unit="SUV"), read_volume(prediction, unit="SUV"))


def _tables(summary: Mapping[str, Any]) -> list[str]:
    parts = [page.element("h2", "Errors by region")]
    parts += [page.table(block, emphasise_first=True) for block in blocks(summary)]
    return [*parts, page.element("p", FOOTNOTE, "quiet")]


def _curves(curves: Mapping[str, bytes]) -> list[str]:
    parts = [page.element("h2", "Training")] if curves else []
    for name, png in curves.items():
        parts += [page.element("h3", name), page.image(png, f"training curves of {name}")]
    return parts


def _pictures(summary: Mapping[str, Any], cases: Mapping[str, bytes]) -> list[str]:
    if not cases:
        return []
    total = len(summary["cases"])
    shown = f"{len(cases)} of {total} cases. " if len(cases) < total else ""
    parts = [page.element("h2", "Cases"), page.element("p", shown + _PICTURE_NOTE, "quiet")]
    for case, png in cases.items():
        regions = summary["cases"].get(case, {})
        parts += [page.element("h3", case), page.image(png, f"CT, real PET, synthetic PET and error of {case}")]
        parts.append(page.details("numbers of this case", page.table(_value_rows(regions, "region"))))
    return parts


def _value_rows(named: Mapping[str, Mapping[str, float | None]], header: str) -> list[list[str]]:
    """A row of values for each name; those over the whole volume are left to the means."""
    every = {metric: None for values in named.values() for metric in values if not metric.endswith(VOLUME)}
    metrics = metrics_of(every)
    lines = [[name, *(value_text(metric, values.get(metric)) for metric in metrics)] for name, values in named.items()]
    return [[header, *(HEADERS.get(metric, metric) for metric in metrics)], *lines]


def _appendix(summary: Mapping[str, Any]) -> list[str]:
    whole = {case: regions.get(WHOLE_BODY, {}) for case, regions in summary["cases"].items()}
    table = page.table(_value_rows(whole, "case"))
    settings = json.dumps(summary["provenance"], indent=2, ensure_ascii=False)
    parts = [page.element("h2", "Details"), page.details(f"All {len(whole)} cases, inside the body", table)]
    failed: Sequence[str] = summary["provenance"].get("failed_cases", [])
    if failed:
        parts.insert(1, page.element("p", f"Not evaluated: {', '.join(failed)}", "warning"))
    return [*parts, page.details("How these numbers were made", page.element("pre", settings))]
