import copy

import numpy as np
import pytest
from scipy import stats
from summaries import label_summary, synthetic_summary

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.comparing.ranking import rank, ranking_text
from ct2pet.evaluation.statistics import holm

NUMBER = 12


def shifted(summary, mean, scatter, seed):
    """The same references; errors inside the body that are larger by ``mean``."""
    random, found = np.random.default_rng(seed), copy.deepcopy(summary)
    for regions in found["cases"].values():
        regions["whole_body"]["mae"] += random.normal(mean, scatter)
    return found


@pytest.fixture(scope="module")
def summaries():
    best = synthetic_summary(NUMBER)
    return {
        "much worse": shifted(best, 0.5, 0.01, 1),
        "best": best,
        "close": shifted(best, 0.001, 0.2, 2),
    }


def errors(summary):
    return np.array([regions["whole_body"]["mae"] for regions in summary["cases"].values()])


def test_the_lowest_error_is_first_and_the_others_follow(summaries):
    ranked = rank(summaries)
    means = {name: errors(summary).mean() for name, summary in summaries.items()}
    assert [one.name for one in ranked] == sorted(means, key=means.get)
    for one in ranked:
        assert one.numbers["mean"] == pytest.approx(means[one.name])
        assert one.numbers["n"] == NUMBER


def test_the_tests_are_those_of_scipy_corrected_for_the_number_of_others(summaries):
    first, *others = rank(summaries)
    assert (first.test, first.p_t, first.p_wilcoxon) == (None, None, None)
    differences = [errors(summaries[one.name]) - errors(summaries[first.name]) for one in others]
    expected_t = holm([stats.ttest_1samp(values, 0).pvalue for values in differences])
    expected_w = holm([stats.wilcoxon(values).pvalue for values in differences])
    assert [one.p_t for one in others] == pytest.approx(expected_t)
    assert [one.p_wilcoxon for one in others] == pytest.approx(expected_w)
    for one, values in zip(others, differences):
        assert one.test.mean == pytest.approx(values.mean())


def test_the_text_names_the_best_and_those_that_are_not_shown_to_be_worse(summaries):
    ranked = rank(summaries)
    text = ranking_text(ranked)
    assert f"Best: {ranked[0].name}, {ranked[0].numbers['mean']:.4f} SUV over {NUMBER} cases." in text
    (line,) = [line for line in text.splitlines() if line.startswith("Not shown to be worse")]
    assert "much worse" not in line
    assert ranked[1].name in line
    assert text.count("\n") >= 5


def test_a_single_model_is_ranked_without_a_rival():
    (only,) = rank({"only": synthetic_summary(3)})
    text = ranking_text([only])
    assert only.test is None
    assert "Best: only" in text
    assert "Not shown" not in text


def test_models_of_other_cases_or_without_a_pet_cannot_be_ranked(summaries):
    with pytest.raises(Ct2PetError, match="lacks 2 of the cases"):
        rank({"all": summaries["best"], "fewer": synthetic_summary(NUMBER - 2)})
    with pytest.raises(Ct2PetError, match="labels: no MAE of the whole body"):
        rank({"labels": label_summary()})
