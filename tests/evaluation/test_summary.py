import pytest
from label_maps import label_cases
from summaries import label_summary, synthetic_results, synthetic_summary

from ct2pet.evaluation.baselines import NAMES
from ct2pet.evaluation.names import METHODS
from ct2pet.evaluation.results import CaseResult
from ct2pet.evaluation.summary import summarise
from ct2pet.evaluation.summary_file import KEYS


def results(**mae_of_case):
    def regions(mae):
        real = {"real_suv_mean": 2.0, "fake_suv_mean": mae and 2.0 + mae}
        return {"whole_body": {"mae": mae, **real, "mae_volume": mae and mae / 4}, "head": {"mae": None}}

    return {
        case: CaseResult({"prediction": regions(mae), **{name: regions(1.0 + i) for i, name in enumerate(NAMES)}})
        for case, mae in mae_of_case.items()
    }


def test_numbers_by_hand():
    found = summarise(results(b=0.4, a=0.2), {"ct2pet_version": "1"}, {"a": "lymphoma", "b": "", "other": "none"})
    assert tuple(found) == KEYS
    assert list(found["cases"]) == ["a", "b"]
    assert found["cases"]["a"]["whole_body"]["mae"] == 0.2
    mean = found["mean"]["whole_body"]["mae"]
    assert (mean["mean"], mean["se"], mean["n"]) == (pytest.approx(0.3), pytest.approx(0.1), 2)
    assert found["mean"]["head"]["mae"]["n"] == 0
    assert found["baselines"]["body_median"]["whole_body"]["mae"] == 2.0
    assert found["baselines"]["zeros"]["head"]["mae"] is None
    assert found["baseline_cases"]["shifted"]["b"]["whole_body"]["mae"] == 4.0
    assert list(found["groups"]) == ["lymphoma"]
    assert found["groups"]["lymphoma"]["whole_body"]["mae"]["mean"] == 0.2
    assert found["lesions"] == {}
    assert found["detection"]["curves"] == {}
    agreement = found["agreement"]["prediction"]["whole_body"]["suv_mean"]
    assert (agreement["n"], agreement["bias"]) == (2, pytest.approx(0.3))
    assert found["provenance"] == {"ct2pet_version": "1"}


def test_single_lesions_agree_by_method():
    found, cases = synthetic_summary(), synthetic_results()
    lesions = [lesion for case in cases.values() for lesion in case.lesions["blurred"]]
    assert set(found["agreement"]) == set(METHODS)
    each = found["agreement"]["blurred"]["each_lesion"]["mtv41"]
    assert each["n"] == len(lesions) == found["detection"]["lesions"]
    bias = sum(lesion["fake_mtv41"] - lesion["real_mtv41"] for lesion in lesions) / len(lesions)
    assert each["bias"] == pytest.approx(bias)
    assert found["lesions"]["case_005"] == []
    assert found["lesions"]["case_000"] == cases["case_000"].lesions["prediction"]


def test_groups_are_the_cases_of_one_diagnosis():
    found = synthetic_summary(9)
    assert list(found["groups"]) == ["lung cancer", "lymphoma", "none"]
    for diagnosis, regions in found["groups"].items():
        cases = [case for case, named in found["diagnoses"].items() if named == diagnosis]
        values = [found["cases"][case]["whole_body"]["ssim"] for case in cases]
        assert regions["whole_body"]["ssim"]["mean"] == pytest.approx(sum(values) / 3)


def test_labels_alone_have_means_and_no_baselines():
    found = label_summary()
    values = [labels["liver"]["dice"] for labels in label_cases().values()]
    mean = found["mean"]["organ:liver"]["dice"]
    assert (mean["mean"], mean["n"]) == (pytest.approx(sum(values) / 4), 4)
    assert found["mean"]["organ:spleen"]["hd95"]["n"] == 2  # missed in one case, absent in another
    assert found["baselines"] == found["baseline_cases"] == {name: {} for name in NAMES}
    assert found["detection"]["curves"] == {}
