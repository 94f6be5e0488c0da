import copy
import json

import numpy as np
import pytest
from comparisons import line_of, values, worse
from label_maps import metrics as label_metrics
from scipy import stats
from summaries import label_summary, summary_with_labels, synthetic_summary

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.comparing import compare, compare_with_baselines
from ct2pet.evaluation.statistics import holm

NUMBER = 12


@pytest.fixture(scope="module")
def summary():
    return synthetic_summary(NUMBER)


@pytest.fixture(scope="module")
def comparison(summary):
    return compare({"ours": summary, "theirs": worse(summary, 1), "third": worse(summary, 2, mean=0.0)})


def test_the_tables_are_those_of_the_paper_and_the_organs(comparison):
    subjects = {
        table: list(dict.fromkeys(one.subject for one in comparison.of_table(table))) for table in comparison.tables
    }
    assert subjects == {
        "districts": ["head", "trunk", "arms", "legs", "whole_body", "whole_volume"],
        "lesions": ["lesions"],
        "organs": ["organ:liver", "organ:brain"],
        "diagnoses": ["lung cancer", "lymphoma", "none"],
    }
    assert (comparison.models, comparison.num_cases) == (("ours", "theirs", "third"), NUMBER)


def test_the_numbers_are_those_of_scipy(comparison, summary):
    ours, theirs = values(summary, "whole_body", "mae"), values(worse(summary, 1), "whole_body", "mae")
    line = line_of(comparison, "districts", "whole_body", "mae")
    assert line.numbers["theirs"]["mean"] == pytest.approx(theirs.mean())
    assert line.numbers["ours"]["se"] == pytest.approx(stats.sem(ours))
    difference = line.differences["theirs"]
    assert difference.test.mean == pytest.approx((theirs - ours).mean())
    assert difference.test.p_t == pytest.approx(stats.ttest_rel(theirs, ours).pvalue)
    assert difference.test.p_wilcoxon == pytest.approx(stats.wilcoxon(theirs - ours).pvalue)
    assert line.best == "ours"
    assert line.gain("theirs") == pytest.approx((theirs - ours).mean())
    assert list(line.differences) == ["theirs", "third"]


def test_the_gain_has_the_opposite_sign_for_metrics_of_which_higher_is_better(comparison, summary):
    line = line_of(comparison, "districts", "head", "psnr")
    expected = (values(summary, "head", "psnr") - values(worse(summary, 1), "head", "psnr")).mean()
    assert expected > 0
    assert line.gain("theirs") == pytest.approx(expected)
    assert line.best == "ours"
    higher = {one.metric for one in comparison.lines if one.higher_is_better}
    assert higher == {"psnr", "ssim", "psnr_volume", "ssim_volume"}


def test_p_values_are_corrected_for_one_family_of_tests(comparison):
    found = [difference for line in comparison.lines if line.tested for difference in line.differences.values()]
    assert comparison.num_tests == len(found) == 6 * 2  # five regions and the lesions, two rivals
    assert [d.p_t_holm for d in found] == holm([d.test.p_t for d in found])
    assert [d.p_wilcoxon_holm for d in found] == holm([d.test.p_wilcoxon for d in found])
    assert all(d.p == max(d.p_t_holm, d.p_wilcoxon_holm) for d in found)
    assert {(line.table, line.metric) for line in comparison.lines if line.tested} == {
        ("districts", "mae"),
        ("lesions", "mae"),
    }
    others = [difference for line in comparison.lines if not line.tested for difference in line.differences.values()]
    assert {(d.p_t_holm, d.p_wilcoxon_holm, d.p) for d in others} == {(None, None, None)}


def test_named_metrics_are_all_tested(summary):
    found = compare({"ours": summary, "theirs": worse(summary, 1)}, ["psnr", "mae"])
    assert found.num_tests == 6 * 2
    assert {line.metric for line in found.lines if line.tested} == {"psnr", "mae"}


def test_the_family_does_not_depend_on_what_else_is_shown(summary):
    pair = {"ours": summary, "theirs": worse(summary, 1)}
    one, all_ = (line_of(compare(pair, metrics), "districts", "trunk", "mae") for metrics in (["mae"], None))
    assert one.differences == all_.differences


def test_a_diagnosis_compares_only_its_own_cases(comparison, summary):
    own = [case for case, diagnosis in summary["diagnoses"].items() if diagnosis == "lymphoma"]
    line = line_of(comparison, "diagnoses", "lymphoma", "mae")
    assert 0 < len(own) < NUMBER
    assert line.numbers["ours"]["n"] == line.differences["third"].test.pairs == len(own)
    assert line.numbers["ours"]["mean"] == pytest.approx(values(summary, "whole_body", "mae", own).mean())


def test_biases_are_compared_by_their_absolute_value(summary):
    low, high = copy.deepcopy(summary), copy.deepcopy(summary)
    for number, case in enumerate(summary["cases"]):
        low["cases"][case]["head"]["suv_mean_bias"] = 10.0 if number % 2 else -10.0  # 0 on average, and never right
        high["cases"][case]["head"]["suv_mean_bias"] = 5.0 + 0.01 * number
    line = line_of(compare({"low": low, "high": high}), "districts", "head", "suv_mean_bias")
    assert line.numbers["low"]["mean"] == pytest.approx(10.0)
    assert line.best == "high"


def test_only_cases_in_which_every_model_has_a_number_count(summary):
    other = worse(summary, 3)
    other["cases"]["case_001"]["head"]["mae"] = None
    assert summary["cases"]["case_000"]["legs"]["mae"] is None
    found = compare({"a": summary, "b": other})
    head, legs = (line_of(found, "districts", name, "mae") for name in ("head", "legs"))
    assert {numbers["n"] for numbers in head.numbers.values()} == {NUMBER - 1}
    assert {numbers["n"] for numbers in legs.numbers.values()} == {NUMBER - 1}
    without = [case for case in summary["cases"] if case != "case_001"]
    assert head.numbers["a"]["mean"] == pytest.approx(values(summary, "head", "mae", without).mean())


def test_a_single_model_is_compared_with_its_baselines(summary):
    found = compare_with_baselines(summary, ["mae"])
    assert found.models == ("prediction", "zeros", "body_median", "blurred", "shifted")
    line = line_of(found, "districts", "trunk", "mae")
    zeros = np.array([regions["trunk"]["mae"] for regions in summary["baseline_cases"]["zeros"].values()])
    assert line.numbers["zeros"]["mean"] == pytest.approx(zeros.mean())
    assert line.gain("zeros") > 0 > line.gain("blurred")
    assert line.best == "blurred"


def test_only_the_best_baseline_without_the_real_pet_is_tested(summary):
    found = compare_with_baselines(summary)
    assert found.rivals == ("body_median",)
    assert found.num_tests == 6
    assert all(list(line.differences) == ["body_median"] for line in found.lines)
    better = copy.deepcopy(summary)
    better["baselines"]["zeros"]["whole_body"]["mae"] = 0.0
    assert compare_with_baselines(better).rivals == ("zeros",)


def test_one_district_without_whole_body_is_enough(summary):
    one = copy.deepcopy(summary)
    for cases in (one["cases"], *one["baseline_cases"].values()):
        for case in cases:
            cases[case] = {"trunk": cases[case]["trunk"]}
    found = compare({"a": one, "b": worse(one, 4)})
    assert found.tables == ("districts", "diagnoses")
    assert {line.subject for line in found.of_table("districts")} == {"trunk"}


@pytest.mark.parametrize("number", [1, 5])
def test_few_cases_are_no_test(number):
    few = synthetic_summary(number)
    found = compare({"a": few, "b": worse(few, 5)}, ["mae"])
    line = line_of(found, "districts", "head", "mae")
    assert line.differences["b"].p is None
    assert line.differences["b"].test.pairs == number
    assert line.differences["b"].test.ci95 is line.numbers["a"]["ci95"] is None
    assert found.num_tests == 0


def test_other_metrics_can_be_chosen_and_unknown_ones_are_named(summary):
    found = compare({"a": summary, "b": worse(summary, 6)}, ["rmse"])
    assert {line.metric for line in found.lines} == {"rmse", "rmse_volume"}
    with pytest.raises(Ct2PetError, match="no metric maee; there are: mae, rmse"):
        compare({"a": summary, "b": summary}, ["mae", "maee"])
    with pytest.raises(Ct2PetError, match="no metric real_suv_mean"):
        compare({"a": summary, "b": summary}, ["real_suv_mean"])


def test_pairs_are_checked(summary):
    other = copy.deepcopy(summary)
    del other["cases"]["case_003"]
    with pytest.raises(Ct2PetError, match="case_003"):
        compare({"a": summary, "b": other})
    trained = synthetic_summary(3, provenance={"evaluated_training_cases": ["case_001"]})
    with pytest.raises(Ct2PetError, match="evaluated cases are training cases"):
        compare_with_baselines(trained)


def test_a_comparison_is_valid_json(comparison):
    content = json.loads(json.dumps(comparison.to_json(), allow_nan=False))
    assert content["models"] == ["ours", "theirs", "third"]
    assert content["lines"][0]["differences"]["theirs"]["test"]["pairs"] == NUMBER


def labelled(seed, missed=()):
    """A summary of two labels in NUMBER cases with random Dice and distances; ``missed``: cases without a spleen."""
    rng = np.random.default_rng(seed)
    cases = {}
    for number in range(NUMBER):
        liver, spleen = (label_metrics(rng.uniform(0.5, 1), rng.uniform(1, 9)) for _ in range(2))
        gone = f"c{number:02d}" in missed
        cases[f"c{number:02d}"] = {"liver": liver, "spleen": label_metrics(0.0, fake_ml=0.0) if gone else spleen}
    return label_summary(cases)


def test_predicted_labels_are_compared_one_by_one_and_by_their_mean():
    ours, theirs = labelled(1), labelled(2)
    comparison = compare({"ours": ours, "theirs": theirs})
    assert {one.metric for one in comparison.lines} == {"dice", "iou", "hd95", "asd"}
    assert comparison.tables == ("organs", "labels")
    assert [line.metric for line in comparison.lines if line.tested] == ["dice"]
    line = line_of(comparison, "organs", "organ:liver", "dice")
    liver = [values(summary, "organ:liver", "dice") for summary in (ours, theirs)]
    assert line.numbers["theirs"]["mean"] == pytest.approx(liver[1].mean())
    assert line.differences["theirs"].test.p_t == pytest.approx(stats.ttest_rel(*liver).pvalue)
    assert line.higher_is_better
    means = [(values(one, "organ:liver", "hd95") + values(one, "organ:spleen", "hd95")) / 2 for one in (ours, theirs)]
    line = line_of(comparison, "labels", "mean_of_the_labels", "hd95")
    assert line.differences["theirs"].test.mean == pytest.approx((means[1] - means[0]).mean())
    assert line.differences["theirs"].test.p_wilcoxon == pytest.approx(stats.wilcoxon(means[1] - means[0]).pvalue)
    assert not line.higher_is_better


def test_in_the_mean_of_the_labels_those_count_that_every_model_has():
    """Otherwise a model would gain distance by missing a label that is hard to find."""
    ours, theirs = labelled(1, missed=["c03"]), labelled(2)
    line = line_of(compare({"ours": ours, "theirs": theirs}), "labels", "mean_of_the_labels", "hd95")
    assert line.numbers["ours"]["n"] == NUMBER
    expected = (values(theirs, "organ:liver", "hd95") + values(theirs, "organ:spleen", "hd95")) / 2
    expected[3] = theirs["cases"]["c03"]["organ:liver"]["hd95"]
    assert line.numbers["theirs"]["mean"] == pytest.approx(expected.mean())


def test_a_pet_and_labels_are_compared_together_and_a_pet_without_labels_as_before():
    both = compare({"a": summary_with_labels(), "b": summary_with_labels()})
    assert both.tables == ("districts", "lesions", "organs", "labels", "diagnoses")
    assert not [line for line in both.of_table("districts") if line.metric == "dice"]
    alone = compare({"a": synthetic_summary(4), "b": synthetic_summary(4)})
    assert "labels" not in alone.tables
    assert {line.metric for line in alone.lines} == {
        *("mae", "psnr", "ssim", "suv_mean_bias", "suv_max_bias"),
        *("mae_volume", "psnr_volume", "ssim_volume"),
    }


def test_labels_alone_have_no_baselines_to_be_compared_with():
    with pytest.raises(Ct2PetError, match="only labels were predicted; give a second summary"):
        compare_with_baselines(labelled(1))
    with pytest.raises(Ct2PetError, match=r"no metric mae; there are: dice, iou, hd95, asd"):
        compare({"a": labelled(1), "b": labelled(2)}, ["mae"])
