from label_maps import metrics
from summaries import grouped_summary, label_summary, summary_with_labels, synthetic_summary

from ct2pet.evaluation import headline
from ct2pet.evaluation.comparing.rival import best_blind_baseline

NUMBER = 9


def cases_of(values):
    """NUMBER cases about each region's mean."""
    return {
        f"c{number}": {
            region: {"mae": None if mean is None else mean + 0.001 * (number % 3 - 1)}
            for region, mean in values.items()
        }
        for number in range(NUMBER)
    }


def summary_of(prediction, zeros, median, blurred=0.01):
    def regions(values):
        return {name: {"mae": value} for name, value in values.items()}

    near = dict.fromkeys(prediction, blurred)
    baselines = {"zeros": zeros, "body_median": median, "blurred": near, "shifted": near}
    return {
        "cases": cases_of(prediction),
        "mean": {name: {"mae": {"mean": v, "se": None, "n": NUMBER}} for name, v in prediction.items()},
        "baselines": {name: regions(values) for name, values in baselines.items()},
        "baseline_cases": {name: cases_of(values) for name, values in baselines.items()},
        "diagnoses": {},
        "provenance": {},
    }


def test_an_improvement_is_reported_in_suv_and_per_cent():
    found = summary_of({"whole_body": 0.3, "head": 0.5}, {"whole_body": 0.9, "head": 2}, {"whole_body": 0.4, "head": 1})
    found["cases"]["c0"]["whole_body"]["mae"] += 0.002  # some scatter of the differences
    assert best_blind_baseline(found, "whole_body") == ("body_median", 0.4)
    answer = headline.plain_answer(found)
    assert answer.startswith(
        "The synthetic PET is better than the trivial guess body median inside the body: MAE 0.300 against 0.400 SUV, "
        "a difference of 0.100 SUV (25%) over 9 cases (95% interval 0.09"
    )
    assert "corrected for 2 tests" in answer  # body and head
    assert "head" not in answer


def test_worse_is_not_hidden():
    found = summary_of({"whole_body": 0.6, "head": 2.5}, {"whole_body": 0.5, "head": 2}, {"whole_body": 0.7, "head": 3})
    found["cases"]["c0"]["whole_body"]["mae"] += 0.002
    answer = headline.plain_answer(found)
    assert answer.startswith(
        "The trivial guess zeros is better than the synthetic PET inside the body: MAE 0.500 against"
    )
    assert "0.100 SUV (17%)" in answer
    assert "Its mean error is not lower in: head" in answer


def test_a_difference_that_may_be_chance_is_not_called_better():
    found = summary_of({"whole_body": 0.3}, {"whole_body": 0.9}, {"whole_body": 0.301})
    for number, regions in enumerate(found["cases"].values()):
        regions["whole_body"]["mae"] += 0.05 * (-1) ** number
    answer = headline.plain_answer(found)
    assert "better" not in answer
    assert answer.startswith("No difference between the synthetic PET and the trivial guess body median is shown")


def test_few_cases_get_no_claim():
    answer = headline.plain_answer(synthetic_summary(1))
    assert answer.startswith(
        "1 case is too few to show whether the synthetic PET or the trivial guess body median is better"
    )
    assert "interval" not in answer


def test_regions_without_numbers_are_omitted():
    found = summary_of({"whole_body": 0.3, "lesions": None}, {"whole_body": 1.0}, {"whole_body": 0.4})
    assert "lesions" not in headline.plain_answer(found)
    empty = summary_of({"whole_body": None}, {}, {})
    assert "Nothing to compare" in headline.plain_answer(empty)
    assert "Nothing to compare" in headline.plain_answer({"cases": {}, "mean": {}, "baselines": {}})


def test_organs_are_counted():
    regions = {"whole_body": 0.3, "head": 0.5, "organ:liver": 0.9, "organ:brain": 0.1, "organ:none": None}
    found = summary_of(regions, dict.fromkeys(regions, 0.4), dict.fromkeys(regions, 0.4))
    assert "Its mean error is not lower in: head, 1 of 2 organs (liver)." in headline.plain_answer(found)
    found["mean"]["organ:liver"]["mae"]["mean"] = 0.2
    assert "Its mean error is not lower in: head." in headline.plain_answer(found)


def test_lesions_are_not_hidden_behind_the_mean():
    found = summary_of({"whole_body": 0.3}, {"whole_body": 1.0}, {"whole_body": 0.4})
    found["mean"]["lesions"] = {"suv_mean_bias": {"mean": -42.3, "se": 1.0, "n": 2}}
    assert "In lesions its mean SUV is 42% too low (2 case(s))." in headline.plain_answer(found)
    found["mean"]["lesions"] = {"suv_mean_bias": {"mean": 7.0, "se": 1.0, "n": 2}}
    assert "7% too high" in headline.plain_answer(found)


def test_labels_are_summarised_by_their_mean_the_lowest_and_those_that_are_missed():
    """liver 85%, spleen 33.33%, heart 25%, and the mean of the labels in each case."""
    by_case = [(0.8 + 0.6 + 0.0) / 3, (0.9 + 0.4) / 2, (0.7 + 0.0) / 2, (1.0 + 0.5) / 2]
    assert headline.plain_answer(label_summary()) == (
        f"The predicted labels have a mean Dice coefficient of {25 * sum(by_case):.2f}% over 3 label(s) and 4 case(s), "
        "the lowest in heart (25.00%). 1 of 8 labels are missed."
    )
    found = {"a": {"liver": metrics(0.5)}, "b": {"liver": metrics(None)}}
    assert "missed" not in headline.plain_answer(label_summary(found))
    assert "Nothing to compare" in headline.plain_answer(label_summary({"a": {"liver": metrics(None)}}))


def test_the_answer_reports_labels_after_the_pet():
    answer = headline.plain_answer(summary_with_labels())
    assert answer.startswith("4 cases are too few to show whether the synthetic PET or")
    assert "The predicted labels have a mean Dice coefficient" in answer
    assert "Dice" not in headline.plain_answer(synthetic_summary())


def test_the_bias_of_groups_of_lesions_is_stated_apart():
    summary = grouped_summary()
    bias = summary["mean"]["lesions"]["suv_mean_bias"]["mean"]
    deviation = f"{abs(bias):.0f}% too low (5 case(s))"
    expected = f"mean SUV is {deviation}: in lesions shown {deviation}, in lesions hidden {deviation}."
    assert expected in headline.plain_answer(summary)
    assert f"mean SUV is {deviation}." in headline.plain_answer(synthetic_summary(6))
