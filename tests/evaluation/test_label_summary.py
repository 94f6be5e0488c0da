import dataclasses
import json

import numpy as np
import pytest
from label_maps import LABELS, SPACING, label_pair
from label_maps import label_cases as cases_by_hand
from summaries import label_summary, summary_with_labels, synthetic_summary

from ct2pet.errors import DatasetError
from ct2pet.evaluation.label_metrics import label_metrics
from ct2pet.evaluation.label_summary import (
    Presence,
    label_cases,
    label_presence,
    standard_deviation,
    summarise_labels,
)
from ct2pet.evaluation.statistics import describe

FOLDS = {"a": 0, "b": 1, "c": 0, "d": 1}


def test_every_label_is_described_over_the_cases_that_have_it():
    summary = summarise_labels(cases_by_hand())
    assert (summary.over, summary.number) == ("cases", 4)
    assert summary.labels["liver"]["dice"] == describe([0.8, 0.9, 0.7, 1.0])
    assert summary.labels["spleen"]["dice"] == describe([0.6, 0.4, 0.0])  # missed counts 0, absent nowhere
    assert summary.labels["spleen"]["hd95"] == describe([6.0, 8.0])  # what is missed has no distance
    assert summary.labels["heart"]["dice"] == describe([0.0, 0.5])


def test_the_mean_is_that_of_the_labels_of_each_case():
    summary = summarise_labels(cases_by_hand())
    assert summary.mean["dice"] == describe([np.mean([0.8, 0.6, 0.0]), np.mean([0.9, 0.4]), np.mean([0.7, 0.0]), 0.75])
    assert summary.mean["hd95"] == describe([4.5, 6.5, 7.0, 4.5])


def test_over_folds_the_means_of_folds_are_described():
    summary = summarise_labels(cases_by_hand(), FOLDS)
    assert (summary.over, summary.number) == ("folds", 2)
    assert summary.labels["liver"]["dice"]["mean"] == pytest.approx(0.85)
    assert standard_deviation(summary.labels["liver"]["dice"]) == pytest.approx(np.std([0.75, 0.95], ddof=1))
    assert summary.labels["spleen"]["dice"] == describe([np.mean([0.6, 0.0]), 0.4])
    assert summary.labels["spleen"]["hd95"] == describe([6.0, 8.0])
    means = [np.mean([0.75, 0.3, 0.0]), np.mean([0.95, 0.4, 0.5])]
    assert summary.mean["dice"]["mean"] == pytest.approx(np.mean(means))
    assert standard_deviation(summary.mean["dice"]) == pytest.approx(np.std(means, ddof=1))


def test_with_all_labels_in_all_cases_the_mean_is_the_mean_of_the_column():
    rng = np.random.default_rng(0)
    cases = {f"{n}": {label: {"dice": float(rng.random())} for label in "xyz"} for n in range(6)}
    for folds in (None, {case: int(case) % 3 for case in cases}):
        summary = summarise_labels(cases, folds)
        column = [found["dice"]["mean"] for found in summary.labels.values()]
        assert summary.mean["dice"]["mean"] == pytest.approx(np.mean(column))


def test_a_case_without_a_fold_is_named():
    with pytest.raises(DatasetError, match=r"no fold of b, d"):
        summarise_labels(cases_by_hand(), {"a": 0, "c": 1})


def test_missed_and_invented_labels_are_counted():
    expected = {"liver": Presence(4, 0, 0), "spleen": Presence(3, 1, 0), "heart": Presence(1, 0, 1)}
    assert label_presence(cases_by_hand()) == expected
    assert summarise_labels(cases_by_hand(), FOLDS).presence == expected


def test_presence_is_that_of_the_maps():
    predicted, reference = label_pair()
    predicted[predicted == 7] = 0
    reference[reference == 2] = 0
    found = label_presence({"a": label_metrics(predicted, reference, {**LABELS, "heart": 4}, SPACING)})
    assert found == {
        **{"liver": Presence(1, 0, 0), "spleen": Presence(0, 0, 1), "aorta": Presence(1, 1, 0)},
        "heart": Presence(0, 0, 0),
    }


def test_cases_may_have_different_labels_and_metrics():
    cases = {"a": {"liver": {"dice": 0.5}}, "b": {"spleen": {"dice": 0.7, "suv_mean_bias": -3.0}}}
    summary = summarise_labels(cases)
    assert summary.labels == {
        "liver": {"dice": describe([0.5])},
        "spleen": {"dice": describe([0.7]), "suv_mean_bias": describe([-3.0])},
    }
    assert summary.mean == {"dice": describe([0.5, 0.7]), "suv_mean_bias": describe([-3.0])}


def test_a_summary_is_json():
    content = dataclasses.asdict(summarise_labels(cases_by_hand()))
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_no_cases_have_no_labels():
    summary = summarise_labels({})
    assert (summary.number, summary.labels, summary.mean) == (0, {}, {})


def test_one_value_has_no_deviation():
    assert standard_deviation(describe([0.4])) is None
    assert standard_deviation(describe([1.0, 3.0])) == pytest.approx(np.sqrt(2))


def test_the_labels_of_a_summary_are_those_that_were_measured():
    assert label_cases(label_summary()["cases"]) == cases_by_hand()
    with_pet = label_cases(summary_with_labels()["cases"])
    assert [*with_pet.values()] == [*cases_by_hand().values()]
    without = synthetic_summary(2)["cases"]
    assert label_cases(without) == {case: {} for case in without}


def test_the_bias_of_a_label_is_that_of_the_predicted_one():
    """The bias of the region is counted in the true organ."""
    region = {"dice": 0.5, "mae": 0.1, "suv_mean_bias": 3.0, "predicted_organ_suv_mean_bias": -8.0}
    found = label_cases({"a": {"organ:liver": region, "vertebrae:L1": {"dice": 0.25}, "organ:brain": {"mae": 1.0}}})
    assert found == {"a": {"liver": {"dice": 0.5, "suv_mean_bias": -8.0}, "vertebrae:L1": {"dice": 0.25}}}
