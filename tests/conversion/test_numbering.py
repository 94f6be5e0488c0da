"""Names of cases and numbers of patients, again and with more studies."""

import shutil

import pytest
from dicom_files import write
from dicom_studies import content, convert, rows, study_of, write_studies

from ct2pet.conversion.patient_map import read_map
from ct2pet.dataset import RawDataset, verify_dataset
from ct2pet.errors import DatasetError


def test_again_changes_nothing(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("A"), study_of("B"))
    first = convert(tmp_path / "in")
    before = content(raw)
    second = convert(tmp_path / "in")
    assert (second.new, second.old) == ((), first.new)
    assert content(raw) == before


def test_case_numbers_do_not_depend_on_folder_and_order_of_the_files(tmp_path, raw):
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
    with pytest.raises(DatasetError, match=r"2 case\(s\) of the dataset .*; give the --patient_map of the run"):
        convert(tmp_path / "more")
    assert content(raw) == before


def test_studies_are_added_without_a_map_if_the_source_still_contains_the_old_ones(tmp_path, raw):
    convert(write_studies(tmp_path / "in", study_of("A")))
    second = study_of("A", 5, study="2", frame="2")
    write(second[0] + second[1], tmp_path / "in" / "more")
    assert convert(tmp_path / "in").new == ("CLINIC_0002",)
    assert {*RawDataset(raw / "Dataset001_CLINIC").patients().values()} == {"P0001"}
