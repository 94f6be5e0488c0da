import copy
import re

import pytest
from label_maps import metrics as label_metrics
from summaries import label_summary, synthetic_summary

from ct2pet.evaluation.comparing import answer, compare, compare_with_baselines, text
from ct2pet.evaluation.comparing.files import latex, literal
from ct2pet.evaluation.comparing.pairing import common_cases


def changed(summary, change, regions=("whole_body", "lesions")):
    """The same with other MAEs: ``change`` of the number of the case and the MAE."""
    found = copy.deepcopy(summary)
    for number, case in enumerate(found["cases"].values()):
        for region in regions:
            if case[region]["mae"] is not None:
                case[region]["mae"] = change(number, case[region]["mae"])
    return found


@pytest.fixture(scope="module")
def summary():
    return changed(synthetic_summary(20), lambda number, mae: 0.5)


def said(summary, change, number=None):
    return answer(compare({"mine": summary, "other": changed(summary, change)}, ["mae"]), "other")


def test_better_by_how_much_and_how_sure(summary):
    words = said(summary, lambda number, mae: 0.6 + 0.01 * (number % 2))
    assert words.startswith(
        "mine is better than other inside the body: MAE 0.500 against 0.605 SUV, a difference of 0.105 SUV (17%) over "
        "20 cases (95% interval 0.10"
    )
    assert "p <0.001 in the t-test, <0.001 in Wilcoxon's, corrected for 6 tests)." in words
    assert "mine is better than other in lesions:" in words
    assert "over 19 cases" in words


def test_worse_is_not_hidden(summary):
    words = said(summary, lambda number, mae: 0.4 - 0.01 * (number % 2))
    assert words.startswith(
        "other is better than mine inside the body: MAE 0.395 against 0.500 SUV, a difference of 0.105"
    )
    assert "95% interval 0.10" in words
    assert "-" not in words.replace("t-test", "")


def test_a_difference_that_is_not_significant_is_not_called_better(summary):
    words = said(summary, lambda number, mae: 0.5 + (0.1 if number % 2 else -0.09))
    assert words.startswith(
        "No difference between mine and other is shown inside the body: MAE 0.500 against 0.505 SUV"
    )
    assert "better" not in words
    assert "interval -0.0" in words


def test_few_cases_and_no_difference():
    few = synthetic_summary(4)
    words = said(few, lambda number, mae: 2 * mae)
    assert words.startswith("4 cases are too few to show whether mine or other is better inside the body: MAE ")
    assert "(50%) over 4 cases." in words  # no interval and no p
    seven = synthetic_summary(7)
    words = said(seven, lambda number, mae: 2 * mae)
    assert (
        "No difference between mine and other is shown inside the body; 7 cases are too few for 6 tests: MAE" in words
    )
    assert "There is no difference between mine and other inside the body" in said(few, lambda number, mae: mae)
    one = synthetic_summary(1)
    assert said(one, lambda number, mae: 2 * mae).count("(50%) over 1 case.") == 1


def test_every_line_has_numbers_difference_and_who_is_better(summary):
    words = text(compare({"mine": summary, "other": changed(summary, lambda number, mae: 0.6 + 0.01 * (number % 2))}))
    (line,) = [line for line in words.splitlines() if line.startswith("Whole body (n = 20)")]
    assert line.split()[5:] == [
        *("MAE", "[SUV]", "↓", "0.500", "±", "0.000", "0.605", "±", "0.001", "+0.105"),
        *("[+0.103,", "+0.107]", "<0.001", "<0.001", "+20.47", "mine", "***"),
    ]
    for title in ("Districts and whole body", "Lesions", "Diagnoses, inside the body"):
        assert f"\n{title} " in f"\n{words}"
    assert "Organs" not in words  # a whole body has fifty
    assert "One family of 6 tests: MAE in head, trunk, arms, legs, whole body, lesions, against other;" in words
    assert "nan" not in words.lower()
    assert "None (n = 6)" in words


def test_baselines_are_called_by_their_titles():
    words = text(compare_with_baselines(synthetic_summary(16)))
    assert "The synthetic PET is better than the trivial guess body median inside the body: MAE" in words
    assert "real PET, blurred * is better" not in words
    assert "body_median" not in words
    head = words.splitlines()[0]
    assert head.index("body median") < head.index("better") < head.index("zeros") < head.index("real PET, blurred *")
    assert len(words.splitlines()) < 55


@pytest.mark.parametrize("names", [("real", "augmented"), ("prediction", "body_median"), ("shifted", "zeros")])
def test_folders_with_the_names_of_baselines_are_not_called_baselines(summary, names):
    better = changed(summary, lambda number, mae: 0.6 + 0.01 * (number % 2))
    comparison = compare(dict(zip(names, (summary, better))), ["mae"])
    head, *_ = (words := text(comparison)).splitlines()
    assert re.search(rf" {names[0]} +{names[1]} +difference", head)
    assert f"The {names[0]}" not in words
    assert f"{names[0]} is better than {names[1]} inside the body" in words
    assert f"against {names[1]};" in words
    shown = latex(comparison)
    assert f"Metric & {literal(names[0])} & {literal(names[1])} " in shown
    assert f"differs from {literal(names[0])} in" in shown
    for title in ("synthetic PET", "real PET", "body median", "trivial guess"):
        assert title not in words + shown


def test_few_cases_of_lesions_are_too_few_only_where_other_tests_leave_no_chance():
    """Holm's method corrects the smallest p-value of the family for all tests, but the largest for one."""

    def with_lesions_in_seven(summary):
        for case in list(summary["cases"])[7:]:
            summary["cases"][case]["lesions"]["mae"] = None
        return summary

    first = with_lesions_in_seven(changed(synthetic_summary(30), lambda number, mae: 0.5))
    for everywhere, is_hopeless in ((True, False), (False, True)):
        regions = ("head", "trunk", "arms", "legs", "whole_body") if everywhere else ()
        other = changed(first, lambda number, mae: mae + 0.1 + 0.01 * number, regions)
        for number, case in enumerate(list(other["cases"])[:7]):
            other["cases"][case]["lesions"]["mae"] = 0.5 + 0.1 * (-1) ** number
        words = answer(compare({"mine": first, "other": other}, ["mae"]), "other")
        assert ("is shown in lesions; 7 cases are too few for 6 tests: MAE" in words) == is_hopeless
        assert "is shown in lesions" in words


def test_cases_that_are_omitted_are_named():
    pair = {"a": synthetic_summary(8), "b": synthetic_summary(8)}
    for part in (pair["b"]["cases"], pair["b"]["diagnoses"], *pair["b"]["baseline_cases"].values()):
        del part["case_007"]
    summaries, left_out = common_cases(pair)
    words = text(compare(summaries, ["mae"], left_out=left_out))
    assert "Compared over 7 common case(s). Left out, 1: case_007 (lacking in b)." in words
    assert "Left out" not in text(compare({"a": pair["a"], "b": pair["a"]}, ["mae"]))


def test_a_comparison_without_values_is_reported(summary):
    none = copy.deepcopy(summary)
    for case in none["cases"].values():
        for metrics in case.values():
            metrics.update(mae=None)
            metrics.pop("mae_volume", None)
    assert "Nothing to compare" in answer(compare({"a": none, "b": none}, ["mae"]), "b")


def test_labels_alone_are_compared_by_their_mean_on_the_screen():
    def labelled(dice):
        return {"liver": label_metrics(dice), "spleen": label_metrics(0.5)}

    one = label_summary({f"c{number:02d}": labelled(0.9) for number in range(20)})
    two = label_summary({f"c{number:02d}": labelled(0.7 + 0.04 * (number % 2)) for number in range(20)})
    shown = text(compare({"mine": one, "other": two}))
    lines = shown.splitlines()
    assert lines[0].startswith("Predicted labels")
    assert [line for line in lines if line.startswith("Mean of the labels (n = 20)  Dice ↑")]
    assert not [line for line in lines if line.startswith("Liver")]
    assert lines[-1].startswith(
        "mine is better than other in the mean of the labels: Dice 0.700 against 0.610, a difference of 0.090 over 20 "
    )
