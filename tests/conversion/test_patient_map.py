"""Which case is which patient: for the owner alone."""

import os

import numpy as np
import pytest
from dicom_files import values, write
from dicom_studies import FACTOR, convert, study_of, write_studies

import ct2pet.files
from ct2pet.conversion import convert_dicom
from ct2pet.conversion.patient_map import read_map
from ct2pet.dataset import RawDataset, verify_dataset
from ct2pet.errors import Ct2PetError, DatasetError
from ct2pet.imageio import read_volume


def test_the_map_identifies_patients_and_is_readable_only_by_its_owner(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("A"), study_of("B"))
    path = tmp_path / "map.csv"
    convert(tmp_path / "in", patient_map=path)
    assert path.stat().st_mode & 0o777 == 0o600
    dataset = RawDataset(raw / "Dataset001_CLINIC")
    for row in read_map(path):
        (pet,) = [pet for patient in "AB" for _, pet in [study_of(patient)] if patient == row.patient_id]
        np.testing.assert_allclose(read_volume(dataset.file("PET", row.case)).array, values(pet) * FACTOR, rtol=1e-6)
        assert row.patient == dataset.patients()[row.case]
        assert row.study_instance_uid == str(pet[0].StudyInstanceUID)
        assert row.study_date == "2020-01-02"
        assert row.folder == ("exam 0" if row.patient_id == "A" else "exam 1")


def test_a_folder_whose_name_is_not_text_is_in_the_map(tmp_path, raw):
    ct, pet = study_of()
    folder = tmp_path / "in" / os.fsdecode(b"M\xfcller")
    write(ct + pet, folder)
    for _ in range(2):
        assert convert(tmp_path / "in", patient_map=tmp_path / "map.csv").failures == {}
        (row,) = read_map(tmp_path / "map.csv")
        assert tmp_path / "in" / row.folder == folder
        assert verify_dataset(RawDataset(raw / "Dataset001_CLINIC")) == []


@pytest.mark.parametrize("option", ["patient_map", "left_out"])
def test_private_tables_in_the_dataset_or_a_missing_folder_are_refused(tmp_path, raw, option):
    write_studies(tmp_path / "in", study_of())
    for place, said in (
        (raw / "Dataset001_CLINIC" / "x.csv", "is in the dataset"),
        (tmp_path / "no" / "x", "cannot"),
    ):
        with pytest.raises(DatasetError, match=f"{said}.*choose another --{option}"):
            convert(tmp_path / "in", **{option: place})
    assert not raw.exists()


@pytest.mark.parametrize("option", ["patient_map", "left_out"])
def test_an_unwritable_output_is_reported_before_any_work(tmp_path, raw, monkeypatch, option):
    def forbidden(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ct2pet.files.tempfile, "TemporaryFile", forbidden)
    write_studies(tmp_path / "in", study_of())
    with pytest.raises(Ct2PetError, match=r"not writable \(Permission denied\)"):
        convert(tmp_path / "in", **{option: tmp_path / "x.csv"})
    assert not raw.exists()


def test_a_file_that_is_no_map_is_not_replaced(tmp_path, raw):
    write_studies(tmp_path / "in", study_of())
    path = tmp_path / "thesis.txt"
    path.write_text("years of work")
    with pytest.raises(DatasetError, match="is not a patient map"):
        convert(tmp_path / "in", patient_map=path)
    assert path.read_text() == "years of work"


def test_the_map_of_another_dataset_is_refused(tmp_path, raw):
    write_studies(tmp_path / "in", study_of())
    convert(tmp_path / "in", patient_map=tmp_path / "map.csv")
    with pytest.raises(DatasetError, match=r"is the map of another dataset \(CLINIC_0001\)"):
        convert_dicom(tmp_path / "in", 2, "OTHER", num_processes=1, patient_map=tmp_path / "map.csv")
