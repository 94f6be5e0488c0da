import numpy as np
import pytest

from ct2pet.evaluation import lesions


def test_lesions_that_share_a_corner_are_one():
    mask = np.zeros((6, 6, 6), bool)
    mask[1, 1, 1] = mask[2, 2, 2] = True
    mask[4:, 4:, 4:] = True
    numbered = lesions.components(mask)
    assert numbered.max() == 2
    assert numbered[1, 1, 1] == numbered[2, 2, 2] != numbered[5, 5, 5]
    assert not lesions.components(np.zeros((2, 2, 2), bool)).any()


def test_metabolic_volumes_by_hand():
    suv = np.array([10.0, 4.1, 4.0, 3.9, 5.0, 0.0], np.float32)  # 41% of 10 is 4.1
    found = lesions.metabolic(suv, 0.5)
    assert found["mtv41"] == 1.5
    assert found["tlg41"] == pytest.approx(0.5 * 19.1)
    assert found["mtv4"] == 2.0
    assert found["tlg4"] == pytest.approx(0.5 * 23.1)
    cold = lesions.metabolic(np.array([2.0, 0.5], np.float32), 1.0)
    assert (cold["mtv41"], cold["mtv4"], cold["tlg4"]) == (1.0, 0.0, 0.0)


def test_a_region_without_uptake_has_no_metabolic_volume():
    assert set(lesions.metabolic(np.zeros(5, np.float32), 1.0).values()) == {0.0}
    assert set(lesions.metabolic(np.zeros(0, np.float32), 1.0).values()) == {0.0}


def test_totals_of_lesions_are_sums_and_none_without_lesions():
    one, two = lesions.metabolic(np.array([6.0]), 1.0), lesions.metabolic(np.array([5.0, 4.0]), 1.0)
    assert lesions.total([one, two]) == {"mtv41": 3.0, "mtv4": 3.0, "tlg41": 15.0, "tlg4": 15.0}
    assert set(lesions.total([]).values()) == {None}
