import numpy as np
import pytest
from raw_cases import CT_GRID, PET_GRID, case_volumes, permuted, write_raw

from ct2pet.errors import CasesFailed, DatasetError
from ct2pet.fingerprint.extractor import extract_fingerprint
from ct2pet.fingerprint.fingerprint import Fingerprint
from ct2pet.volume import Box


def test_sizes_volumes_and_spacings_by_hand(tmp_path):
    seen = extract_fingerprint(write_raw(tmp_path, {"A": case_volumes(0), "B": case_volumes(1)}))
    assert seen.num_cases == 2
    assert seen.ct_spacings == [[3.0, 2.0, 2.0]] * 2
    low, whole = seen.districts["low"], seen.districts["whole_body"]
    assert low.cases == ["A", "B"]
    assert low.pet_spacings == [[4.0, 4.0, 4.0]] * 2
    assert low.box_sizes_mm == [[7 * 3.0, 18 * 2.0, 18 * 2.0]] * 2
    assert low.volumes_ml == pytest.approx([7 * 18 * 18 * 12 / 1000] * 2)
    assert whole.box_sizes_mm[0] == [14 * 3.0, 36.0, 36.0]


def test_percentiles_are_those_of_the_district_and_of_no_other_voxel(tmp_path):
    volumes = case_volumes()
    districts = volumes["district_map"].array
    inside = volumes["ct"].array[districts == 1]
    volumes["ct"] = volumes["ct"].with_array(np.where(districts == 1, volumes["ct"].array, 5000).astype(np.float32))
    seen = extract_fingerprint(write_raw(tmp_path, {"A": volumes})).districts["low"]
    for key in ("0.5", "50", "99.5"):
        assert seen.ct_percentiles_hu[key] == pytest.approx(np.percentile(inside, float(key)), abs=15)


def test_all_cases_count_alike_however_large_they_are(tmp_path):
    small, large = case_volumes(0), case_volumes(1)
    small["ct"] = small["ct"].with_array(np.full(CT_GRID.shape, -100, np.float32))
    large["ct"] = large["ct"].with_array(np.full(CT_GRID.shape, 100, np.float32))
    tiny = np.zeros(CT_GRID.shape, np.uint8)
    tiny[8:10, 8:10, 8:10] = 1
    small["district_map"] = small["district_map"].with_array(tiny)
    seen = extract_fingerprint(write_raw(tmp_path, {"A": small, "B": large})).districts["low"]
    assert seen.volumes_ml[1] > 100 * seen.volumes_ml[0]
    assert seen.ct_percentiles_hu["25"] == -100
    assert seen.ct_percentiles_hu["75"] == 100


def test_a_case_that_the_pet_shows_in_part_counts_as_much_as_the_others(tmp_path):
    cut, whole = case_volumes(0), case_volumes(1)
    cut["ct"] = cut["ct"].with_array(np.full(CT_GRID.shape, -100, np.float32))
    whole["ct"] = whole["ct"].with_array(np.full(CT_GRID.shape, 100, np.float32))
    cut["pet"] = cut["pet"].crop(Box((2, 0, 0), (4, 15, 14)))
    seen = extract_fingerprint(write_raw(tmp_path, {"A": cut, "B": whole})).districts["whole_body"]
    assert seen.ct_percentiles_hu["25"] == -100
    assert seen.ct_percentiles_hu["75"] == 100


def test_pet_values_are_looked_up_where_the_district_is(tmp_path):
    volumes = case_volumes()
    pet = np.zeros(PET_GRID.shape, np.float32)
    pet[9:] = 7.0  # above the border of the two districts and its neighbours (z = -71.5 mm)
    volumes["pet"] = volumes["pet"].with_array(pet)
    seen = extract_fingerprint(write_raw(tmp_path, {"A": volumes}))
    assert seen.districts["low"].pet_percentiles_suv["99.5"] == 0.0
    assert seen.districts["high"].pet_percentiles_suv["95"] == 7.0


def test_any_orientation_of_the_files_gives_the_same_fingerprint(tmp_path):
    volumes = case_volumes()
    volumes["ct"] = volumes["ct"].with_array(np.rint(volumes["ct"].array))
    plain = extract_fingerprint(write_raw(tmp_path / "a", {"A": volumes}))
    turned = extract_fingerprint(write_raw(tmp_path / "b", {"A": {k: permuted(v) for k, v in volumes.items()}}))
    assert turned.ct_spacings == plain.ct_spacings
    for name, district in plain.districts.items():
        other = turned.districts[name]
        assert other.box_sizes_mm == district.box_sizes_mm
        assert other.pet_spacings == district.pet_spacings
        assert other.ct_percentiles_hu == district.ct_percentiles_hu
        assert other.pet_percentiles_suv == pytest.approx(district.pet_percentiles_suv, abs=0.02)


def test_districts_that_a_case_lacks_are_counted_without_it_and_those_of_no_case_are_left_out(tmp_path):
    only_low, none_high = case_volumes(0), case_volumes(1)
    for volumes in (only_low, none_high):
        array = volumes["district_map"].array
        volumes["district_map"] = volumes["district_map"].with_array(np.where(array == 2, 0, array).astype(np.uint8))
    assert "high" not in extract_fingerprint(write_raw(tmp_path / "a", {"A": only_low, "B": none_high})).districts
    both = extract_fingerprint(write_raw(tmp_path / "b", {"A": only_low, "B": case_volumes(1)}))
    assert both.districts["high"].cases == ["B"]
    assert both.districts["low"].cases == ["A", "B"]


def test_it_is_the_same_from_disk(tmp_path):
    seen = extract_fingerprint(write_raw(tmp_path, {"A": case_volumes()}))
    seen.save(tmp_path / "fingerprint.json")
    assert Fingerprint.load(tmp_path / "fingerprint.json") == seen


def test_all_cases_that_cannot_be_used_are_named(tmp_path):
    dataset = write_raw(tmp_path, {"A": case_volumes(0), "B": case_volumes(1), "C": case_volumes(2)})
    dataset.file("PET", "A").unlink()
    dataset.file("districts", "C").write_bytes(b"no image")
    with pytest.raises(CasesFailed) as error:
        extract_fingerprint(dataset)
    assert set(error.value.failures) == {"A", "C"}
    assert "PET" in error.value.failures["A"]
    assert str(dataset.folder / "districtsTr" / "C.nii") in error.value.failures["C"]


def test_a_district_that_the_pet_does_not_reach_is_absent_in_this_case(tmp_path):
    short = case_volumes(0)
    short["pet"] = short["pet"].crop(Box((0, 0, 0), (6, 15, 14)))
    seen = extract_fingerprint(write_raw(tmp_path, {"A": short, "B": case_volumes(1)})).districts
    assert seen["low"].cases == seen["whole_body"].cases == ["A", "B"]
    assert seen["high"].cases == ["B"]


def test_a_body_outside_of_the_pet_is_refused(tmp_path):
    volumes = case_volumes()
    far = volumes["pet"].grid
    volumes["pet"] = type(volumes["pet"])(
        volumes["pet"].array, type(far)(far.shape, far.spacing, (500.0, 500.0, 500.0)), "SUV"
    )
    with pytest.raises(CasesFailed, match="A: the districts lie outside"):
        extract_fingerprint(write_raw(tmp_path, {"A": volumes}))


def test_a_dataset_without_cases_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="no training case"):
        extract_fingerprint(write_raw(tmp_path, {}))
