"""One examination: its lesions, its facts, and what is wrong with it."""

import math

import numpy as np
import pytest
from dicom_files import PET_GRID, ct_series, enhanced_ct, enhanced_pet, item, pet_series, put, write
from dicom_objects import rtstruct
from dicom_studies import content, convert, rows, study_of, write_studies
from full_disk import file_size_limit

from ct2pet.conversion import convert_dicom
from ct2pet.conversion.patient_map import read_map
from ct2pet.dataset import RawDataset, verify_dataset
from ct2pet.imageio import read_volume
from ct2pet.volume import Grid


def test_lesions_of_a_structure_set(tmp_path, raw):
    ct, pet = study_of()
    low, high, z = -5.9, 6.1, PET_GRID.origin[2] + 2 * PET_GRID.spacing[0]
    square = [(low, low, z), (high, low, z), (high, high, z), (low, high, z)]
    write_studies(tmp_path / "in", (ct, pet))
    write(rtstruct({"tumour": [np.array(square)]}, referenced=pet), tmp_path / "in", "rt{}")
    convert(tmp_path / "in")
    dataset = RawDataset(raw / "Dataset001_CLINIC")
    mask = read_volume(dataset.file("lesions", "CLINIC_0001"))
    assert mask.grid.matches(PET_GRID)
    assert mask.array.sum() == mask.array[2].sum() == 9
    assert verify_dataset(dataset) == []


def test_lesion_rois_reach_the_structures(tmp_path, raw):
    ct, pet = study_of()
    write_studies(tmp_path / "in", (ct, pet))
    square = [(-6.0, -6.0, -495.5), (6.0, -6.0, -495.5), (6.0, 6.0, -495.5), (-6.0, 6.0, -495.5)]
    write(rtstruct({"tumour": [np.array(square)]}, referenced=pet), tmp_path / "in", "rt{}")
    conversion = convert(tmp_path / "in", lesion_rois="*node*")
    assert not (raw / "Dataset001_CLINIC" / "lesionsTr").exists()
    assert "none of its regions is a lesion" in conversion.notes["CLINIC_0001"][0]


@pytest.mark.filterwarnings("ignore:Invalid value for VR AS")
def test_cases_csv_names_sex_and_age_where_they_are_known(tmp_path, raw):
    studies = [study_of(f"PAT{number}", number) for number in range(4)]
    for (_, pet), sex, age in zip(studies, ("M", "F", "JANE", ""), ("061Y", "095Y", "018M", "JANE")):
        for dataset in pet:
            put(dataset, {"PatientSex": sex, "PatientAge": age})
    convert(write_studies(tmp_path / "in", *studies), patient_map=tmp_path / "map.csv")
    case_of = {row.patient_id: row.case for row in read_map(tmp_path / "map.csv")}
    found = {row["case"]: (row["sex"], row["age"]) for row in rows(raw / "Dataset001_CLINIC")}
    expected = {"PAT0": ("M", "61"), "PAT1": ("F", "90"), "PAT2": ("", "1"), "PAT3": ("", "")}
    assert {patient: found[case] for patient, case in case_of.items()} == expected


def test_a_file_that_outgrows_the_disk_fails_its_case(tmp_path, raw):
    """A real error of writing: the system's limit of a file's size."""
    write_studies(tmp_path / "in", study_of("A"))
    with file_size_limit(2000):
        conversion = convert(tmp_path / "in")
    path = conversion.dataset / "targetsTr" / "CLINIC_0001.nii.gz"
    assert conversion.failures["CLINIC_0001"] == f"{path}: cannot be written (File too large)"
    assert content(raw) == {}


def test_enhanced_objects_give_what_classic_ones_give(tmp_path, raw):
    classic = convert(write_studies(tmp_path / "classic", (ct_series(), pet_series())))
    study = (enhanced_ct(), enhanced_pet())
    enhanced = convert_dicom(write_studies(tmp_path / "enhanced", study), 2, "ENHANCED", num_processes=1)
    for kind, channel in (("imagesTr", "_0000"), ("targetsTr", "")):
        one = read_volume(classic.dataset / kind / f"CLINIC_0001{channel}.nii.gz")
        other = read_volume(enhanced.dataset / kind / f"ENHANCED_0001{channel}.nii.gz")
        np.testing.assert_allclose(other.array, one.array, rtol=1e-6)
        assert other.grid.matches(one.grid)


def test_each_frame_has_its_own_factor_whatever_the_order_of_the_frames(tmp_path, raw):
    """Frames from head to feet, each measured 100 s after the one before, not corrected for decay."""
    downwards = Grid(PET_GRID.shape, PET_GRID.spacing, (-16.0, -14.0, -467.5), (1, 0, 0, 0, 1, 0, 0, 0, -1))
    (pet,) = enhanced_pet(grid=downwards, array=np.full(PET_GRID.shape, 5000.0), DecayCorrected="NO")
    for number, frame in enumerate(pet.PerFrameFunctionalGroupsSequence):
        content = frame.FrameContentSequence[0]
        content.FrameAcquisitionDateTime = f"2020010209{100 * number // 60:02d}{100 * number % 60:02d}"
        content.FrameAcquisitionDuration = 1000.0
    convert(write_studies(tmp_path / "in", (ct_series(), [pet])))
    found = (
        read_volume(RawDataset(raw / "Dataset001_CLINIC").file("PET", "CLINIC_0001")).to_canonical().array[::-1, 0, 0]
    )
    seconds = 3600 + 0.5 + 100 * np.arange(9)
    np.testing.assert_allclose(found, 5000 * 70000 / 350e6 * 2 ** (seconds / 6586.2), rtol=1e-4)


def spoil(kind, datasets):
    ct, pet = datasets
    if kind == "a missing slice of the CT":
        del ct[5]
    elif kind == "a slope that is no number":
        pet[4]["RescaleSlope"]._value = "NaN"
    elif kind == "a PET without its CT":
        ct.clear()
    elif kind == "a CT without its PET":
        pet.clear()
    elif kind == "a tilted gantry":
        for z, dataset in enumerate(ct):
            put(dataset, {"ImagePositionPatient": [-17.0, -15.0 + z, -500.0 + 3.0 * z]})
    return datasets


SPOILT = {
    "a missing slice of the CT": "1 slice(s) missing between image 5 and image 7",
    "a slope that is no number": "image 5: its RescaleSlope nan",
    "a PET without its CT": "no CT in its study or its frame of reference",
    "a CT without its PET": "no PET was paired with it",
    "a tilted gantry": "a tilted gantry: the slices are sheared by 18.4 degrees",
}


@pytest.mark.parametrize("kind", SPOILT)
def test_bad_input_is_named_and_the_good_study_next_to_it_is_converted(tmp_path, raw, kind):
    write_studies(tmp_path / "in", study_of("GOOD"), spoil(kind, study_of("BAD")))
    conversion = convert(tmp_path / "in", patient_map=tmp_path / "map.csv")
    said = [*conversion.failures.values(), *(item.reason for item in conversion.left_out)]
    assert any(SPOILT[kind] in text for text in said), said
    assert [row.patient_id for row in read_map(tmp_path / "map.csv")] == ["GOOD"]
    assert len(RawDataset(raw / "Dataset001_CLINIC").cases()) == 1


@pytest.mark.parametrize(("kind", "number"), [("PT", 4), ("PT", 0), ("CT", 4)])
def test_a_truncated_file(tmp_path, raw, kind, number):
    write_studies(tmp_path / "in", study_of("GOOD"), study_of("BAD"))
    path = tmp_path / "in" / "exam 1" / f"{kind}{number}"
    path.write_bytes(path.read_bytes()[:-50])
    conversion = convert(tmp_path / "in")
    (message,) = conversion.failures.values()
    series = {"PT": "PET series 3 (9 files)", "CT": "CT series 2 (12 files)"}[kind]
    assert message.startswith(f"{series}: image {number + 1}: its pixels are missing, truncated or damaged")


def test_an_empty_file_in_the_middle_of_a_series(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("GOOD"), study_of("BAD"))
    (tmp_path / "in" / "exam 1" / "PT4").write_bytes(b"")
    conversion = convert(tmp_path / "in")
    reasons = [item.reason for item in conversion.left_out]
    assert "an empty file" in reasons
    assert any("1 slice(s) missing between image 4 and image 6" in reason for reason in reasons)


def test_two_injections_or_nonsense_fail_with_the_tag(tmp_path, raw):
    ct, pet = study_of()
    for dataset in pet:
        dataset.RadiopharmaceuticalInformationSequence = [item(RadionuclideTotalDose=None)]
    (message,) = convert(write_studies(tmp_path / "in", (ct, pet))).failures.values()
    assert "(0018,1074) is missing" in message


def test_values_that_cannot_be_a_patient_are_noted(tmp_path, raw):
    ct, _ = study_of()
    pet = pet_series(array=np.full(PET_GRID.shape, 1e8))
    conversion = convert(write_studies(tmp_path / "in", (ct, pet)))
    assert any(note.startswith("PET: its values reach") for note in conversion.notes["CLINIC_0001"])
    assert math.isfinite(read_volume(RawDataset(raw / "Dataset001_CLINIC").file("PET", "CLINIC_0001")).array.max())
