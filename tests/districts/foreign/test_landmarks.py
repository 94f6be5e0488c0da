"""From trunk, extremities and bones to districts, against phantoms whose bones are known."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from ct2pet.districts.foreign.landmarks import EXTREMITIES, LANDMARKS, TRUNK, split_body
from ct2pet.phantom import DEMO, DISTRICTS, LABELS, make_patient
from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.frame import Frame
from ct2pet.volume import Grid, Volume

NUMBERS = {name: number for number, name in enumerate(LANDMARKS, start=1)}
SCANNER = replace(DEMO, ct_spacing=(8.0, 6.0, 6.0), ct_matrix=(66, 95))
TOUCH = ("arms and legs touch: where one ends and the other begins is a guess",)


def seen(seed, arms, field_of_view="whole"):
    """What a perfect TotalSegmentator sees of a phantom: its body's map and its bones; and the districts."""
    patient = replace(make_patient(seed), arms=arms, field_of_view=field_of_view)
    anatomy = Anatomy(patient)
    organs = anatomy.organs(SCANNER.ct_grid(patient))
    districts = anatomy.districts(organs).array
    central = np.isin(districts, [DISTRICTS["head"], DISTRICTS["trunk"]])
    body = np.where(central, TRUNK, np.where(districts > 0, EXTREMITIES, 0)).astype(np.uint8)
    return organs.with_array(body), bones_of(organs, Frame(patient)), districts


def bones_of(organs, frame):
    """The phantom's bones with the names of TotalSegmentator: sides, and vertebrae of equal height."""
    x, y, z = np.meshgrid(*frame.axes(organs.grid)[::-1], indexing="ij")[::-1]
    bones = np.zeros(organs.array.shape, np.uint8)
    for bone, side in product(("humerus", "femur", "scapula"), ("left", "right")):
        tissue = LABELS["shoulder_girdle" if bone == "scapula" else bone]
        here = (organs.array == tissue) & ((x > 0) == (side == "left"))
        bones[here & (y > 20) if bone == "scapula" else here] = NUMBERS[f"{bone}_{side}"]
    bones[organs.array == LABELS["skull"]] = NUMBERS["skull"]
    bones[organs.array == LABELS["grey_matter"]] = NUMBERS["brain"]
    for number, name in enumerate(("T1", *(f"C{number}" for number in range(7, 0, -1)))):
        here = (organs.array == LABELS["spine"]) & (z >= 1377 + 23 * number) & (z < 1400 + 23 * number)
        bones[here] = NUMBERS[f"vertebrae_{name}"]
    return bones


def dice(found, truth):
    overlap = {}
    for name, label in DISTRICTS.items():
        here, there = found == label, truth == label
        overlap[name] = 2 * np.sum(here & there) / max(1, here.sum() + there.sum())
    return overlap


@pytest.mark.parametrize("arms", ["raised", "down", "left raised"])
@pytest.mark.parametrize(("seed", "field_of_view"), [(0, "whole"), (4, "thigh")])
def test_the_districts_of_phantoms_are_found(seed, arms, field_of_view):
    body, bones, truth = seen(seed, arms, field_of_view)
    found, warnings = split_body(body, bones, NUMBERS, DISTRICTS)
    np.testing.assert_array_equal(found > 0, truth > 0)
    overlap = dice(found, truth)
    assert min(overlap["trunk"], overlap["arms"], overlap["legs"]) > 0.99
    assert overlap["head"] > 0.95
    assert warnings in ((), TOUCH)


def test_a_hand_on_the_thigh_is_labelled_as_arm():
    """In this phantom the hands have grown together with the thighs."""
    body, bones, truth = seen(0, "down")
    found, warnings = split_body(body, bones, NUMBERS, DISTRICTS)
    assert warnings == TOUCH
    assert dice(found, truth)["arms"] > 0.99


@pytest.mark.parametrize(
    "missing", [("T1",), ("C7", "T1"), ("C7", "C6", "C5"), ("C7", "C6", "C5", "C4", "C3", "C2", "C1")]
)
def test_the_root_of_the_neck_is_found_from_other_vertebrae(missing):
    body, bones, truth = seen(4, "raised")
    bones[np.isin(bones, [NUMBERS[f"vertebrae_{name}"] for name in missing])] = 0
    found, warnings = split_body(body, bones, NUMBERS, DISTRICTS)
    assert dice(found, truth)["head"] > 0.9
    assert warnings == ()


def test_an_uncertain_neck_is_a_warning():
    body, bones, truth = seen(4, "raised")
    bones[np.isin(bones, [number for name, number in NUMBERS.items() if "vertebrae" in name])] = 0
    found, warnings = split_body(body, bones, NUMBERS, DISTRICTS)
    assert warnings == ("no vertebra of the neck was found: where the head begins is a guess",)
    assert dice(found, truth)["head"] > 0.85


def test_raised_shoulders_are_no_head():
    body, bones, truth = seen(4, "raised")
    (lowest, *_) = np.flatnonzero((truth == DISTRICTS["arms"]).any(axis=(1, 2)))
    raised = truth == DISTRICTS["arms"]
    raised[lowest + 25 :] = False  # up to 200 mm above
    body.array[raised] = TRUNK
    found, _ = split_body(body, bones, NUMBERS, DISTRICTS)
    assert np.mean(found[raised] == DISTRICTS["trunk"]) > 0.99


def test_without_head_and_neck_all_of_the_trunk_is_trunk():
    body, bones, _ = seen(4, "down")
    bones[bones <= NUMBERS["vertebrae_T1"]] = 0
    found, _ = split_body(body, bones, NUMBERS, DISTRICTS)
    np.testing.assert_array_equal(found == DISTRICTS["trunk"], body.array == TRUNK)


@pytest.mark.parametrize(("arms", "field_of_view"), [("down", "whole"), ("raised", "whole"), ("down", "thigh")])
def test_parts_without_a_bone_are_divided_by_their_position_with_a_warning(arms, field_of_view):
    body, bones, truth = seen(4, arms, field_of_view)
    bones[np.isin(bones, [number for name, number in NUMBERS.items() if "femur" in name or "humerus" in name])] = 0
    found, warnings = split_body(body, bones, NUMBERS, DISTRICTS)
    overlap = dice(found, truth)
    assert min(overlap["arms"], overlap["legs"]) > 0.99
    assert all("no bone shows whether" in warning for warning in warnings)
    assert sum("taken for arms" in warning for warning in warnings) == 2
    assert sum("taken for legs" in warning for warning in warnings) == 1  # the thighs of this patient touch


def test_a_hand_cut_from_its_arm_is_no_leg():
    body, bones, truth = seen(4, "down")
    (*_, wrist) = np.flatnonzero((truth == DISTRICTS["legs"]).any(axis=(1, 2)))
    body.array[wrist][body.array[wrist] == EXTREMITIES] = 0
    found, _ = split_body(body, bones, NUMBERS, DISTRICTS)
    cut = np.where(body.array > 0, truth, 0)
    assert dice(found, cut)["arms"] > 0.99


def test_districts_that_the_dataset_does_not_name_stay_0():
    body, bones, _ = seen(4, "raised", "thigh")
    whole, _ = split_body(body, bones, NUMBERS, DISTRICTS)
    found, _ = split_body(body, bones, NUMBERS, {"legs": 7})
    np.testing.assert_array_equal(found, np.where(whole == DISTRICTS["legs"], 7, 0))


def test_legs_alone_are_legs():
    body = np.zeros((20, 10, 24), np.uint8)
    body[:, 2:8, 2:10] = body[:, 2:8, 14:22] = EXTREMITIES
    volume = Volume(body, Grid(body.shape, (4.0, 10.0, 10.0)))
    found, warnings = split_body(volume, np.zeros_like(body), NUMBERS, DISTRICTS)
    np.testing.assert_array_equal(found, np.where(body, DISTRICTS["legs"], 0))
    assert len(warnings) == 2


def test_an_empty_label_map_gives_an_empty_district_map():
    nothing = np.zeros((3, 4, 5), np.uint8)
    found, warnings = split_body(Volume(nothing, Grid((3, 4, 5), (4.0, 4.0, 4.0))), nothing, NUMBERS, DISTRICTS)
    assert not found.any()
    assert warnings == ()
