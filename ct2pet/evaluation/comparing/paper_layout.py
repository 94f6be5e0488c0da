"""Four models in the tables of arXiv 2503.15555: two methods, each by district ("proposed") and as one network for the
whole body ("competitor"), in its units and with its tests, each method compared with itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ct2pet.console import wrapped
from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.columns import aligned
from ct2pet.evaluation.comparing.pairing import check_pairs
from ct2pet.evaluation.comparing.runs import describe_runs, over_runs
from ct2pet.evaluation.comparing.wording import marks, p_text
from ct2pet.evaluation.names import LESIONS, VOLUME, is_label, is_lesions
from ct2pet.evaluation.statistics import PairedTest, holm, paired_test
from ct2pet.planning.plans import WHOLE_BODY

SUV_RANGE = 20.0  # the paper's PETs are SUV / 20
METHODS = ("Pix2Pix", "CycleGAN")
_METRICS = {"mae": ("MAE ↓ [/20 SUV]", 1 / SUV_RANGE, 4), "psnr": ("PSNR ↑ [dB]", 1.0, 2), "ssim": ("SSIM ↑", 1.0, 3)}
_NOTE = (
    "Mean ± standard error over cases{runs}; MAE in units of {range:g} SUV. p: proposed against competitor with the "
    "same method, paired two-tailed, the larger one of t-test and Wilcoxon's signed-rank test, both corrected by "
    "Holm's method for all {tests} tests of the three tables (* p < 0.05, ** p < 0.01, *** p < 0.001). Tables I and "
    "II: inside the region; table III: over the whole volume, as in the paper."
)


Runs = Sequence[Mapping[str, Any]]  # the summaries of one model, one for each run (seed)
Model = Mapping[str, Any] | Runs


@dataclass(frozen=True)
class _Row:
    """One metric of one subject: the values of the cases that all four models have, in the order of the columns; by
    case one for each run."""

    table: str
    subject: str
    metric: str
    values: tuple[list[tuple[float, ...]], ...]

    def means(self, model: int) -> list[float]:
        """The mean of the runs in each case."""
        return over_runs(self.values[model])


def paper_tables(proposed: Sequence[Model], competitor: Sequence[Model], width: int | None = None) -> str:
    """Tables I to III as text. ``proposed`` and ``competitor``: the summaries of Pix2Pix and of CycleGAN, of each one,
    or those of several runs. ``width``: the most characters of a line.

    Raises Ct2PetError where they cannot be compared (see ``pairing.check_pairs``) or have no values of these tables.
    """
    models: list[Runs] = [[one] if isinstance(one, Mapping) else one for one in (*proposed, *competitor)]
    names = [f"{kind} {method}" for kind in ("proposed", "competitor") for method in METHODS]
    check_pairs(
        {
            f"{name}, run {number}" if len(runs) > 1 else name: summary
            for name, runs in zip(names, models, strict=True)
            for number, summary in enumerate(runs, start=1)
        }
    )
    rows = [row for row in _rows(models) if row.values[0]]
    if not rows:
        raise Ct2PetError("the four summaries have no MAE, PSNR or SSIM in common; evaluate predicted PETs")
    tests = [paired_test(row.means(method), row.means(method + 2)) for row in rows for method in (0, 1)]
    p_values = _corrected(tests)
    texts = [_texts(row, p_values[2 * number : 2 * number + 2]) for number, row in enumerate(rows)]
    blocks = [
        _block(table, [text for row, text in zip(rows, texts) if row.table == table], width)
        for table in dict.fromkeys(row.table for row in rows)
    ]
    count = sum(test.p_wilcoxon is not None for test in tests)
    runs = " (± standard error over runs)" if any(len(own) > 1 for own in models) else ""
    return "\n\n".join([*blocks, wrapped(_NOTE.format(range=SUV_RANGE, tests=count, runs=runs), width)])


def _corrected(tests: Sequence[PairedTest]) -> list[float | None]:
    """The larger p-value of both tests, corrected for all of them; None where one is undefined."""
    pairs = zip(holm([test.p_t for test in tests]), holm([test.p_wilcoxon for test in tests]))
    return [None if None in pair else max(pair) for pair in pairs]  # type: ignore[type-var]


def _rows(models: Sequence[Runs]) -> Iterator[_Row]:
    first = models[0][0]
    cases = list(first["cases"])
    regions = list(dict.fromkeys(region for found in first["cases"].values() for region in found))
    districts = [name for name in regions if name != WHOLE_BODY and not is_label(name) and not is_lesions(name)]
    for region in (*districts, WHOLE_BODY):
        yield from (_row("I", region, metric, models, cases, (region, metric)) for metric in _METRICS)
    yield from (_row("II", LESIONS, metric, models, cases, (LESIONS, metric)) for metric in _METRICS)
    for diagnosis in sorted(set(first["diagnoses"].values())):
        own = [case for case in cases if first["diagnoses"].get(case) == diagnosis]
        for metric in _METRICS:
            yield _row("III", diagnosis, metric, models, own, (WHOLE_BODY, f"{metric}{VOLUME}"))


def _row(
    table: str,
    subject: str,
    metric: str,
    models: Sequence[Runs],
    cases: Sequence[str],
    place: tuple[str, str],
) -> _Row:
    """``place``: the region and the name of the metric in the summaries."""
    region, name = place
    found = [
        [tuple(summary["cases"][case].get(region, {}).get(name) for summary in runs) for runs in models]
        for case in cases
    ]
    complete = [values for values in found if not any(None in runs for runs in values)]
    return _Row(table, subject, metric, tuple([values[index] for values in complete] for index in range(len(models))))


def _texts(row: _Row, p_values: Sequence[float | None]) -> list[str]:
    title, factor, digits = _METRICS[row.metric]
    means = [_mean(values, factor, digits) for values in row.values]
    tests = [f"{p_text(p)}{marks(p)}" for p in p_values]
    return [f"{row.subject.replace('_', ' ')} (n = {len(row.values[0])})", title, *means, *tests]


def _mean(values: Sequence[Sequence[float]], factor: float, digits: int) -> str:
    found = describe_runs([[value * factor for value in runs] for runs in values])
    error = "" if found["se"] is None else f" ± {found['se']:.{digits}f}"
    between = f" (± {found['se_runs']:.{digits}f})" if found.get("se_runs") is not None else ""
    return f"{found['mean']:.{digits}f}{error}{between}"


def _block(table: str, rows: Sequence[Sequence[str]], width: int | None) -> str:
    titles = {"I": "Districts and whole body", "II": "Lesions", "III": "Oncological conditions"}
    columns = [f"{kind} {method}" for kind in ("proposed", "competitor") for method in METHODS]
    header = [f"Table {table}: {titles[table]}", "", *columns, *(f"p {method}" for method in METHODS)]
    shown, before = [], ""
    for subject, *rest in rows:
        shown.append(["" if subject == before else subject, *rest])
        before = subject
    return aligned([header, *shown], left=2, width=width)
