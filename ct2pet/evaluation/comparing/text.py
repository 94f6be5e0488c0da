"""A comparison for the screen: tables, and the answer in words."""

from __future__ import annotations

from collections.abc import Sequence

from ct2pet.evaluation.columns import aligned
from ct2pet.evaluation.comparing import wording
from ct2pet.evaluation.comparing.comparison import (
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
from ct2pet.planning.plans import WHOLE_BODY

NOTE = (
    "Mean ± standard error over the cases in which all models have a number. Difference: the second minus the first "
    "model, case by case, with its 95% bootstrap interval.\np: paired two-tailed t-test and Wilcoxon's signed-rank "
    "test, each corrected (Holm) for all tests of its table. d: Cohen's d_z.\nBetter is who is so in both tests: "
    "* p < 0.05, ** p < 0.01, *** p < 0.001."
)


def text(comparison: Comparison) -> str:
    """Every other model beside the first, one block a table, and the answers. Organs are many: they are left to the
    files."""
    others = comparison.models[1:]
    tables = [table for table in comparison.num_tests if table != ORGANS]
    blocks = [_block(comparison, table, other) for other in others for table in tables]
    return "\n\n".join([*blocks, NOTE, *(answer(comparison, other) for other in others)])


def answer(comparison: Comparison, other: str) -> str:
    """In words: which of the first model and ``other`` is better in the first metric, by how much, and how sure that
    is: in the whole body (or the last region that there is), in lesions, and over the predicted labels."""
    places = [line for line in comparison.of_table(DISTRICTS) if line.subject != WHOLE_VOLUME]
    last = [line for line in places if line.subject == places[-1].subject]
    others = (comparison.of_table(table) for table in (LESIONS, LABELS))
    sentences = [_sentence(comparison, lines[0], other) for lines in (last, *others) if lines]
    return " ".join(sentences) or "Nothing could be compared: in no case all models have a number."


def _sentence(comparison: Comparison, line: Line, other: str) -> str:
    models, gain = [comparison.models[0], other], line.gain(other)
    if gain < 0:
        models.reverse()
    values = [line.numbers[name]["mean"] for name in models]
    unit = wording.metric_unit(line.metric)
    share = "" if line.higher_is_better or not values[1] else f" ({abs(gain) / values[1]:.0%})"
    shown = " against ".join(wording.plain(line.metric, value) for value in values)
    pairs = line.differences[other].test.pairs
    cases = f"{pairs} case{'s' * (pairs != 1)}"
    return (
        f"{_verdict(comparison, line, other, models)}: {wording.metric_name(line.metric)} {shown}{unit}, a difference "
        f"of {wording.plain(line.metric, abs(gain))}{unit}{share} over {cases}{_certainty(comparison, line, other)}."
    )


def _verdict(comparison: Comparison, line: Line, other: str, models: Sequence[str]) -> str:
    better, worse = map(wording.model_title, models)
    places = {WHOLE_BODY: "inside the body", MEAN_OF_LABELS: "in the mean of the labels"}
    where = places.get(line.subject, f"in {wording.subject_title(line.subject).lower()}")
    difference = line.differences[other]
    if not line.gain(other):
        return f"There is no difference between {better} and {worse} {where}"
    if wording.marks(difference.p):
        return f"{better} is better than {worse} {where}"
    num_tests = comparison.num_tests[line.table]
    smallest = 2 * 0.5**difference.test.pairs * num_tests  # p of Wilcoxon's test where one model always wins
    few = f", with too few cases to tell in {num_tests} tests" if smallest >= wording.MARKS[-1][0] else ""
    return f"{better} looks better than {worse} {where}, but that may be chance{few}"


def _certainty(comparison: Comparison, line: Line, other: str) -> str:
    """The interval is that of the better model's gain: where it holds 0 or less, chance explains it."""
    difference = line.differences[other]
    if difference.test.ci95 is None or difference.test.mean is None:
        return ""
    ends = [end if difference.test.mean >= 0 else -end for end in difference.test.ci95]
    low, high = (wording.plain(line.metric, end) for end in sorted(ends))
    p_values = wording.p_text(difference.p_t_holm), wording.p_text(difference.p_wilcoxon_holm)
    return (
        f" (95% interval {low} to {high}; p {p_values[0]} in the t-test, {p_values[1]} in Wilcoxon's, corrected for "
        f"{comparison.num_tests[line.table]} tests)"
    )


def _block(comparison: Comparison, table: str, other: str) -> str:
    models = comparison.models[0], other
    titles = map(wording.model_title, models)
    rows = [[wording.CAPTIONS[table], "", *titles, "difference [95%]", "p t", "p Wilcoxon", "d", "better"]]
    before = ""
    for line in comparison.of_table(table):
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
                _better(line, *models),
            ]
        )
        before = subject
    return aligned(rows, left=2)


def _with_interval(metric: str, difference: Difference) -> str:
    mean = wording.signed(metric, difference.test.mean or 0.0)
    if difference.test.ci95 is None:
        return mean
    low, high = (wording.signed(metric, end) for end in difference.test.ci95)
    return f"{mean} [{low}, {high}]"


def _better(line: Line, first: str, other: str) -> str:
    mark = wording.marks(line.differences[other].p)
    return f"{wording.model_title(first if line.gain(other) > 0 else other)} {mark}" if mark else "–"
