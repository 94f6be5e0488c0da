"""Comparisons of models with several runs, and with lesions in groups."""

import numpy as np
import pytest
from comparisons import line_of, values, worse
from scipy import stats
from summaries import grouped_summary, synthetic_summary

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.comparing import compare, compare_with_baselines


@pytest.fixture
def summary():
    return synthetic_summary(12)


def test_several_runs_of_a_model_are_one_with_the_error_between_them(summary):
    runs = {"ours/seed_1": summary, "ours/seed_2": worse(summary, 5), "theirs": worse(summary, 6)}
    for number, regions in enumerate(runs["ours/seed_2"]["cases"].values()):
        regions["head"]["suv_mean_bias"] = 30.0 - number
    found = compare(runs, runs={"ours": ["ours/seed_1", "ours/seed_2"], "theirs": ["theirs"]})
    assert (found.models, found.runs) == (("ours", "theirs"), {"ours": ["ours/seed_1", "ours/seed_2"]})
    first, second, theirs = (values(one, "whole_body", "mae") for one in runs.values())
    line = line_of(found, "districts", "whole_body", "mae")
    ours = line.numbers["ours"]
    assert (ours["runs"], ours["se_runs"]) == (2, pytest.approx(stats.sem([first.mean(), second.mean()])))
    assert (ours["mean"], ours["se"]) == pytest.approx(((first + second).mean() / 2, stats.sem((first + second) / 2)))
    assert "runs" not in line.numbers["theirs"]
    test = line.differences["theirs"].test
    assert test.p_t == pytest.approx(stats.ttest_rel(theirs, (first + second) / 2).pvalue)
    sizes = [np.abs(values(runs[f"ours/seed_{seed}"], "head", "suv_mean_bias")) for seed in (1, 2)]
    bias = line_of(found, "districts", "head", "suv_mean_bias").numbers["ours"]
    assert bias["mean"] == pytest.approx(np.mean(sizes)), "errors of opposite signs do not cancel between runs"


def test_runs_of_one_model_are_compared_with_the_baselines_together(summary):
    second = worse(summary, 7)
    found = compare_with_baselines(summary, more_runs={"seed_2": second})
    line = line_of(found, "districts", "whole_body", "mae")
    both = (values(summary, "whole_body", "mae") + values(second, "whole_body", "mae")) / 2
    assert line.numbers["prediction"]["mean"] == pytest.approx(both.mean())
    del second["cases"]["case_000"]
    with pytest.raises(Ct2PetError, match="seed_2: lacks 1 of the cases"):
        compare_with_baselines(summary, more_runs={"seed_2": second})


def test_groups_of_lesions_are_described_and_not_tested():
    summary = grouped_summary(12)
    found = compare({"ours": summary, "theirs": worse(summary, 1)})
    assert list(dict.fromkeys(line.subject for line in found.of_table("lesions"))) == [
        *("lesions", "lesions_shown", "lesions_hidden")
    ]
    assert {line.subject for line in found.of_table("lesions") if line.tested} == {"lesions"}
    assert not {line.subject for line in found.of_table("districts")} & {"lesions_shown", "lesions_hidden"}
    assert found.num_tests == compare({"a": synthetic_summary(12), "b": worse(synthetic_summary(12), 1)}).num_tests
