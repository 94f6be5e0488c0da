"""A comparison as text: tables, and the result in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ct2pet.console import wrapped
from ct2pet.evaluation.columns import aligned
from ct2pet.evaluation.comparing import wording
from ct2pet.evaluation.comparing.comparison import (
    DIAGNOSES,
    DISTRICTS,
    LABELS,
    MEAN_OF_LABELS,
    ORGANS,
    WHOLE_VOLUME,
    Comparison,
    Difference,
    Line,
)
from ct2pet.evaluation.names import LESIONS
from ct2pet.evaluation.statistics import LEAST_CASES, holm
from ct2pet.planning.plans import WHOLE_BODY

NOTE = (
    "Mean ± standard error over the cases in which all models have a number. Difference: the second minus the first "
    "model, case by case, with its 95% bootstrap interval.\np: paired two-tailed t-test and Wilcoxon's signed-rank "
    "test, each corrected (Holm) for all tests of the family. d: Cohen's d_z.\nBetter: significant in both tests: "
    "* p < 0.05, ** p < 0.01, *** p < 0.001."
)


def text(comparison: Comparison, width: int | None = None) -> str:
    """Every rival next to the first model, one block per table, and the results in words. Organs and all metrics of
    diagnoses are only in the files. ``width``: the most characters of a line, for a terminal."""
    tables = [table for table in comparison.tables if table != ORGANS]
    blocks = [_block(comparison, table, other, width) for other in comparison.rivals for table in tables]
    answers = [answer(comparison, other) for other in comparison.rivals]
    note = "\n".join(filter(None, [NOTE, wording.runs_note(comparison), wording.family(comparison)]))
    words = (wrapped(one, width) for one in (note, *_left_out(comparison), *answers))
    return "\n\n".join([*blocks, *words])


def _left_out(comparison: Comparison) -> list[str]:
    lacking = [f"{case} (lacking in {', '.join(models)})" for case, models in comparison.left_out.items()]
    if not lacking:
        return []
    return [f"Compared over {comparison.num_cases} common case(s). Left out, {len(lacking)}: {', '.join(lacking)}."]


def answer(comparison: Comparison, other: str) -> str:
    """In words: the difference between the first model and ``other`` in the first metric, and its significance: in the
    whole body (or the last region), in lesions, and over the predicted labels. Only a significant difference is called
    better; fewer than LEAST_CASES cases give no claim."""
    places = [line for line in comparison.of_table(DISTRICTS) if line.subject != WHOLE_VOLUME]
    last = [line for line in places if line.subject == places[-1].subject]
    others = (comparison.of_table(table) for table in (LESIONS, LABELS))
    sentences = [_sentence(comparison, lines[0], other) for lines in (last, *others) if lines]
    words = " ".join(f"The {rest}" if (rest := one.removeprefix("the ")) != one else one for one in sentences)
    return words or "Nothing to compare: no case has a number of all models."


def _sentence(comparison: Comparison, line: Line, other: str) -> str:
    models, difference = [comparison.models[0], other], line.differences[other]
    if line.gain(other) < 0 and wording.marks(difference.p):
        models.reverse()
    values = [line.numbers[name]["mean"] for name in models]
    unit, gain = wording.metric_unit(line.metric), abs(line.gain(other))
    share = "" if line.higher_is_better or not values[1] else f" ({gain / values[1]:.0%})"
    shown = " against ".join(wording.plain(line.metric, value) for value in values)
    return (
        f"{_verdict(comparison, line, other, models)}: {wording.metric_name(line.metric)} {shown}{unit}, a difference "
        f"of {wording.plain(line.metric, gain)}{unit}{share} over {_cases(line, other)}"
        f"{_certainty(comparison, line, other)}."
    )


def _cases(line: Line, other: str) -> str:
    pairs = line.differences[other].test.pairs
    return f"{pairs} case{'s' * (pairs != 1)}"


def _verdict(comparison: Comparison, line: Line, other: str, models: Sequence[str]) -> str:
    """``models``: the better one first where it is significant, else as they are compared."""
    one, two = (wording.model_in_words(comparison, model) for model in models)
    places = {WHOLE_BODY: "inside the body", MEAN_OF_LABELS: "in the mean of the labels"}
    where = places.get(line.subject, f"in {wording.subject_title(line.subject).lower()}")
    difference = line.differences[other]
    pairs = difference.test.pairs
    if not line.gain(other):
        return f"There is no difference between {one} and {two} {where}"
    if pairs < LEAST_CASES:
        number = f"{_cases(line, other)} {'is' if pairs == 1 else 'are'}"
        return f"{number} too few to show whether {one} or {two} is better {where}"
    if wording.marks(difference.p):
        return f"{one} is better than {two} {where}"
    few = f"; {pairs} cases are too few for {_tests(comparison)}" if _is_hopeless(comparison, line, other) else ""
    return f"No difference between {one} and {two} is shown {where}{few}"


def _tests(comparison: Comparison) -> str:
    return f"{comparison.num_tests} test{'s' * (comparison.num_tests != 1)}"


def _is_hopeless(comparison: Comparison, line: Line, other: str) -> bool:
    """Whether the line could not be significant, given the other tests, even where one model wins in every case: then
    Wilcoxon's test has its smallest p-value, which Holm's method corrects by its rank among all tests."""
    if not line.tested:
        return False
    others = [
        difference.test.p_wilcoxon
        for one in comparison.lines
        if one.tested
        for name, difference in one.differences.items()
        if one is not line or name != other
    ]
    smallest = holm([2 * 0.5 ** line.differences[other].test.pairs, *others])[0]
    return smallest is not None and smallest >= wording.MARKS[-1][0]


def _certainty(comparison: Comparison, line: Line, other: str) -> str:
    """The interval is that of the advantage of the model named first."""
    difference = line.differences[other]
    if difference.test.ci95 is None:
        return ""
    sign = 1 if (difference.test.mean or 0.0) >= 0 else -1
    low, high = (wording.plain(line.metric, end) for end in sorted(sign * end for end in difference.test.ci95))
    if not line.tested:
        return f" (95% interval {low} to {high})"
    p_values = wording.p_text(difference.p_t_holm), wording.p_text(difference.p_wilcoxon_holm)
    return (
        f" (95% interval {low} to {high}; p {p_values[0]} in the t-test, {p_values[1]} in Wilcoxon's, corrected for "
        f"{_tests(comparison)})"
    )


def _block(comparison: Comparison, table: str, other: str, width: int | None) -> str:
    models = comparison.models[0], other
    described = [model for model in comparison.models[1:] if model not in comparison.rivals]
    titles = {model: wording.model_title(comparison, model) for model in comparison.models}
    head = ["difference [95%]", "p t", "p Wilcoxon", "d", "better", *(titles[model] for model in described)]
    rows, before = [[wording.CAPTIONS[table], "", *(titles[model] for model in models), *head]], ""
    for line in _shown(comparison, table):
        subject = wording.subject_title(line.subject)
        difference = line.differences[other]
        effect = difference.test.cohens_dz
        rows.append(
            [
                "" if subject == before else f"{subject} (n = {difference.test.pairs})",
                f"{wording.metric_title(line.metric)} {wording.arrow(line)}",
                *(wording.mean_with_error(line, model) for model in models),
                _with_interval(line.metric, difference),
                *map(wording.p_text, (difference.p_t_holm, difference.p_wilcoxon_holm)),
                "–" if effect is None else f"{effect:+.2f}",
                _better(line, titles, *models),
                *(wording.plain(line.metric, line.numbers[model]["mean"]) for model in described),
            ]
        )
        before = subject
    return aligned(rows, left=2, width=width)


def _shown(comparison: Comparison, table: str) -> list[Line]:
    """For diagnoses only the metrics that are tested elsewhere."""
    tested = {line.metric for line in comparison.lines if line.tested}
    return [line for line in comparison.of_table(table) if table != DIAGNOSES or line.metric in tested]


def _with_interval(metric: str, difference: Difference) -> str:
    mean = wording.signed(metric, difference.test.mean or 0.0)
    if difference.test.ci95 is None:
        return mean
    low, high = (wording.signed(metric, end) for end in difference.test.ci95)
    return f"{mean} [{low}, {high}]"


def _better(line: Line, titles: Mapping[str, str], first: str, other: str) -> str:
    mark = wording.marks(line.differences[other].p)
    return f"{titles[first if line.gain(other) > 0 else other]} {mark}" if mark else "–"
