"""Whole trees converted: what is in the dataset, what fails and how, and what an interruption leaves."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from dicom_files import CT_GRID, PET_GRID, values, write
from dicom_studies import FACTOR, content, convert, missing_weight, rows, study_of, write_studies
from killed_writes import count_writes, killed_at

import ct2pet.conversion.exam
import ct2pet.files
from ct2pet.conversion import convert_dicom
from ct2pet.conversion.converter import raise_failures
from ct2pet.conversion.patient_map import read_map
from ct2pet.dataset import RawDataset, verify_dataset
from ct2pet.errors import CasesFailed, DatasetError
from ct2pet.imageio import read_volume


def test_a_study_becomes_a_case_in_suv(tmp_path, raw):
    ct, pet = study_of()
    conversion = convert(write_studies(tmp_path / "in", (ct, pet)))
    assert (conversion.new, conversion.old, conversion.failures) == (("CLINIC_0001",), (), {})
    dataset = RawDataset(raw / "Dataset001_CLINIC")
    pet_suv = read_volume(dataset.file("PET", "CLINIC_0001"))
    np.testing.assert_allclose(pet_suv.array, values(pet) * FACTOR, rtol=1e-6)
    assert pet_suv.grid.matches(PET_GRID)
    ct_hu = read_volume(dataset.file("CT", "CLINIC_0001"))
    np.testing.assert_array_equal(ct_hu.array, values(ct))
    assert ct_hu.grid.matches(CT_GRID)
    assert dataset.file("lesions", "CLINIC_0001") is None
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


def test_a_case_that_cannot_be_converted_is_named_and_the_others_continue(tmp_path, raw):
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
    found = read_volume(RawDataset(raw / "Dataset001_CLINIC").file("PET", second.new[0])).array
    np.testing.assert_allclose(found, values(pet) * FACTOR / 2, rtol=1e-6)
    after = content(raw)
    assert all(after[name] == data for name, data in before.items() if "Tr/" in name or "conversion/" in name)


def test_a_row_of_the_table_that_matches_nothing_is_a_mistake(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("A"))
    (tmp_path / "weights.csv").write_text("patient,weight_kg\nA,70\nTYPO,35\n")
    with pytest.raises(DatasetError, match=r"weights.csv: line\(s\) 3 match no examination"):
        convert(tmp_path / "in", weights_csv=tmp_path / "weights.csv")


def test_a_conversion_without_a_converted_case_leaves_no_folder(tmp_path, raw):
    conversion = convert(write_studies(tmp_path / "in", missing_weight()))
    with pytest.raises(CasesFailed) as caught:
        raise_failures(conversion)
    assert not caught.value.some_done
    assert not [*raw.iterdir()]  # an empty folder would occupy the dataset's number


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


def test_an_interruption_leaves_no_dataset_and_no_half_case(tmp_path, raw, monkeypatch):
    convert(write_studies(tmp_path / "in", study_of("A")))
    second = study_of("B")
    write(second[0] + second[1], tmp_path / "in" / "more")
    with monkeypatch.context() as patch:
        patch.setattr(ct2pet.conversion.exam, "read_ct", interrupt)
        with pytest.raises(KeyboardInterrupt):
            convert(tmp_path / "in")
    files = sorted(path.name for path in raw.rglob("*") if path.is_file())
    assert files == [
        *(".dataset.json", "CLINIC_0001.json", "CLINIC_0001.nii.gz", "CLINIC_0001_0000.nii.gz", "cases.csv")
    ]
    conversion = convert(tmp_path / "in")
    assert (conversion.old, conversion.new) == (("CLINIC_0001",), ("CLINIC_0002",))
    assert verify_dataset(RawDataset(raw / "Dataset001_CLINIC")) == []


def interrupt(*_):
    raise KeyboardInterrupt


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_killed_at_any_file_and_started_again_it_makes_the_same_dataset(tmp_path, raw, monkeypatch):
    write_studies(tmp_path / "in", study_of("A"), study_of("B"))
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "whole"))
    files = count_writes(lambda: convert(tmp_path / "in"))
    assert files == 1 + 2 * 3 + 2  # the owner of the lock first
    monkeypatch.setenv("ct2pet_raw", str(raw))
    for number in range(files):
        killed_at(number, lambda: convert(tmp_path / "in"))
        assert not (raw / "Dataset001_CLINIC" / "dataset.json").exists()
        convert(tmp_path / "in")
        assert content(raw) == content(tmp_path / "whole"), f"killed at file {number}"
        shutil.rmtree(raw)


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


def test_names_with_spaces_and_letters_of_all_languages(tmp_path, raw):
    ct, pet = study_of("Zoë Ängström")
    write(ct, tmp_path / "Übung (Kopie) 1" / "日本", "CT é {}")
    write(pet, tmp_path / "Übung (Kopie) 1" / "日本", "PT é {}")
    assert convert(tmp_path / "Übung (Kopie) 1", patient_map=tmp_path / "mäp.csv").new == ("CLINIC_0001",)
    assert read_map(tmp_path / "mäp.csv")[0].patient_id == "Zoë Ängström"


def test_a_folder_without_pairs_is_refused_with_a_list_of_its_files(tmp_path, raw):
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
    with pytest.raises(DatasetError, match="already has the number 1; choose another -d, or -n OTHER"):
        convert(tmp_path / "in")


def test_a_name_that_cannot_be_a_case_name(tmp_path, raw):
    with pytest.raises(DatasetError, match="is not allowed"):
        convert_dicom(tmp_path, 1, "my clinic")


STS = Path(__file__).parents[2].parent / "shared" / "data" / "sts"


@pytest.mark.skipif(not STS.is_dir(), reason="the sarcoma images (../shared/data/sts) are not here")
def test_real_dicom_equals_the_nifti_that_others_made_of_it(tmp_path, raw):
    convert(STS / "dicom", patient_map=tmp_path / "map.csv")
    dataset = RawDataset(raw / "Dataset001_CLINIC")
    found = {row.patient_id: row.case for row in read_map(tmp_path / "map.csv")}
    assert {*found} == {"STS_002", "STS_041"}
    for patient, case in found.items():
        pairs = {
            "CT_image": dataset.file("CT", case),
            "PET_image": dataset.file("PET", case),
            "PET_mask": dataset.file("lesions", case),
        }
        for name, path in pairs.items():
            ours = read_volume(path).to_canonical()
            theirs = read_volume(STS / "nifti" / patient / f"{name}.nii.gz").to_canonical()
            np.testing.assert_allclose(ours.grid.corners, theirs.grid.corners, atol=1e-4)
            np.testing.assert_allclose(ours.array, theirs.array, atol=1e-3 if name == "PET_image" else 0)
