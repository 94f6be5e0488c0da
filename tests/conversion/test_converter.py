"""Whole trees converted: what is in the dataset, what fails and how, again and interrupted."""

import csv
import json
import math
import resource
import shutil

import numpy as np
import pytest
from dicom_files import CT_GRID, PET_GRID, Study, ct_series, item, pet_series, put, values, write
from dicom_objects import rtstruct

import ct2pet.files
from ct2pet.conversion import convert_dicom
from ct2pet.conversion.converter import group_left_out, raise_failures
from ct2pet.conversion.patient_map import read_map
from ct2pet.dataset import RawDataset, verify_dataset
from ct2pet.dicom.tree import LeftOut
from ct2pet.errors import CasesFailed, DatasetError
from ct2pet.imageio import read_volume

FACTOR = 70000 / 350e6 * 2 ** (3600 / 6586.2)  # weight, dose and one hour between injection and scan


def study_of(patient="PAT1", seed=0, **study):
    """Slices of CT and PET that look like a patient enough for the integrity check, and differ by seed."""
    rng = np.random.default_rng([seed, *patient.encode()])
    owner = Study(patient, **study)
    return (
        ct_series(owner, array=rng.integers(-1000, 1000, CT_GRID.shape)),
        pet_series(owner, array=rng.uniform(0, 20000, PET_GRID.shape)),
    )


def write_studies(folder, *studies):
    for number, (ct, pet) in enumerate(studies):
        write(ct, folder / f"exam {number}", "CT{}")
        write(pet, folder / f"exam {number}", "PT{}")
    return folder


@pytest.fixture
def raw(tmp_path, monkeypatch):
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    return tmp_path / "raw"


def convert(source, **options):
    return convert_dicom(source, 1, "CLINIC", num_processes=1, **options)


def rows(dataset):
    with (dataset / "cases.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_study_becomes_a_case_in_suv(tmp_path, raw):
    ct, pet = study_of()
    conversion = convert(write_studies(tmp_path / "in", (ct, pet)))
    assert (conversion.new, conversion.old, conversion.failures) == (("CLINIC_0001",), (), {})
    dataset = RawDataset(raw / "Dataset001_CLINIC")
    pet_suv = read_volume(dataset.target("CLINIC_0001"))
    np.testing.assert_allclose(pet_suv.array, values(pet) * FACTOR, rtol=1e-6)
    assert pet_suv.grid.matches(PET_GRID)
    ct_hu = read_volume(dataset.image("CLINIC_0001"))
    np.testing.assert_array_equal(ct_hu.array, values(ct))
    assert ct_hu.grid.matches(CT_GRID)
    assert dataset.lesions("CLINIC_0001") is None
    assert verify_dataset(dataset) == []


def test_the_dataset_is_one_that_the_integrity_check_accepts(tmp_path, raw):
    studies = [study_of(f"PAT{number}", number) for number in range(3)] + [study_of("PAT1", 9, study="2", frame="2")]
    convert(write_studies(tmp_path / "in", *studies))
    dataset = RawDataset(raw / "Dataset001_CLINIC")
    assert verify_dataset(dataset) == []
    assert dataset.cases() == [f"CLINIC_{number:04d}" for number in range(1, 5)]
    patients = list(dataset.patients().values())
    assert sorted(patients.count(patient) for patient in set(patients)) == [1, 1, 2]
    assert set(patients) == {"P0001", "P0002", "P0003"}


def test_several_processes_make_the_same_files_as_one(tmp_path, raw, monkeypatch):
    write_studies(tmp_path / "in", study_of("A"), study_of("B"))
    convert(tmp_path / "in")
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "other"))
    convert_dicom(tmp_path / "in", 1, "CLINIC", num_processes=2)
    assert content(raw) == content(tmp_path / "other")


def test_lesions_of_a_structure_set(tmp_path, raw):
    ct, pet = study_of()
    low, high, z = -5.9, 6.1, PET_GRID.origin[2] + 2 * PET_GRID.spacing[0]
    square = [(low, low, z), (high, low, z), (high, high, z), (low, high, z)]
    write_studies(tmp_path / "in", (ct, pet))
    write([rtstruct({"tumour": [np.array(square)]}, referenced=pet)], tmp_path / "in", "rt{}")
    convert(tmp_path / "in")
    dataset = RawDataset(raw / "Dataset001_CLINIC")
    mask = read_volume(dataset.lesions("CLINIC_0001"))
    assert mask.grid.matches(PET_GRID)
    assert mask.array.sum() == mask.array[2].sum() == 9
    assert verify_dataset(dataset) == []


def test_lesion_rois_reach_the_structures(tmp_path, raw):
    ct, pet = study_of()
    write_studies(tmp_path / "in", (ct, pet))
    square = [(-6.0, -6.0, -495.5), (6.0, -6.0, -495.5), (6.0, 6.0, -495.5), (-6.0, 6.0, -495.5)]
    write([rtstruct({"tumour": [np.array(square)]}, referenced=pet)], tmp_path / "in", "rt{}")
    conversion = convert(tmp_path / "in", lesion_rois="*node*")
    assert not (raw / "Dataset001_CLINIC" / "lesionsTr").exists()
    assert "none of its regions is a lesion" in conversion.notes["CLINIC_0001"][0]


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


def test_the_map_tells_who_is_who_and_only_its_owner_may_read_it(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("A"), study_of("B"))
    path = tmp_path / "map.csv"
    convert(tmp_path / "in", patient_map=path)
    assert path.stat().st_mode & 0o777 == 0o600
    dataset = RawDataset(raw / "Dataset001_CLINIC")
    for row in read_map(path):
        (pet,) = [pet for patient in "AB" for _, pet in [study_of(patient)] if patient == row.patient_id]
        np.testing.assert_allclose(read_volume(dataset.target(row.case)).array, values(pet) * FACTOR, rtol=1e-6)
        assert row.patient == dataset.patients()[row.case]
        assert row.study_instance_uid == str(pet[0].StudyInstanceUID)
        assert row.study_date == "2020-01-02"
        assert row.folder == ("exam 0" if row.patient_id == "A" else "exam 1")


def missing_weight(patient="NOWEIGHT"):
    ct, pet = study_of(patient, weight=None)
    return ct, pet


def test_a_case_that_cannot_be_converted_is_named_and_the_others_go_on(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("A"), missing_weight())
    conversion = convert(tmp_path / "in")
    assert len(conversion.new) == 1
    ((case, message),) = conversion.failures.items()
    assert "(0010,1030) is missing: give weight_kg in --weights_csv" in message
    assert message.startswith("PET series 3 (9 files): ")
    with pytest.raises(CasesFailed) as caught:
        raise_failures(conversion)
    assert caught.value.some_done
    assert case not in json.dumps(sorted(content(raw)))
    assert verify_dataset(RawDataset(raw / "Dataset001_CLINIC")) == []


def test_a_value_of_the_users_is_used_and_only_the_missing_case_is_converted(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("A"), missing_weight())
    first = convert(tmp_path / "in")
    before = content(raw)
    (tmp_path / "weights.csv").write_text("patient,weight_kg\nNOWEIGHT,35\n")
    second = convert(tmp_path / "in", weights_csv=tmp_path / "weights.csv")
    assert second.old == first.new
    assert second.new == tuple(first.failures)
    assert "weight_kg from --weights_csv" in second.notes[second.new[0]]
    _, pet = missing_weight()
    found = read_volume(RawDataset(raw / "Dataset001_CLINIC").target(second.new[0])).array
    np.testing.assert_allclose(found, values(pet) * FACTOR / 2, rtol=1e-6)
    after = content(raw)
    assert all(after[name] == data for name, data in before.items() if "Tr/" in name or "conversion/" in name)


def test_a_row_of_the_table_that_matches_nothing_is_a_mistake(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("A"))
    (tmp_path / "weights.csv").write_text("patient,weight_kg\nA,70\nTYPO,35\n")
    with pytest.raises(DatasetError, match=r"weights.csv: line\(s\) 3 match no examination"):
        convert(tmp_path / "in", weights_csv=tmp_path / "weights.csv")


def test_nothing_but_failures_is_no_dataset(tmp_path, raw):
    conversion = convert(write_studies(tmp_path / "in", missing_weight()))
    with pytest.raises(CasesFailed) as caught:
        raise_failures(conversion)
    assert not caught.value.some_done
    assert content(raw) == {}


def test_again_changes_nothing(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("A"), study_of("B"))
    first = convert(tmp_path / "in")
    before = content(raw)
    second = convert(tmp_path / "in")
    assert (second.new, second.old) == ((), first.new)
    assert content(raw) == before


def test_the_same_images_elsewhere_in_another_order_are_the_same_cases(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("A"), study_of("B"))
    convert(tmp_path / "in")
    for index, path in enumerate(sorted((tmp_path / "in").rglob("*T*"), reverse=True)):
        (tmp_path / "moved").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "moved" / f"{index:04d}") if path.is_file() else None
    assert convert(tmp_path / "moved").new == ()


def test_studies_are_added_and_patients_keep_their_numbers(tmp_path, raw):
    path = tmp_path / "map.csv"
    convert(write_studies(tmp_path / "in", study_of("A"), study_of("B")), patient_map=path)
    before, images = {row.patient_id: row for row in read_map(path)}, content(raw)
    more = write_studies(tmp_path / "more", study_of("C"), study_of("A", 5, study="2", frame="2", date="20210101"))
    conversion = convert(more, patient_map=path)
    assert conversion.new == ("CLINIC_0003", "CLINIC_0004")
    after = read_map(path)
    assert {row.patient for row in after if row.patient_id == "A"} == {before["A"].patient}
    assert {row.patient for row in after if row.patient_id == "C"} == {"P0003"}
    assert [row.case for row in after] == [f"CLINIC_{n:04d}" for n in range(1, 5)]
    assert {*before.values()} <= {*after}
    assert len(rows(raw / "Dataset001_CLINIC")) == 4
    assert all(content(raw)[name] == data for name, data in images.items() if "Tr/" in name)
    dataset = RawDataset(raw / "Dataset001_CLINIC")
    assert dataset.description.num_training == 4
    assert verify_dataset(dataset) == []


def test_studies_are_not_added_where_patients_could_be_mixed_up(tmp_path, raw):
    convert(write_studies(tmp_path / "in", study_of("A"), study_of("B")))
    before = content(raw)
    write_studies(tmp_path / "more", study_of("C"))
    with pytest.raises(DatasetError, match=r"2 case\(s\) of the dataset .*: name the --patient_map of the run"):
        convert(tmp_path / "more")
    assert content(raw) == before


def test_studies_are_added_without_a_map_where_the_folder_still_holds_the_old_ones(tmp_path, raw):
    convert(write_studies(tmp_path / "in", study_of("A")))
    second = study_of("A", 5, study="2", frame="2")
    write(second[0] + second[1], tmp_path / "in" / "more")
    assert convert(tmp_path / "in").new == ("CLINIC_0002",)
    assert {*RawDataset(raw / "Dataset001_CLINIC").patients().values()} == {"P0001"}


def test_rows_and_columns_that_a_user_added_to_cases_csv_stay(tmp_path, raw):
    convert(write_studies(tmp_path / "in", study_of("A")))
    table = raw / "Dataset001_CLINIC" / "cases.csv"
    table.write_text("case,patient,diagnosis,scanner\nCLINIC_0001,P0001,lymphoma,one\n")
    second = study_of("B")
    write(second[0] + second[1], tmp_path / "in" / "more")
    convert(tmp_path / "in")
    by_case = {row["case"]: row for row in rows(table.parent)}
    assert (by_case["CLINIC_0001"]["diagnosis"], by_case["CLINIC_0001"]["scanner"]) == ("lymphoma", "one")
    assert by_case["CLINIC_0002"]["patient"] == "P0002"


def test_what_a_killed_conversion_left_is_cleared_and_done_again(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("A"), study_of("B"))
    convert(tmp_path / "in")
    dataset, whole = raw / "Dataset001_CLINIC", content(raw)
    (dataset / "dataset.json").unlink()
    (dataset / "conversion" / "CLINIC_0002.json").unlink()
    (dataset / "imagesTr" / "CLINIC_0002_0000.nii.gz").unlink()
    (dataset / "targetsTr" / ".partial-abc-CLINIC_0002.nii.gz").write_bytes(b"half")
    (dataset / "lesionsTr").mkdir()
    (dataset / "lesionsTr" / "CLINIC_0002.nii.gz").write_bytes(b"of another choice")
    conversion = convert(tmp_path / "in")
    assert conversion.new == ("CLINIC_0002",)
    assert content(raw) == whole


def test_a_case_whose_image_was_removed_is_made_again(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("A"))
    convert(tmp_path / "in")
    whole = content(raw)
    (raw / "Dataset001_CLINIC" / "targetsTr" / "CLINIC_0001.nii.gz").unlink()
    assert convert(tmp_path / "in").new == ("CLINIC_0001",)
    assert content(raw) == whole


def test_an_interruption_leaves_no_dataset_and_no_half_case(tmp_path, raw, monkeypatch):
    import ct2pet.conversion.exam as module

    write_studies(tmp_path / "in", study_of("A"), study_of("B"))
    real, calls = module.read_ct, []

    def interrupted(stack):
        calls.append(stack)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(stack)

    monkeypatch.setattr(module, "read_ct", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "in")
    files = sorted(path.name for path in raw.rglob("*") if path.is_file())
    assert files == ["CLINIC_0001.json", "CLINIC_0001.nii.gz", "CLINIC_0001_0000.nii.gz"]
    conversion = convert(tmp_path / "in")
    assert (conversion.old, conversion.new) == (("CLINIC_0001",), ("CLINIC_0002",))
    assert verify_dataset(RawDataset(raw / "Dataset001_CLINIC")) == []


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tmp_path, raw, monkeypatch):
    write_studies(tmp_path / "in", study_of("A"), study_of("B"))
    real, calls = ct2pet.files._flush_to_disk, []

    def full(path):
        calls.append(path)
        if len(calls) > 4:  # one case has three files; the second case's CT no longer fits
            raise OSError(28, "No space left on device", str(path))
        real(path)

    monkeypatch.setattr(ct2pet.files, "_flush_to_disk", full)
    with pytest.raises(DatasetError, match=r"Dataset001_CLINIC: cannot be written \(No space left on device\); run"):
        convert(tmp_path / "in")
    files = sorted(path.name for path in raw.rglob("*") if path.is_file())
    assert files == ["CLINIC_0001.json", "CLINIC_0001.nii.gz", "CLINIC_0001_0000.nii.gz"]
    monkeypatch.undo()
    monkeypatch.setenv("ct2pet_raw", str(raw))
    assert convert(tmp_path / "in").new == ("CLINIC_0002",)


def test_a_file_that_outgrows_the_disk_fails_its_case(tmp_path, raw):
    """A real error of writing: the system's limit of a file's size."""
    write_studies(tmp_path / "in", study_of("A"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        conversion = convert(tmp_path / "in")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert conversion.failures["CLINIC_0001"].endswith("CLINIC_0001 cannot be written (File too large)")
    assert content(raw) == {}


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
def test_bad_input_is_named_and_the_good_study_beside_it_is_converted(tmp_path, raw, kind):
    write_studies(tmp_path / "in", study_of("GOOD"), spoil(kind, study_of("BAD")))
    conversion = convert(tmp_path / "in", patient_map=tmp_path / "map.csv")
    said = [*conversion.failures.values(), *(item.reason for item in conversion.left_out)]
    assert any(SPOILT[kind] in text for text in said), said
    assert [row.patient_id for row in read_map(tmp_path / "map.csv")] == ["GOOD"]
    assert len(RawDataset(raw / "Dataset001_CLINIC").cases()) == 1


@pytest.mark.parametrize("number", [4, 0])
def test_a_truncated_file(tmp_path, raw, number):
    write_studies(tmp_path / "in", study_of("GOOD"), study_of("BAD"))
    path = tmp_path / "in" / "exam 1" / f"PT{number}"
    path.write_bytes(path.read_bytes()[:-50])
    conversion = convert(tmp_path / "in")
    (message,) = conversion.failures.values()
    assert f"image {number + 1}: its pixels are missing, cut off or damaged" in message


def test_an_empty_file_in_the_middle_of_a_series(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("GOOD"), study_of("BAD"))
    (tmp_path / "in" / "exam 1" / "PT4").write_bytes(b"")
    conversion = convert(tmp_path / "in")
    reasons = [item.reason for item in conversion.left_out]
    assert "an empty file" in reasons
    assert any("1 slice(s) missing between image 4 and image 6" in reason for reason in reasons)


def test_names_with_spaces_and_letters_of_all_languages(tmp_path, raw):
    ct, pet = study_of("Zoë Ängström")
    write(ct, tmp_path / "Übung (Kopie) 1" / "日本", "CT é {}")
    write(pet, tmp_path / "Übung (Kopie) 1" / "日本", "PT é {}")
    assert convert(tmp_path / "Übung (Kopie) 1", patient_map=tmp_path / "mäp.csv").new == ("CLINIC_0001",)
    assert read_map(tmp_path / "mäp.csv")[0].patient_id == "Zoë Ängström"


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
    assert math.isfinite(read_volume(RawDataset(raw / "Dataset001_CLINIC").target("CLINIC_0001")).array.max())


def test_what_there_is_instead_is_said_where_there_is_nothing_to_convert(tmp_path, raw):
    with pytest.raises(DatasetError, match="no such folder"):
        convert(tmp_path / "nowhere")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("text")
    with pytest.raises(DatasetError, match="no PET with its CT in 1 files; 1 x not a DICOM file"):
        convert(tmp_path / "in")
    assert not raw.exists()


def test_a_dataset_of_another_origin_is_not_touched(tmp_path, raw):
    write_studies(tmp_path / "in", study_of())
    (raw / "Dataset001_CLINIC" / "imagesTr").mkdir(parents=True)
    (raw / "Dataset001_CLINIC" / "imagesTr" / "CLINIC_0001_0000.nii.gz").write_bytes(b"mine")
    before = content(raw)
    with pytest.raises(DatasetError, match="was not made by ct2pet_convert_dicom"):
        convert(tmp_path / "in")
    assert content(raw) == before


def test_an_id_that_is_taken(tmp_path, raw):
    write_studies(tmp_path / "in", study_of())
    (raw / "Dataset001_OTHER").mkdir(parents=True)
    with pytest.raises(DatasetError, match="has the id 1 already; choose another -d, or -n OTHER"):
        convert(tmp_path / "in")


def test_a_name_that_cannot_be_a_case_name(tmp_path, raw):
    with pytest.raises(DatasetError, match="cannot be used"):
        convert_dicom(tmp_path, 1, "my clinic")


def test_reasons_are_counted(tmp_path):
    items = [LeftOut(tmp_path / name, reason) for name, reason in (("a", "x"), ("b", "y"), ("c", "y"))]
    assert group_left_out(items) == [("y", 2), ("x", 1)]


def test_what_is_not_used_stands_in_a_file_that_only_its_owner_may_read(tmp_path, raw):
    source = write_studies(tmp_path / "in", study_of("A"), missing_weight())
    (source / "JANE DOE.txt").write_text("")
    conversion = convert(source, left_out=tmp_path / "list.csv")
    assert (tmp_path / "list.csv").stat().st_mode & 0o777 == 0o600
    with (tmp_path / "list.csv").open(encoding="utf-8", newline="") as file:
        found = [tuple(row.values()) for row in csv.DictReader(file)]
    ((case, message),) = conversion.failures.items()
    assert found == [(case, message, "exam 1"), ("", "an empty file", "JANE DOE.txt")]
    assert "JANE" not in str([message, *(item.reason for item in conversion.left_out)])


@pytest.mark.parametrize("option", ["patient_map", "left_out"])
def test_private_tables_do_not_lie_in_the_dataset_or_nowhere(tmp_path, raw, option):
    write_studies(tmp_path / "in", study_of())
    for place, said in (
        (raw / "Dataset001_CLINIC" / "x.csv", "lies in the dataset"),
        (tmp_path / "no" / "x", "cannot"),
    ):
        with pytest.raises(DatasetError, match=f"{said}.*name another --{option}"):
            convert(tmp_path / "in", **{option: place})
    assert not raw.exists()


def test_a_file_that_is_no_map_is_not_replaced(tmp_path, raw):
    write_studies(tmp_path / "in", study_of())
    path = tmp_path / "thesis.txt"
    path.write_text("years of work")
    with pytest.raises(DatasetError, match="is no map of patients"):
        convert(tmp_path / "in", patient_map=path)
    assert path.read_text() == "years of work"


def test_the_map_of_another_dataset_is_refused(tmp_path, raw):
    write_studies(tmp_path / "in", study_of())
    convert(tmp_path / "in", patient_map=tmp_path / "map.csv")
    with pytest.raises(DatasetError, match=r"is the map of another dataset \(CLINIC_0001\)"):
        convert_dicom(tmp_path / "in", 2, "OTHER", num_processes=1, patient_map=tmp_path / "map.csv")
