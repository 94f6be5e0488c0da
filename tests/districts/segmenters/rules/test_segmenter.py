"""The rules against phantoms whose districts are known."""

import numpy as np
import pytest
from bodies import body, dice, seen, segment, segmented
from scipy.spatial.transform import Rotation

from ct2pet.districts.base import LOW_CONFIDENCE
from ct2pet.districts.segmenters.rules.segmenter import RulesSegmenter
from ct2pet.errors import DatasetError
from ct2pet.phantom import DISTRICTS
from ct2pet.phantom.tissues import LABELS
from ct2pet.phantom.views import view
from ct2pet.resampling import resample
from ct2pet.volume import Box, Grid, Volume

FLOORS = {"head": 0.95, "trunk": 0.97, "arms": 0.9, "legs": 0.95}
SLABS = {"head": 0.8, "trunk": 0.95, "arms": 0.8, "legs": 0.95}  # of neck and arms a chest shows little but the border


@pytest.mark.parametrize(
    ("name", "seed", "arms"),
    [
        ("skull base to mid-thigh", 0, "raised"),
        ("skull base to mid-thigh", 14, "left raised"),
        ("head", 2, "raised"),
        ("head", 1, "down"),
        ("trunk", 6, "raised"),
        ("chest", 1, "down"),
        ("abdomen and pelvis", 1, "down"),
        ("pelvis to toes", 13, "down"),
        ("legs", 4, "down"),
        ("one thigh", 2, "raised"),
        ("one arm", 1, "down"),
        ("one arm", 0, "raised"),
        ("narrow", 3, "raised"),
    ],
)
def test_every_view_of_a_body_is_divided(name, seed, arms):
    ct, truth = seen(name, seed, arms)
    found, floors = segmented(name, seed, arms), SLABS if name in ("trunk", "chest") else FLOORS
    assert found.district_map.array.dtype == np.uint8
    assert found.district_map.grid == ct.grid
    scores = dice(found.district_map, truth)
    assert {district: score for district, score in scores.items() if score < floors[district]} == {}
    inside = (found.district_map.array > 0) == (truth.array > 0)
    assert inside.mean() > 0.99
    assert set(found.confidence) >= set(scores)
    assert all(0 <= sure <= 1 for sure in found.confidence.values())


@pytest.mark.parametrize(("name", "arms"), [("left shoulder", "down"), ("left half of the chest", "raised")])
def test_half_a_chest_is_divided_and_a_person_should_look(name, arms):
    _, truth = seen(name, 1, arms)
    found = segmented(name, 1, arms)
    scores = dice(found.district_map, truth)
    assert scores["trunk"] > 0.93
    assert scores["arms"] > 0.83
    assert max(found.confidence.values()) < LOW_CONFIDENCE
    assert any("cuts the chest" in warning for warning in found.warnings)


@pytest.mark.parametrize("seed", [1, 3])
def test_a_slab_of_the_neck_is_head_above_trunk(seed):
    _, truth = seen("neck slab", seed, "down")
    scores = dice(segmented("neck slab", seed, "down").district_map, truth)
    assert min(scores["head"], scores["trunk"]) > 0.92


def test_a_neck_without_lungs_is_no_limb():
    ct, truth = seen("neck slab", 1, "down")
    upper = ct.crop(Box((len(ct.array) // 2, 0, 0), ct.array.shape))
    found = segment(upper)
    assert set(np.unique(found.district_map.array)) == {0, DISTRICTS["head"]}
    assert (truth.array[len(ct.array) // 2 + 3 :] != DISTRICTS["legs"]).all()
    assert found.confidence["head"] < LOW_CONFIDENCE
    assert found.warnings


@pytest.fixture(scope="module")
def chest():
    return seen("chest", 1, "down")[0], segmented("chest", 1, "down").district_map


@pytest.mark.parametrize(
    ("order", "flipped"),
    [((2, 0, 1), (True, False, True)), ((1, 2, 0), (False, True, False)), ((0, 1, 2), (True, True, True))],
)
def test_the_district_map_does_not_depend_on_the_order_of_the_axes(chest, order, flipped):
    ct, expected = chest
    arranged = ct._rearranged(order, flipped)
    found = segment(arranged).district_map
    assert found.grid == arranged.grid
    np.testing.assert_array_equal(found.to_canonical().array, expected.array)


def test_an_oblique_ct_gets_the_same_districts(chest):
    ct, expected = chest
    turn = Rotation.from_euler("xyz", [12, -8, 15], degrees=True).as_matrix()
    low, high = ct.grid.bounds
    shape = tuple(int(1.3 * n) for n in ct.grid.shape)
    extent = np.array(shape[::-1]) * ct.grid.spacing[::-1]
    origin = (low + high) / 2 - turn @ (extent / 2)
    oblique = resample(ct, Grid(shape, ct.grid.spacing, tuple(origin), tuple(turn.ravel())), outside=-1000.0)
    found = segment(oblique).district_map
    scores = dice(found, resample(expected, oblique.grid, labels=True))
    assert min(scores.values()) > 0.9


@pytest.mark.parametrize("spacing", [(1.0, 3.0, 3.0), (5.0, 3.0, 3.0)])
def test_slices_of_one_to_five_millimetres(chest, spacing):
    ct, expected = chest
    other = resample(ct, ct.grid.with_spacing(spacing), outside=-1000.0)
    scores = dice(segment(other).district_map, resample(expected, other.grid, labels=True))
    assert min(scores.values()) > 0.9


def test_districts_get_the_labels_of_the_dataset_and_others_stay_zero(chest):
    ct, expected = chest
    found = RulesSegmenter().segment("case", ct, {"trunk": 7, "arms": 200})
    assert set(np.unique(found.district_map.array)) == {0, 7, 200}
    assert set(found.confidence) == {"trunk", "arms"}
    np.testing.assert_array_equal(found.district_map.array == 7, expected.array == DISTRICTS["trunk"])


def test_other_districts_are_refused_in_one_line(chest):
    with pytest.raises(DatasetError, match=r"head, trunk, arms, legs, not pelvis$"):
        RulesSegmenter().segment("case", chest[0], {"trunk": 1, "pelvis": 2})


@pytest.mark.parametrize(
    "change",
    [
        lambda hu: np.full_like(hu, -1000),
        lambda hu: (hu + 1024).astype(np.int16),
        lambda hu: (hu / 3000.0).astype(np.float32),
        lambda hu: np.where(hu > 0, np.nan, hu.astype(np.float32)),
    ],
    ids=["air", "shifted by 1024", "scaled", "holes"],
)
def test_an_image_that_is_not_in_hu_is_refused(chest, change):
    ct, _ = chest
    with pytest.raises(DatasetError, match=r"HU|no numbers"):
        segment(ct.with_array(change(ct.array)))


def test_metal_and_contrast_keep_the_division_and_metal_is_a_warning():
    patient, ct, truth, organs = body(1, "down")
    box = view(patient, truth, "skull base to mid-thigh")
    ct, truth, organs = (volume.crop(box) for volume in (ct, truth, organs))
    hu = ct.array.copy()
    for tissue, value in {"bowel_content": 450, "stomach_content": 500, "bladder": 900, "blood": 300}.items():
        hu[organs.array == LABELS[tissue]] = value
    hip = organs.array == LABELS["femur"]
    hip[:, :, : hip.shape[2] // 2] = False
    hu[hip] = 3071
    found = segment(ct.with_array(hu))
    scores = dice(found.district_map, truth)
    assert {district: score for district, score in scores.items() if score < FLOORS[district]} == {}
    assert any("metal" in warning for warning in found.warnings)
    assert found.confidence["legs"] < 0.7 < found.confidence["head"]


def test_identity():
    rules = RulesSegmenter()
    assert (rules.name, rules.identity("case").name) == ("rules", "rules")
    assert rules.version
    assert rules.districts == tuple(DISTRICTS)


def test_low_confidence_means_look():
    ct, _ = seen("skull base to mid-thigh", 0, "raised")
    assert min(segmented("skull base to mid-thigh", 0, "raised").confidence.values()) > LOW_CONFIDENCE
    middle = Volume(ct.array[60:100, 30:70, 40:90], Grid((40, 40, 50), ct.grid.spacing), "HU")
    inside = segment(middle)
    assert max(inside.confidence.values()) < LOW_CONFIDENCE
    assert inside.warnings
