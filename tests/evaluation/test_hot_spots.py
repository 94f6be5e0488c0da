import numpy as np

from ct2pet.evaluation.detection import THRESHOLDS_SUV
from ct2pet.evaluation.hot_spots import hot_spots

AT = {threshold: index for index, threshold in enumerate(THRESHOLDS_SUV)}


def scene():
    """A lesion of 9 SUV, an organ of 6 in both PETs, and one thing of 4.5 that only the fake shows."""
    real = np.ones((20, 10, 10), np.float32)
    lesion = np.zeros(real.shape, bool)
    lesion[2:4, 4:6, 4:6] = True
    real[lesion] = 9
    real[8:11, 3:6, 3:6] = 6
    fake = real.copy()
    fake[15:17, 5, 5] = 4.5
    return fake, real, np.ones(real.shape, bool), lesion, 1.0


def test_hot_spots_only_in_the_synthetic_pet_are_false():
    found = hot_spots(*scene())
    assert [found.false_positives[AT[suv]] for suv in (2.5, 4.0, 5.0, 8.0)] == [2, 2, 1, 0]
    assert [found.false_hot_spots[AT[suv]] for suv in (2.5, 4.0, 5.0, 8.0)] == [1, 1, 0, 0]
    _, real, body, lesion, ml = scene()
    found = hot_spots(real, real, body, lesion, ml)
    assert found.false_positives[AT[2.5]] == 1
    assert not any(found.false_hot_spots)


def test_only_the_body_counts():
    fake, real, body, lesion, ml = scene()
    body[14:] = False
    assert not any(hot_spots(fake, real, body, lesion, ml).false_hot_spots)


def test_a_spot_that_falls_apart_at_a_higher_threshold_counts_twice_there():
    fake, real, body, lesion, ml = scene()
    fake[15:20, 1, 1] = [5, 5, 3, 5, 5]
    found = hot_spots(fake, real, body, lesion, ml)
    assert [found.false_hot_spots[AT[suv]] for suv in (2.5, 3.0, 4.0, 5.0, 6.0)] == [2, 2, 3, 2, 0]


def test_a_spot_through_a_lesion_is_no_false_positive():
    fake, real, body, lesion, ml = scene()
    fake[3:11, 5, 5] = 7  # joins lesion and organ
    assert hot_spots(fake, real, body, lesion, ml).false_positives[AT[5.0]] == 0


def test_a_lesion_that_the_real_pet_does_not_show_is_no_false_hot_spot():
    fake, real, body, lesion, ml = scene()
    real[lesion] = 1
    assert hot_spots(fake, real, body, lesion, ml).false_hot_spots[AT[4.0]] == 1


def test_a_spot_in_the_box_of_another_counts_once():
    fake, real, body, lesion, ml = scene()
    fake[12:18, 1, 1] = fake[12, 1:9, 1] = fake[12:18, 8, 1] = 4
    fake[15:17, 5, 5] = 1
    fake[15, 4:6, 1] = 5
    found = hot_spots(fake, real, body, lesion, ml)
    assert [found.false_hot_spots[AT[suv]] for suv in (2.5, 4.0, 5.0)] == [2, 2, 1]


def test_a_cold_pet_has_none():
    fake, real, body, lesion, ml = scene()
    assert not any(hot_spots(np.zeros_like(fake), real, body, lesion, ml).false_positives)


def test_specks_of_less_than_a_millilitre_do_not_count():
    fake, real, body, lesion, _ = scene()
    fake[15:17, 1:5, 1] = 7.0  # eight voxels beside the two of 4.5
    at_4 = AT[4.0]
    assert hot_spots(fake, real, body, lesion, 0.5).false_hot_spots[at_4] == 2
    assert hot_spots(fake, real, body, lesion, 0.125).false_hot_spots[at_4] == 1
    assert hot_spots(fake, real, body, lesion, 0.12).false_hot_spots[at_4] == 0


def test_noise_of_single_voxels_is_not_counted():
    """Voxels of 0.05 ml, as in PET: noise makes many specks, and the organ of 27 voxels still counts."""
    _, real, body, lesion, _ = scene()
    noisy = real.copy()
    noisy[::2, ::2, ::2][np.random.default_rng(0).random((10, 5, 5)) < 0.3] = 3.0
    at_3 = AT[3.0]
    assert hot_spots(noisy, real, body, lesion, 1.0).false_hot_spots[at_3] > 20
    found = hot_spots(noisy, real, body, lesion, 0.05)
    assert (found.false_positives[at_3], found.false_hot_spots[at_3]) == (1, 0)
