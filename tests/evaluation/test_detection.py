import pytest

from ct2pet.evaluation.detection import THRESHOLDS_SUV, detection
from ct2pet.evaluation.names import METHODS, REAL
from ct2pet.evaluation.results import CaseResult, HotSpots

AT = {threshold: index for index, threshold in enumerate(THRESHOLDS_SUV)}


def lesion(volume_ml, real, fake):
    return {"volume_ml": volume_ml, "real_suv_max": real, "fake_suv_max": fake}


def result(lesions, positives=3, false=1):
    spots = {method: HotSpots([positives] * len(THRESHOLDS_SUV), [false] * len(THRESHOLDS_SUV)) for method in METHODS}
    spots[REAL] = HotSpots([positives] * len(THRESHOLDS_SUV), [0] * len(THRESHOLDS_SUV))
    return CaseResult({}, {method: lesions for method in METHODS}, spots)


def test_curves_by_hand():
    cases = {
        "a": result([lesion(0.5, 3.0, 2.6), lesion(30.0, 12.0, 4.0)], positives=4, false=2),
        "b": result([lesion(6.0, 20.0, 9.0)], positives=2, false=0),
        "negative": result([], positives=3, false=4),
        "unmarked": CaseResult({}),
    }
    found = detection(cases)
    assert (found["scans"], found["negative_scans"], found["lesions"]) == (3, 1, 3)
    assert set(found["curves"]) == {REAL, *METHODS}
    curve = found["curves"]["prediction"]
    at = [curve["sensitivity"][AT[suv]] for suv in (2.5, 3.0, 4.0, 5.0, 8.0, 10.0)]
    assert at == pytest.approx([1, 2 / 3, 2 / 3, 1 / 3, 1 / 3, 0])
    assert curve["false_positives"][0] == 3.0
    assert curve["false_hot_spots"][0] == 2.0
    assert curve["false_hot_spots_negative"][0] == 4.0
    small, *_, large = curve["by_volume"]
    assert (small["low"], small["high"], small["lesions"]) == (0.0, 1.0, 1)
    assert (large["low"], large["high"], large["lesions"]) == (20.0, None, 1)
    assert [small["sensitivity"][AT[suv]] for suv in (2.5, 4.0)] == [1.0, 0.0]
    assert detection({"a": result([lesion(5.0, 4.0, 4.0)])})["curves"]["prediction"]["by_volume"][1]["lesions"] == 0
    hot = curve["by_uptake"][-1]
    assert (hot["low"], hot["lesions"], hot["sensitivity"][AT[8.0]]) == (16.0, 1, 1.0)
    assert found["curves"][REAL]["sensitivity"][AT[8.0]] == pytest.approx(2 / 3)


def test_without_masks_there_is_no_curve():
    assert detection({"a": CaseResult({})})["curves"] == {}
    curve = detection({"a": result([])})["curves"]["prediction"]
    assert set(curve["sensitivity"]) == {None}
    assert detection({"a": result([lesion(1.0, 5.0, 5.0)])})["curves"]["zeros"]["false_hot_spots_negative"][0] is None


def test_groups_have_a_sensitivity_of_their_own():
    shown = [{**lesion(5.0, real, fake), "group": "shown"} for real, fake in ((6.0, 5.0), (8.0, 3.0))]
    hidden = {**lesion(5.0, 9.0, 1.0), "group": "hidden"}
    curves = detection({"a": result([*shown, hidden]), "b": result([{**hidden, "group": None}])})["curves"]
    groups = curves["prediction"]["by_group"]
    assert {name: group["lesions"] for name, group in groups.items()} == {"hidden": 1, "shown": 2}
    assert groups["shown"]["sensitivity"][AT[4.0]] == 0.5
    assert groups["hidden"]["sensitivity"][AT[4.0]] == 0.0
    assert curves[REAL]["by_group"]["hidden"]["sensitivity"][AT[8.0]] == 1.0
    assert detection({"a": result([lesion(5.0, 6.0, 5.0)])})["curves"]["prediction"]["by_group"] == {}
