"""The outline of a body from its PET alone, against the body that was scanned."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, binary_fill_holes

from ct2pet.districts.pet_outline import pet_outline
from ct2pet.errors import DatasetError
from ct2pet.phantom import COARSE, DEMO_LOW_COUNTS, LABELS, make_patient, scan
from ct2pet.phantom.acquisition import acquire
from ct2pet.phantom.views import view
from ct2pet.resampling import resample
from ct2pet.volume import Grid, Volume

DOSES = (1.0, 0.25, 0.05, 0.02)
PATIENTS = {1: "arms raised", 7: "stout, arms down", 19: "head to toe, arms raised", 0: "head to toe, arms down"}


def dice(first, second):
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


def body_of(case):
    """True in voxels of the PET's grid of which at least half is body."""
    share = resample(case.organs.with_array((case.organs.array > 0).astype(np.float32)), case.pet.grid)
    return share.array >= 0.5


def outline(pet):
    found = pet_outline(pet)
    assert found.grid == pet.grid
    assert found.array.dtype == np.uint8
    return found.array.astype(bool)


@pytest.fixture(scope="module")
def demo_scans():
    return {seed: scan(make_patient(seed), DEMO_LOW_COUNTS, DOSES) for seed in PATIENTS}


@pytest.mark.parametrize("scanner", [COARSE, DEMO_LOW_COUNTS], ids=lambda scanner: scanner.name)
def test_the_pet_outline_matches_the_body_at_every_dose(scanner, demo_scans):
    """Measured over 12 patients: mean at least 0.96, worst 0.947 (benchmarks/low_dose.py)."""
    found = {dose: [] for dose in DOSES}
    for seed in PATIENTS:
        case = demo_scans[seed] if scanner is DEMO_LOW_COUNTS else scan(make_patient(seed), scanner, DOSES)
        for dose, pet in case.low_dose.items():
            found[dose].append(dice(outline(pet), body_of(case)))
    for dose, values in found.items():
        assert np.mean(values) > 0.95, (dose, values)
        assert min(values) > 0.93, (dose, values)


def test_doses_of_one_scan_have_nearly_the_same_outline(demo_scans):
    for case in demo_scans.values():
        full = outline(case.low_dose[1.0])
        assert dice(outline(case.low_dose[0.05]), full) > 0.96


def test_lungs_and_gas_are_inside_and_slices_have_no_holes(demo_scans):
    for case in demo_scans.values():
        organs = resample(case.organs, case.pet.grid, labels=True).array
        for dose in (1.0, 0.05):
            inside = outline(case.low_dose[dose])
            for organ in ("lung", "stomach_gas", "colon_gas", "airways"):
                assert inside[binary_erosion(organs == LABELS[organ])].all(), organ
            assert all((binary_fill_holes(axial) == axial).all() for axial in inside)


def test_a_hot_bladder_and_a_hot_brain_change_nothing():
    patient = make_patient(0)
    hot = replace(patient, suv={**patient.suv, "bladder": 90.0, "grey_matter": 25.0, "cerebellum": 25.0})
    cold = replace(patient, suv={**patient.suv, "bladder": 2.0, "grey_matter": 4.0, "cerebellum": 4.0})
    cases = [scan(who, COARSE, (1.0, 0.05)) for who in (hot, cold)]
    for dose in (1.0, 0.05):
        found = [outline(case.low_dose[dose]) for case in cases]
        assert dice(*found) > 0.97
        assert min(dice(inside, body_of(cases[0])) for inside in found) > 0.94


@pytest.mark.parametrize(
    ("name", "least"),
    [
        *(("head", 0.93), ("head and shoulders", 0.94), ("chest", 0.95), ("abdomen and pelvis", 0.95)),
        *(("trunk", 0.95), ("pelvis to toes", 0.88), ("legs", 0.88), ("narrow", 0.95), ("one thigh", 0.9)),
    ],
)
@pytest.mark.parametrize("dose", [1.0, 0.05])
def test_a_part_of_the_body_is_found_like_the_whole(demo_scans, name, least, dose):
    for seed in (0, 19):
        case = demo_scans[seed]
        districts = resample(case.districts, case.pet.grid, labels=True)
        box = view(make_patient(seed), districts, name)
        part = outline(case.low_dose[dose].crop(box))
        assert dice(part, body_of(case)[box.slices]) > least, PATIENTS[seed]


def test_a_field_of_view_inside_the_body_is_all_body(demo_scans):
    case = demo_scans[1]
    slices = np.s_[40:80, 28:38, 38:54]
    grid = Grid((40, 10, 16), case.pet.grid.spacing, case.pet.grid.origin)
    assert body_of(case)[slices].all()
    for dose in (1.0, 0.05):
        found = outline(Volume(case.low_dose[dose].array[slices], grid, "SUV"))
        assert found.mean() > 0.98
        assert found[:: 40 - 1, :: 10 - 1, :: 16 - 1].all(), "the corners are body, too"


@pytest.mark.parametrize("dose", [1.0, 0.05, 0.02])
def test_counts_in_the_air_are_no_body(demo_scans, dose):
    """Scatter and randoms leave some uptake around patients: here 0.03 SUV, as noisy as the rest."""
    case = demo_scans[19]
    expected = case.pet.array + np.float32(0.03)
    full = acquire(expected, case.pet.grid, DEMO_LOW_COUNTS, 70.0, np.random.default_rng(1))
    pet = case.pet.with_array(full.thinned(dose, np.random.default_rng(2)).image())
    assert dice(outline(pet), body_of(case)) > 0.93


def test_a_small_source_beside_the_patient_is_dropped_and_a_hand_is_not(demo_scans):
    case = demo_scans[0]
    body, array = body_of(case), case.pet.array.copy()
    array[100:102, 4:6, 4:6] = 5.0  # a vial of 2 ml, 60 cm from the middle
    assert not outline(case.pet.with_array(array))[95:107, :10, :10].any()
    assert dice(outline(case.pet.with_array(array)), body) > 0.95
    alone = np.where(body, array, 0)
    middle = alone.shape[2] // 2
    alone[:150, :, middle - 30 : middle + 30] = 0  # two forearms with their hands, apart from all else
    found = outline(case.pet.with_array(alone))
    hands = (alone > 0.3) & (np.arange(len(alone)) < 120)[:, None, None]
    assert hands.any()
    assert found[hands].mean() > 0.95


@pytest.mark.parametrize("direction", [(-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0), (0, 0, 1.0, 0, 1.0, 0, -1.0, 0, 0)])
def test_the_order_of_the_axes_does_not_matter(demo_scans, direction):
    pet = demo_scans[1].low_dose[0.05]
    other = Grid((1, 1, 1), (1.0, 1.0, 1.0), direction=tuple(map(float, direction)))
    turned = pet.reorient_like(other)
    assert turned.grid.direction != pet.grid.direction
    assert np.array_equal(pet_outline(turned).to_canonical().array, pet_outline(pet).to_canonical().array)


def test_the_scale_of_the_uptake_hardly_matters(demo_scans):
    """A tracer that muscle takes up half as much or twice as much."""
    case = demo_scans[7]
    usual = outline(case.pet)
    for factor in (0.5, 2.0):
        assert dice(outline(case.pet.with_array(case.pet.array * factor)), usual) > 0.96


@pytest.mark.parametrize("value", [0.0, -0.2])
def test_a_pet_without_uptake_has_no_body(value):
    with pytest.raises(DatasetError, match="holds no uptake"):
        pet_outline(Volume(np.full((5, 6, 7), value, np.float32), Grid((5, 6, 7), (4.0, 4.0, 4.0)), "SUV"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value):
    array = np.ones((5, 6, 7), np.float32)
    array[2, 3, 4] = value
    with pytest.raises(DatasetError, match="not a number or infinite"):
        pet_outline(Volume(array, Grid((5, 6, 7), (4.0, 4.0, 4.0)), "SUV"))
