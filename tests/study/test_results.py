"""The numbers of a study's table."""

import json

import numpy as np
import pytest

from ct2pet.evaluation.statistics import holm
from ct2pet.study.results import summarize, text_table
from ct2pet.study.statistics import auc, delong_test

LABELS = np.arange(80) % 2


def result(arm, seed, strength, ratio=0.0, classifier="small_cnn"):
    """A run whose scores are the labels with noise, which all runs of a seed share; strength says how good it is."""
    noise = np.random.default_rng(seed).normal(0, 1, 80)
    probabilities = 1 / (1 + np.exp(-(strength * (LABELS - 0.5) + noise)))
    return {
        **{"arm": arm, "classifier": classifier, "ratio": ratio, "seed": seed},
        **{"images": 60, "counts": {"added": 5}, "step": 100, "probabilities": probabilities.tolist()},
    }


@pytest.fixture(scope="module")
def study():
    strengths = {
        ("real", 0.0): 0.5,
        ("oracle", 0.0): 2.0,
        ("gan", 1.0): 0.5,
        ("gan", 2.0): 1.2,
        ("random_labels", 1.0): 0.0,
    }
    runs = [result(arm, seed, s, ratio) for seed in range(3) for (arm, ratio), s in strengths.items()]
    return summarize(LABELS, runs)


def row_of(study, arm, ratio=0.0):
    (row,) = [row for row in study["arms"] if (row["arm"], row["ratio"]) == (arm, ratio)]
    return row


def test_numbers_are_means_of_the_runs(study):
    row = row_of(study, "gan", 2.0)
    areas = [
        auc(LABELS, np.array(r["probabilities"])) for r in study["runs"] if r["arm"] == "gan" and r["ratio"] == 2.0
    ]
    assert row["runs"] == 3
    assert row["auc"] == pytest.approx(np.mean(areas))
    assert np.sum(row["confusion"]) == 3 * 80
    assert row["sensitivity"] == pytest.approx(row["confusion"][1][1] / 120)
    assert row["accuracy"] == pytest.approx((row["confusion"][0][0] + row["confusion"][1][1]) / 240)
    assert row["counts"] == {"added": 15}
    assert study["test_patients"] == [40, 40]


def test_arms_are_compared_with_real_images_alone(study):
    real, oracle = row_of(study, "real"), row_of(study, "oracle")
    assert real["auc_difference"] is None
    assert oracle["auc_difference"] == pytest.approx(oracle["auc"] - real["auc"])
    assert oracle["auc_difference_ci95"][0] > 0
    assert row_of(study, "random_labels", 1.0)["auc_difference"] < 0
    scores = [[run["probabilities"] for run in study["runs"] if run["arm"] == arm] for arm in ("real", "oracle")]
    p = [delong_test(LABELS, np.array(first), np.array(second)).p for first, second in zip(*scores)]
    assert oracle["p_delong"] == pytest.approx(2 * np.median(p))


def test_p_values_are_corrected_for_all_comparisons(study):
    for test in ("p_bootstrap", "p_delong", "p_mcnemar"):
        p = [row[test] for row in study["arms"]]
        assert [row[f"{test}_holm"] for row in study["arms"]] == holm(p)
        assert p.count(None) == 1


def test_gains_are_shares_of_the_oracles(study):
    assert row_of(study, "gan", 1.0)["share_of_oracle_gain"] == pytest.approx(0)
    middle = row_of(study, "gan", 2.0)
    low, high = middle["share_of_oracle_gain_ci95"]
    assert 0 < low < middle["share_of_oracle_gain"] < high < 1
    assert row_of(study, "oracle")["share_of_oracle_gain"] is None


def test_without_an_oracle_there_is_no_share():
    study = summarize(LABELS, [result("real", 0, 1.0), result("gan", 0, 2.0, 1.0)])
    assert row_of(study, "gan", 1.0)["share_of_oracle_gain"] is None


def test_classifiers_are_compared_with_themselves():
    runs = [
        result(arm, 0, s, 0.0, name) for name, s in (("small_cnn", 0.0), ("vgg16", 3.0)) for arm in ("real", "mixup")
    ]
    study = summarize(LABELS, runs)
    assert [row["auc_difference"] for row in study["arms"] if row["arm"] == "mixup"] == [0.0, 0.0]


def test_the_text_table_has_arms_differences_and_numbers_of_patients(study):
    text = text_table(study)
    lines = text.splitlines()
    assert lines[0].split()[:4] == ["classifier", "arm", "ratio", "images"]
    row = row_of(study, "gan", 2.0)
    assert f"{row['auc']:.3f}" in text
    assert f"{row['auc_difference']:+.3f}" in text
    assert "40 + 40 real test patients, 3 run(s) each" in text


def test_delongs_test_does_not_apply_to_one_patient_of_a_class():
    labels = np.arange(80) == 7
    found = summarize(labels.astype(int), [result(arm, seed, 1.0) for arm in ("real", "gan") for seed in range(3)])
    assert row_of(found, "gan")["p_delong"] is None
    assert row_of(found, "gan")["p_delong_holm"] is None
    json.dumps(found, allow_nan=False)
