import copy

import pytest
from label_maps import metrics
from summaries import label_summary, summary_with_labels, synthetic_summary

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.comparing.pairing import check_pairs, check_training_cases, common_cases, listed

SETTINGS = {"data_range_suv": 20.0, "body_median": {"suv": 0.4}}


@pytest.fixture
def pair():
    provenance = {"settings": SETTINGS, "districts": {"head": 1}, "evaluated_training_cases": []}
    first = synthetic_summary(4, provenance=provenance)
    return {"a": first, "b": copy.deepcopy(first)}


def test_summaries_that_differ_only_in_their_predictions_are_compared(pair):
    for regions in pair["b"]["cases"].values():
        regions["whole_body"]["mae"] += 1
    pair["b"]["provenance"]["settings"]["body_median"]["suv"] = 0.5  # of other training cases
    pair["b"]["baseline_cases"]["body_median"]["case_000"]["head"]["mae"] = 9.0
    pair["b"]["baseline_cases"]["zeros"]["case_000"]["head"]["mae"] *= 1 + 1e-9
    check_pairs(pair)


def drop_case(summary):
    for part in (summary["cases"], summary["diagnoses"], *summary["baseline_cases"].values()):
        del part["case_002"]


@pytest.mark.parametrize("shorter", ["a", "b"])
def test_a_case_without_partner_is_named(pair, shorter):
    drop_case(pair[shorter])
    with pytest.raises(Ct2PetError, match=rf"^{shorter}: lacks 1 of the cases of . \(case_002\)"):
        check_pairs(pair)


def test_the_common_cases_are_offered_and_can_be_compared(pair):
    drop_case(pair["b"])
    with pytest.raises(Ct2PetError, match=r"or compare the 3 common case\(s\) with --common_cases"):
        check_pairs(pair)
    summaries, left_out = common_cases(pair)
    check_pairs(summaries)
    assert left_out == {"case_002": ["b"]}
    for summary in summaries.values():
        parts = (summary["cases"], summary["diagnoses"], *summary["baseline_cases"].values())
        assert {tuple(part) for part in parts} == {("case_000", "case_001", "case_003")}
    assert "case_002" in pair["a"]["cases"]  # the summary that was given stays as it is


def test_training_cases_that_are_left_out_are_no_reason_to_refuse(pair):
    drop_case(pair["b"])
    provenance = pair["a"]["provenance"]
    provenance["evaluated_training_cases"] = ["case_002"]
    check_pairs(common_cases(pair)[0])
    assert provenance["evaluated_training_cases"] == ["case_002"]
    provenance["evaluated_training_cases"] = ["case_001", "case_002"]
    with pytest.raises(Ct2PetError, match=r"^a: 1 of 3 evaluated cases are training cases \(case_001\)"):
        check_pairs(common_cases(pair)[0])
    provenance["evaluated_training_cases"] = None
    assert common_cases(pair)[0]["a"]["provenance"]["evaluated_training_cases"] is None


def test_without_a_common_case_nothing_is_compared(pair):
    for part in (pair["b"]["cases"], pair["b"]["diagnoses"], *pair["b"]["baseline_cases"].values()):
        for case in list(part):
            part[f"other_{case}"] = part.pop(case)
    with pytest.raises(Ct2PetError, match="a, b: have no case in common"):
        common_cases(pair)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda s: s["provenance"]["settings"].update(data_range_suv=10.0),
            r"other settings \(data_range_suv: 20.0 and 10",
        ),
        (lambda s: s["provenance"]["settings"].update(new=1), r"other settings \(new: None and 1\)"),
        (lambda s: s["provenance"]["districts"].update(head=2), r"other districts \(head: 1 and 2\)"),
        (lambda s: s["diagnoses"].update(case_001="else"), r"other diagnoses \(case_001: lymphoma and else\)"),
        (
            lambda s: s["baseline_cases"]["shifted"]["case_003"]["trunk"].update(mae=7.5),
            r"different references: in case_003, trunk, the mae of the baseline shifted is .* and 7\.5",
        ),
        (lambda s: s["baseline_cases"]["zeros"]["case_003"]["lesions"].update(mae=1.0), "case_003, lesions"),
        (lambda s: s["baseline_cases"]["zeros"]["case_001"].pop("lesions"), "case_001, lesions"),
    ],
)
def test_summaries_with_different_settings_are_refused(pair, change, told):
    change(pair["b"])
    with pytest.raises(Ct2PetError, match=told) as caught:
        check_pairs(pair)
    assert "a and b" in str(caught.value)


def test_labels_of_other_true_maps_are_refused():
    """Their volumes differ."""
    one, two = ({"a": {"liver": metrics(0.5, real_ml=ml)}} for ml in (10.0, 11.0))
    check_pairs({"a": label_summary(one), "b": label_summary({"a": {"liver": metrics(0.9, fake_ml=3.0)}})})
    expected = r"different references: in a, organ:liver, the real_volume_ml is 10.0 and 11.0; .* PETs and maps"
    with pytest.raises(Ct2PetError, match=expected):
        check_pairs({"a": label_summary(one), "b": label_summary(two)})


def test_a_model_that_gives_no_labels_may_be_compared_with_one_that_does():
    check_pairs({"a": summary_with_labels(), "b": synthetic_summary(4)})


def test_every_model_is_checked_against_the_first(pair):
    pair["c"] = copy.deepcopy(pair["a"])
    pair["c"]["provenance"]["districts"]["head"] = 5
    with pytest.raises(Ct2PetError, match="a and c"):
        check_pairs(pair)


def test_cases_that_were_trained_with_are_refused(pair):
    pair["b"]["provenance"]["evaluated_training_cases"] = ["case_001", "case_003"]
    with pytest.raises(Ct2PetError, match=r"^b: 2 of 4 evaluated cases are training cases \(case_001, case_003\)"):
        check_pairs(pair)
    with pytest.raises(Ct2PetError, match="evaluated cases are training cases"):
        check_training_cases("b", pair["b"])


def test_unknown_training_cases_are_not_refused(pair):
    pair["a"]["provenance"]["evaluated_training_cases"] = None
    del pair["b"]["provenance"]["evaluated_training_cases"]
    check_pairs(pair)


def test_long_lists_are_cut():
    assert listed(["a", "b"]) == "a, b"
    assert listed(list("abcdefg")) == "a, b, c, d, e, ..."
