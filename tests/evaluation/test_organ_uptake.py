import numpy as np
import pytest
from label_maps import LABELS, SHAPE, label_pair

from ct2pet.errors import DatasetError, GeometryError, ImageError
from ct2pet.evaluation.organ_uptake import PetWithLabels, organ_uptake


def row(suv, labels):
    """A PET and a map of one row of voxels."""
    return PetWithLabels(np.array(suv, np.float32).reshape(1, 1, -1), np.array(labels, np.uint8).reshape(1, 1, -1))


REAL = row([1, 2, 4, 6, 0, 5], [0, 1, 1, 1, 0, 2])


def test_each_pet_is_measured_in_its_own_organ():
    fake = row([1, 3, 5, 7, 9, 4], [0, 0, 1, 1, 1, 2])
    found = organ_uptake(fake, REAL, {"liver": 1, "spleen": 2})
    assert found["liver"] == {
        **{"real_suv_mean": 4.0, "fake_suv_mean": 7.0, "suv_mean_bias": 75.0},
        **{"real_suv_max": 6.0, "fake_suv_max": 9.0, "suv_max_bias": 50.0},
    }
    assert found["spleen"]["suv_mean_bias"] == found["spleen"]["suv_max_bias"] == -20.0


def test_a_perfect_image_with_wrong_labels_is_biased():
    """The error of the labels alone, which the same organ in both PETs would hide."""
    fake = row(REAL.suv, [0, 1, 1, 0, 0, 2])
    found = organ_uptake(fake, REAL, {"liver": 1})["liver"]
    assert found["suv_mean_bias"] == pytest.approx(-25.0)
    assert found["suv_max_bias"] == pytest.approx(100 * (4 - 6) / 6)


@pytest.mark.parametrize("lacking", ["fake", "real"])
def test_a_label_that_one_map_lacks_has_no_bias(lacking):
    without = row(REAL.suv, [0, 0, 0, 0, 0, 2])
    pair = (without, REAL) if lacking == "fake" else (REAL, without)
    found = organ_uptake(*pair, {"liver": 1})["liver"]
    other = "real" if lacking == "fake" else "fake"
    assert found[f"{lacking}_suv_mean"] is found[f"{lacking}_suv_max"] is None
    assert found["suv_mean_bias"] is found["suv_max_bias"] is None
    assert (found[f"{other}_suv_mean"], found[f"{other}_suv_max"]) == (4.0, 6.0)


def test_a_label_in_neither_map_has_no_values():
    found = organ_uptake(REAL, REAL, {"heart": 9})["heart"]
    assert set(found.values()) == {None}
    assert len(found) == 6


def test_an_organ_without_uptake_has_no_bias():
    found = organ_uptake(REAL, row([0, 0, 0, 0, 0, 5], [0, 1, 1, 1, 0, 2]), {"liver": 1})["liver"]
    assert found["real_suv_mean"] == 0.0
    assert found["suv_mean_bias"] is None


def test_voxels_of_every_label_are_found_wherever_they_lie():
    """Against numpy's boolean indices; maps on different grids, unnamed values beside the named ones."""
    rng = np.random.default_rng(0)
    predicted, reference = label_pair()
    real = PetWithLabels(rng.gamma(2.0, 1.0, SHAPE).astype(np.float32), reference)
    fake = PetWithLabels(rng.gamma(2.0, 1.0, (*SHAPE[:2], 20)).astype(np.float32), predicted[:, :, 8:].astype(np.int16))
    for name, found in organ_uptake(fake, real, {**LABELS, "heart": 4}).items():
        label = {**LABELS, "heart": 4}[name]
        for side, one in (("fake", fake), ("real", real)):
            voxels = one.suv[one.label_map == label]
            expected = (voxels.astype(float).mean(), voxels.max()) if voxels.size else (None, None)
            assert (found[f"{side}_suv_mean"], found[f"{side}_suv_max"]) == pytest.approx(expected)


def test_images_of_different_shape_or_type_are_refused():
    with pytest.raises(GeometryError, match=r"\(1, 1, 2\).*\(1, 1, 3\)"):
        row([1, 2], [0, 1, 1])
    with pytest.raises(ImageError, match="float64"):
        PetWithLabels(np.zeros((1, 1, 2)), np.zeros((1, 1, 2)))
    broken = row([1, np.nan, np.inf], [1, 0, 2])
    assert organ_uptake(broken, broken, {"liver": 1})["liver"]["suv_mean_bias"] == 0.0
    with pytest.raises(ImageError, match="values in spleen"):
        organ_uptake(broken, broken, {"liver": 1, "spleen": 2})
    with pytest.raises(DatasetError, match="label 0 of air"):
        organ_uptake(REAL, REAL, {"air": 0})
