"""Comparison of several models on the same cases: differences, their sizes and their significance."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.comparing.pairing import check_pairs, listed
from ct2pet.evaluation.comparing.rival import best_blind_baseline, main_region
from ct2pet.evaluation.comparing.runs import Values, describe_runs, over_runs
from ct2pet.evaluation.names import (
    BIAS,
    LABEL_METRICS,
    LESIONS,
    LESIONS_OF,
    PREDICTION,
    VOLUME,
    is_label,
    is_lesions,
    is_measurement,
)
from ct2pet.evaluation.statistics import PairedTest, holm, paired_test
from ct2pet.planning.plans import WHOLE_BODY

METRICS = ("mae", "psnr", "ssim", "suv_mean_bias", "suv_max_bias", *LABEL_METRICS)
PRIMARY = ("mae", "dice")  # tested unless metrics are named: of images and of predicted labels
DISTRICTS, DIAGNOSES, ORGANS, LABELS = "districts", "diagnoses", "organs", "labels"  # tables; LESIONS is one, too
TESTED_TABLES = (DISTRICTS, LESIONS, LABELS)  # diagnoses are parts of the cases, and organs are many
WHOLE_VOLUME = "whole_volume"  # in the table of the districts: the paper's numbers, air included; not tested
MEAN_OF_LABELS = "mean_of_the_labels"  # the subject of the table of the labels: their mean in each case
_HIGHER_IS_BETTER = ("psnr", "ssim", "ms_ssim", "ccc", "dice", "iou")

Cases = Mapping[str, Mapping[str, Mapping[str, "float | None"]]]


@dataclass(frozen=True)
class Difference:
    """A rival minus the first model, case by case. ``p_t`` and ``p_wilcoxon`` of ``test`` are not corrected.
    ``p_t_holm`` and ``p_wilcoxon_holm`` are corrected for all tests of the family, and ``p`` is the larger of them;
    all three are None where the line is not in the family, or has too few cases for a test."""

    test: PairedTest
    p_t_holm: float | None
    p_wilcoxon_holm: float | None
    p: float | None


@dataclass(frozen=True)
class Line:
    """One metric of one ``subject`` (a region, an organ or a diagnosis) of a ``table``.

    ``numbers``: the ``statistics.describe`` of each model, over the cases with a number of every model. A model with
    several runs has their mean in each case; its numbers also have the number of ``runs`` and ``se_runs``, the standard
    error of the mean over the cases between runs. For a bias the absolute value is compared. ``best``: the model with
    the best mean. ``differences``: of every rival of the first model. ``tested``: whether it is in the family of tests.
    """

    table: str
    subject: str
    metric: str
    higher_is_better: bool
    numbers: dict[str, dict[str, Any]]
    best: str
    differences: dict[str, Difference]
    tested: bool = False

    def gain(self, other: str) -> float:
        """The advantage of the first model over ``other``; negative where it is worse."""
        means = [numbers["mean"] for numbers in self.numbers.values()]
        difference = self.numbers[other]["mean"] - means[0]
        return -difference if self.higher_is_better else difference


@dataclass(frozen=True)
class Comparison:
    """``models``: the first is the one with which the others are compared; of these ``rivals`` are tested against it,
    the others are only described. ``num_cases``: the cases of all models. ``num_tests``: the number of tests in the
    family, for which all p-values are corrected (Holm). ``left_out``: cases that are not in every summary, and the
    models without them. ``runs``: the names of the runs of each model that has several. ``with_baselines``: the first
    model is PREDICTION and the others are its baselines; otherwise the names are of folders."""

    models: tuple[str, ...]
    rivals: tuple[str, ...]
    num_cases: int
    num_tests: int
    lines: tuple[Line, ...]
    provenance: dict[str, Any]
    left_out: dict[str, list[str]] = field(default_factory=dict)
    runs: dict[str, list[str]] = field(default_factory=dict)
    with_baselines: bool = False

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that have lines: "districts", "lesions", "organs", "labels" and "diagnoses"."""
        return tuple(dict.fromkeys(line.table for line in self.lines))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def of_table(self, table: str) -> list[Line]:
        """The lines of one of the tables."""
        return [line for line in self.lines if line.table == table]


def compare(
    summaries: Mapping[str, Mapping[str, Any]],
    metrics: Sequence[str] | None = None,
    *,
    left_out: Mapping[str, list[str]] | None = None,
    runs: Mapping[str, Sequence[str]] | None = None,
) -> Comparison:
    """Compare every model with the first one. ``summaries``: the content of each one's summary.json, by name;
    ``metrics``: by default those of METRICS that the first one has. ``left_out``: the cases that
    ``pairing.common_cases`` removed from the summaries. ``runs``: for each model the names of its summaries, several
    where it was trained with several seeds; by default each summary is a model.

    One family of tests: the named ``metrics`` (by default those of PRIMARY) in every district, in the whole body, in
    lesions and in the mean of the labels, for every other model. Everything else is only described.

    Raises Ct2PetError where they cannot be compared (see ``pairing.check_pairs``), or where
    a metric is unknown.
    """
    check_pairs(summaries)
    first = next(iter(summaries.values()))
    by_model = {name: [name] for name in summaries} if runs is None else runs
    models = {model: [summaries[name]["cases"] for name in names] for model, names in by_model.items()}
    drafts = _drafts(models, first, metrics)
    rivals, provenance = tuple(models)[1:], {name: summary["provenance"] for name, summary in summaries.items()}
    lines, number = _lines(drafts, rivals, PRIMARY if metrics is None else metrics)
    several = {model: [*names] for model, names in by_model.items() if len(names) > 1}
    left_out = dict(left_out or {})
    return Comparison(tuple(models), rivals, len(first["cases"]), number, lines, provenance, left_out, several)


def compare_with_baselines(
    summary: Mapping[str, Any],
    metrics: Sequence[str] | None = None,
    *,
    check: bool = True,
    more_runs: Mapping[str, Mapping[str, Any]] | None = None,
) -> Comparison:
    """Compare a model, "prediction", with its four trivial baselines. The rival is the best one that does not use the
    real PET, by its error in the body; the others are described, not tested. Raises Ct2PetError as ``compare`` does,
    and where there are no baselines; without ``check`` evaluated training cases are allowed. ``more_runs``: the
    summaries of the model's further runs, by name."""
    every = {PREDICTION: summary, **(more_runs or {})}
    if check:
        check_pairs(every)
    best = best_blind_baseline(summary, main_region(summary))
    if not all(summary["baseline_cases"].values()) or best is None:
        raise Ct2PetError(
            f"{PREDICTION}: baselines are PETs, but only labels were predicted; give a second summary for a comparison"
        )
    baselines = {name: [cases] for name, cases in summary["baseline_cases"].items()}
    models, rivals = {PREDICTION: [run["cases"] for run in every.values()], **baselines}, best[:1]
    lines, number = _lines(_drafts(models, summary, metrics), rivals, PRIMARY if metrics is None else metrics)
    provenance = {name: run["provenance"] for name, run in every.items()}
    several = {PREDICTION: [*every]} if more_runs else {}
    return Comparison(tuple(models), rivals, len(summary["cases"]), number, lines, provenance, {}, several, True)


@dataclass(frozen=True)
class _Subject:
    """For several ``regions`` their mean is used."""

    table: str
    name: str
    regions: tuple[str, ...]
    metric: str
    cases: tuple[str, ...]

    def is_tested(self, metrics: Sequence[str]) -> bool:
        described = self.name == WHOLE_VOLUME or self.name.startswith(LESIONS_OF)
        return self.table in TESTED_TABLES and not described and self.metric in metrics


def _subjects(summary: Mapping[str, Any], metrics: Sequence[str]) -> Iterator[_Subject]:
    """All possible lines, in the order of the tables."""
    cases = tuple(summary["cases"])
    regions = list(dict.fromkeys(region for found in summary["cases"].values() for region in found))
    labels = tuple(name for name in regions if is_label(name))
    places = [name for name in regions if name not in (WHOLE_BODY, *labels) and not is_lesions(name)]
    places += [WHOLE_BODY] * (WHOLE_BODY in regions)
    tables = {DISTRICTS: places, LESIONS: list(filter(is_lesions, regions)), ORGANS: list(labels)}
    for table, names in tables.items():
        yield from (_Subject(table, name, (name,), metric, cases) for name in names for metric in metrics)
        if table == DISTRICTS:
            volume = [f"{metric}{VOLUME}" for metric in metrics]
            yield from (_Subject(table, WHOLE_VOLUME, (WHOLE_BODY,), metric, cases) for metric in volume)
    overlaps = [metric for metric in metrics if metric in LABEL_METRICS]
    yield from (_Subject(LABELS, MEAN_OF_LABELS, labels, metric, cases) for metric in overlaps if labels)
    for diagnosis in sorted(set(summary["diagnoses"].values())):
        own = tuple(case for case in cases if summary["diagnoses"].get(case) == diagnosis)
        yield from (_Subject(DIAGNOSES, diagnosis, tuple(places[-1:]), metric, own) for metric in metrics if places)


def _common(models: Mapping[str, Sequence[Cases]], subject: _Subject) -> dict[str, Values]:
    """The values of each model's runs in the cases (and regions) where all models have one."""
    every = [cases for runs in models.values() for cases in runs]
    rows = [row for case in subject.cases if (row := _row([cases[case] for cases in every], subject))]
    ends = list(accumulate(len(runs) for runs in models.values()))
    parts = [slice(end - len(runs), end) for end, runs in zip(ends, models.values())]
    return {name: [tuple(row[part]) for row in rows] for name, part in zip(models, parts)}


def _row(found: Sequence[Mapping[str, Mapping[str, float | None]]], subject: _Subject) -> list[float]:
    """One case: the value of each run, ``found`` being its regions; empty without common regions."""
    size: Callable[[float], float] = abs if subject.metric.endswith(BIAS) else float
    columns = [[regions.get(name, {}).get(subject.metric) for regions in found] for name in subject.regions]
    complete = [[size(value) for value in column if value is not None] for column in columns if None not in column]
    return [sum(values) / len(values) for values in zip(*complete)]


def _drafts(
    models: Mapping[str, Sequence[Cases]], summary: Mapping[str, Any], metrics: Sequence[str] | None
) -> list[tuple[_Subject, dict[str, Values]]]:
    """The lines with numbers: the subject of each, and the values of each model in the common cases."""
    metrics = _known_metrics(metrics, summary["cases"])
    found = [(subject, _common(models, subject)) for subject in _subjects(summary, metrics)]
    return [draft for draft in found if any(draft[1].values())]


def _lines(
    drafts: Sequence[tuple[_Subject, dict[str, Values]]], rivals: Sequence[str], tested: Sequence[str]
) -> tuple[tuple[Line, ...], int]:
    """The lines, and the number of tests in the family."""
    of_family = [subject.is_tested(tested) for subject, _ in drafts]
    means = [{name: over_runs(values) for name, values in numbers.items()} for _, numbers in drafts]
    tests = [{name: paired_test(next(iter(own.values())), own[name]) for name in rivals} for own in means]
    family = [test for own, is_tested in zip(tests, of_family) if is_tested for test in own.values()]
    corrected = iter(zip(holm([test.p_t for test in family]), holm([test.p_wilcoxon for test in family])))
    lines = []
    for (subject, numbers), own, is_tested in zip(drafts, tests, of_family):
        found = {
            name: _difference(test, *(next(corrected) if is_tested else (None, None))) for name, test in own.items()
        }
        lines.append(_line(subject, numbers, found, is_tested))
    return tuple(lines), sum(test.p_wilcoxon is not None for test in family)


def _difference(test: PairedTest, p_t: float | None, p_wilcoxon: float | None) -> Difference:
    return Difference(test, p_t, p_wilcoxon, None if p_t is None or p_wilcoxon is None else max(p_t, p_wilcoxon))


def _line(
    subject: _Subject, numbers: Mapping[str, Values], differences: dict[str, Difference], is_tested: bool
) -> Line:
    described = {name: describe_runs(values) for name, values in numbers.items()}
    higher = subject.metric.removesuffix(VOLUME) in _HIGHER_IS_BETTER
    pick = max if higher else min
    best = pick(described, key=lambda name: np.mean(numbers[name]))
    return Line(subject.table, subject.name, subject.metric, higher, described, best, differences, is_tested)


def _known_metrics(metrics: Sequence[str] | None, cases: Cases) -> Sequence[str]:
    """``metrics`` (by default those of METRICS that the cases have). Raises Ct2PetError where one is unknown."""
    every = {metric: None for regions in cases.values() for found in regions.values() for metric in found}
    known = [metric for metric in every if not is_measurement(metric) and not metric.endswith(VOLUME)]
    if metrics is None:
        return [metric for metric in METRICS if metric in known]
    unknown = [metric for metric in metrics if metric not in known]
    if unknown:
        raise Ct2PetError(f"the summary has no metric {listed(unknown)}; there are: {', '.join(known) or 'none'}")
    return metrics
