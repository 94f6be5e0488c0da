import numpy as np
import pytest

from ct2pet.dataset.contents import check_case
from ct2pet.dataset.plausibility import ct_problems, label_problems, pet_problems


def hu(low=-1000):
    ct = np.full((6, 10, 10), low, np.int16)
    ct[:, 3:7, 3:7] = 40
    ct[0, 3, 3] = 1200
    return ct


@pytest.mark.parametrize("low", [-1000, -1024, -3024, -100])
def test_a_ct_in_hu_is_accepted(low):
    assert ct_problems(hu(low)) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda ct: ct + 1024,
        lambda ct: ct - 1024,
        lambda ct: ct / 1000,
        lambda ct: np.clip((ct + 160) / 400, 0, 1) * 255,
        lambda ct: (ct - ct.mean()) / ct.std(),
        lambda ct: ct * 0,
    ],
    ids=["offset", "offset twice", "divided", "window of 8 bits", "z-score", "empty"],
)
def test_a_ct_that_is_not_in_hu_is_found(change):
    assert "HU" in ct_problems(change(hu().astype(np.float32)))[0]


def suv():
    pet = np.zeros((10, 20, 20), np.float32)
    pet[:, 5:15, 5:15] = 1.5
    pet[4, 7, 7] = 400.0  # a hot voxel of the bladder alone does not make it Bq/ml
    return pet


def test_a_pet_in_suv_is_accepted():
    assert pet_problems(suv()) == []
    assert pet_problems(suv() - 0.2) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda pet: pet * 4000, "Bq/ml"),
        (lambda pet: pet - 3, "negative"),
        (lambda pet: pet * 0, "no PET"),
        (lambda pet: pet * 2e-4, "its largest value is 0.08"),
    ],
)
def test_a_pet_that_is_not_in_suv_is_found(change, reason):
    problems = pet_problems(change(suv()))
    assert len(problems) == 1
    assert reason in problems[0]


def test_labels():
    labels = np.array([[[0, 1, 2]]])
    assert label_problems(labels, {1, 2}) == []
    assert label_problems(labels.astype(np.float32), None) == []
    assert "label(s) 2 are" in label_problems(labels, {1})[0]
    assert "not labels" in label_problems(labels - 1, None)[0]
    assert "not labels" in label_problems(labels * 0.5, None)[0]
    assert label_problems(labels * 0, {1}) == []
    assert "no voxel" in label_problems(labels * 0, {1}, needs_one=True)[0]


def test_equal_values_have_equal_digests_whatever_their_type(make_dataset):
    dataset = make_dataset()
    digests = [check_case(dataset, case, "Tr").digests for case in dataset.cases()]
    assert len({digest["CT"] for digest in digests}) == 3
    assert len({digest["PET"] for digest in digests}) == 3
    assert check_case(dataset, "a", "Tr").digests == digests[0]
    assert check_case(dataset, "a", "Tr").problems == []
