import json

import numpy as np
import pytest
from raw_cases import CT_GRID, PET_GRID, case_volumes, permuted, write_raw

from ct2pet.dataset import RawDataset, update_dataset_json
from ct2pet.errors import CasesFailed, DatasetError
from ct2pet.fingerprint.extractor import extract_fingerprint
from ct2pet.fingerprint.fingerprint import Fingerprint, LabelFingerprint
from ct2pet.imageio import write_volume
from ct2pet.volume import Box, Volume


def with_air(ct, array):
    """A CT with these values, and air in a corner, which every CT in HU has."""
    array = array.astype(np.float32)
    array[0, 0, 0] = -1000
    return ct.with_array(array)


def test_sizes_volumes_and_spacings_by_hand(tmp_path):
    seen = extract_fingerprint(write_raw(tmp_path, {"A": case_volumes(0), "B": case_volumes(1)}))
    low, whole = seen.districts["low"], seen.districts["whole_body"]
    assert low.cases == ["A", "B"]
    assert low.spacings == [[4.0, 4.0, 4.0]] * 2
    assert low.box_sizes_mm == [[7 * 3.0, 18 * 2.0, 18 * 2.0]] * 2
    assert whole.box_sizes_mm[0] == [14 * 3.0, 36.0, 36.0]


def test_percentiles_are_those_of_the_district_and_of_no_other_voxel(tmp_path):
    volumes = case_volumes()
    districts = volumes["district_map"].array
    inside = volumes["ct"].array[districts == 1]
    volumes["ct"] = with_air(volumes["ct"], np.where(districts == 1, volumes["ct"].array, 5000))
    seen = extract_fingerprint(write_raw(tmp_path, {"A": volumes})).districts["low"]
    for key in ("0.5", "50", "99.5"):
        assert seen.percentiles["CT"][key] == pytest.approx(np.percentile(inside, float(key)), abs=15)


def test_all_cases_count_alike_however_large_they_are(tmp_path):
    small, large = case_volumes(0), case_volumes(1)
    small["ct"] = with_air(small["ct"], np.full(CT_GRID.shape, -100))
    large["ct"] = with_air(large["ct"], np.full(CT_GRID.shape, 100))
    tiny = np.zeros(CT_GRID.shape, np.uint8)
    tiny[8:10, 8:10, 8:10] = 1
    small["district_map"] = small["district_map"].with_array(tiny)
    seen = extract_fingerprint(write_raw(tmp_path, {"A": small, "B": large})).districts["low"]
    assert seen.percentiles["CT"]["25"] == -100
    assert seen.percentiles["CT"]["75"] == 100


def test_a_case_that_the_pet_shows_in_part_counts_as_much_as_the_others(tmp_path):
    cut, whole = case_volumes(0), case_volumes(1)
    cut["ct"] = with_air(cut["ct"], np.full(CT_GRID.shape, -100))
    whole["ct"] = with_air(whole["ct"], np.full(CT_GRID.shape, 100))
    cut["pet"] = cut["pet"].crop(Box((2, 0, 0), (4, 15, 14)))
    seen = extract_fingerprint(write_raw(tmp_path, {"A": cut, "B": whole})).districts["whole_body"]
    assert seen.percentiles["CT"]["25"] == -100
    assert seen.percentiles["CT"]["75"] == 100


def test_values_are_looked_up_where_the_district_is_whatever_the_images_grid(tmp_path):
    volumes = case_volumes()
    ct = np.full(PET_GRID.shape, -50.0, np.float32)
    ct[9:] = 70.0  # above the border of the two districts and its neighbours (z = -71.5 mm)
    volumes["ct"] = volumes["pet"].with_array(ct, "HU")
    seen = extract_fingerprint(write_raw(tmp_path, {"A": volumes}))
    assert seen.districts["low"].percentiles["CT"]["99.5"] == -50.0
    assert seen.districts["high"].percentiles["CT"]["95"] == 70.0


def test_only_images_whose_window_depends_on_the_data_have_percentiles(tmp_path):
    seen = extract_fingerprint(write_raw(tmp_path, {"A": case_volumes()}))
    assert list(seen.districts["low"].percentiles) == ["CT"]


def test_labels_are_counted_over_the_cases_and_classes_over_the_training_cases(tmp_path):
    dataset = write_raw(tmp_path, {name: case_volumes(seed) for seed, name in enumerate("AB")})
    for case, sizes in {"A": {1: 10, 2: 4}, "B": {1: 30}}.items():
        labels = np.zeros(CT_GRID.shape, np.uint8)
        for label, size in sizes.items():
            labels[label].flat[:size] = label
        write_volume(dataset.folder / "organsTr" / f"{case}.nii", Volume(labels, CT_GRID))
    (dataset.folder / "cases.csv").write_text("case,diagnosis\nA,benign\nB,benign\n")
    organs = {"kind": "labels", "labels": {"liver": 1, "spleen": 2, "heart": 3}}
    content = {key: value for key, value in dataset.description.content.items() if key != "target"}
    more = {"targets": {"PET": {}, "organs": organs}, "conditions": {"diagnosis": ["benign", "malignant"]}}
    (dataset.folder / "dataset.json").write_text(json.dumps({**content, **more}))
    seen = extract_fingerprint(RawDataset(dataset.folder))
    assert seen.labels["organs"] == {
        "liver": LabelFingerprint(2, pytest.approx(20 * CT_GRID.voxel_ml, abs=1e-3)),
        "spleen": LabelFingerprint(1, pytest.approx(4 * CT_GRID.voxel_ml, abs=1e-3)),
        "heart": LabelFingerprint(0, 0.0),
    }
    assert seen.classes == {"diagnosis": {"benign": 2, "malignant": 0}}


@pytest.mark.parametrize(("body_mask", "box_mm"), [("CT", [60.0, 40.0, 36.0]), (None, [60.0, 60.0, 56.0])])
def test_without_districts_the_whole_body_is_the_body_of_an_input_or_all_of_it(tmp_path, body_mask, box_mm):
    volumes = case_volumes()
    ct = np.full(CT_GRID.shape, -1000.0, np.float32)
    ct[:, 5:25, 5:23] = 40.0
    volumes["ct"] = volumes["ct"].with_array(ct)
    dataset = write_raw(tmp_path, {"A": volumes})
    update_dataset_json(dataset.folder, districts={}, body_mask=body_mask)
    seen = extract_fingerprint(RawDataset(dataset.folder))
    assert list(seen.districts) == ["whole_body"]
    assert seen.districts["whole_body"].box_sizes_mm == [pytest.approx(box_mm, abs=8.0)]


def test_the_fingerprint_does_not_depend_on_the_orientation_of_the_files(tmp_path):
    volumes = case_volumes()
    volumes["ct"] = volumes["ct"].with_array(np.rint(volumes["ct"].array))
    plain = extract_fingerprint(write_raw(tmp_path / "a", {"A": volumes}))
    turned = extract_fingerprint(write_raw(tmp_path / "b", {"A": {k: permuted(v) for k, v in volumes.items()}}))
    for name, district in plain.districts.items():
        other = turned.districts[name]
        assert other.box_sizes_mm == district.box_sizes_mm
        assert other.spacings == district.spacings
        assert other.percentiles == district.percentiles


def test_districts_that_a_case_lacks_are_counted_without_it_and_those_of_no_case_are_omitted(tmp_path):
    only_low, none_high = case_volumes(0), case_volumes(1)
    for volumes in (only_low, none_high):
        array = volumes["district_map"].array
        volumes["district_map"] = volumes["district_map"].with_array(np.where(array == 2, 0, array).astype(np.uint8))
    assert "high" not in extract_fingerprint(write_raw(tmp_path / "a", {"A": only_low, "B": none_high})).districts
    both = extract_fingerprint(write_raw(tmp_path / "b", {"A": only_low, "B": case_volumes(1)}))
    assert both.districts["high"].cases == ["B"]
    assert both.districts["low"].cases == ["A", "B"]


def test_a_fingerprint_read_from_disk_is_equal(tmp_path):
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


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("ct", np.nan, "1 voxel is NaN or infinite"),
        ("pet", np.inf, "1 voxel is NaN or infinite"),
        ("ct", 1e6, "outside the range of HU"),
        ("district_map", -1, "values that are not labels"),
        ("district_map", 9, r"the label\(s\) 9 are not in dataset.json"),
    ],
)
def test_values_that_preprocessing_refuses_are_named_with_their_file(tmp_path, field, value, reason):
    volumes = case_volumes(1)
    array = volumes[field].array.astype(np.int16 if field == "district_map" else np.float32)
    array[10, 10, 10] = value
    volumes[field] = volumes[field].with_array(array)
    dataset = write_raw(tmp_path, {"A": case_volumes(0), "B": volumes})
    with pytest.raises(CasesFailed, match=rf"B(_0000)?\.nii: .*{reason}") as error:
        extract_fingerprint(dataset)
    assert list(error.value.failures) == ["B"]


def test_labels_to_predict_that_are_no_labels_are_named_with_their_file(tmp_path):
    dataset = write_raw(tmp_path, {"A": case_volumes()})
    labels = np.full(CT_GRID.shape, -1, np.int16)
    write_volume(dataset.folder / "organsTr" / "A.nii", Volume(labels, CT_GRID))
    content = {key: value for key, value in dataset.description.content.items() if key != "target"}
    targets = {"organs": {"kind": "labels", "labels": {"liver": 1}}}
    (dataset.folder / "dataset.json").write_text(json.dumps({**content, "targets": targets}))
    with pytest.raises(CasesFailed, match=r"organsTr/A\.nii: it contains values that are not labels"):
        extract_fingerprint(RawDataset(dataset.folder))


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
    with pytest.raises(CasesFailed, match="A: the districts are outside"):
        extract_fingerprint(write_raw(tmp_path, {"A": volumes}))


def test_a_dataset_without_cases_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="no training case"):
        extract_fingerprint(write_raw(tmp_path, {}))
