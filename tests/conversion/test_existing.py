"""Examinations of the dataset: known again where their files, their records or the chosen series changed."""

import json
import shutil

import pytest
from dicom_files import CT_GRID, PET_GRID, Study, ct_series, pet_series, write
from dicom_studies import content, convert, rows, study_of, write_studies

from ct2pet.conversion.patient_map import read_map
from ct2pet.dataset import RawDataset, update_dataset_json, verify_dataset
from ct2pet.errors import DatasetError
from ct2pet.imageio import read_grid
from ct2pet.volume import Grid

SHORT = Grid((5, 8, 9), PET_GRID.spacing, PET_GRID.origin)


def options(tmp_path, with_map):
    return {"patient_map": tmp_path / "map.csv"} if with_map else {}


def move_to_test(dataset, case):
    for kind, channel in (("images", "_0000"), ("targets", "")):
        (dataset / f"{kind}Ts").mkdir(exist_ok=True)
        name = f"{case}{channel}.nii.gz"
        (dataset / f"{kind}Tr" / name).rename(dataset / f"{kind}Ts" / name)
    update_dataset_json(dataset, numTraining=len(list((dataset / "imagesTr").iterdir())))


def places(dataset):
    return sorted(path.relative_to(dataset).as_posix() for path in dataset.glob("*T[rs]/*"))


@pytest.mark.parametrize("with_map", [True, False])
def test_a_case_whose_missing_file_was_restored_keeps_its_name_and_its_split(tmp_path, raw, with_map):
    source = write_studies(tmp_path / "in", study_of("A"), study_of("B"))
    last = source / "exam 1" / "PT8"
    whole = last.read_bytes()
    last.write_bytes(b"")
    ((case, _),) = convert(source, **options(tmp_path, with_map)).incomplete.items()
    dataset = raw / "Dataset001_CLINIC"
    move_to_test(dataset, case)
    before, table = places(dataset), rows(dataset)
    last.write_bytes(whole)
    conversion = convert(source, **options(tmp_path, with_map))
    assert (conversion.new, len(conversion.old), conversion.incomplete) == ((case,), 1, {})
    assert (places(dataset), rows(dataset)) == (before, table)
    assert read_grid(dataset / "targetsTs" / f"{case}.nii.gz").shape == PET_GRID.shape
    assert verify_dataset(RawDataset(dataset)) == []
    if with_map:
        assert {row.patient_id: row.case for row in read_map(tmp_path / "map.csv")}["B"] == case
        assert len(read_map(tmp_path / "map.csv")) == 2
    assert convert(source, **options(tmp_path, with_map)).new == ()


@pytest.mark.parametrize("with_map", [True, False])
def test_a_case_whose_record_was_removed_keeps_its_name_and_its_split(tmp_path, raw, with_map):
    source = write_studies(tmp_path / "in", study_of("A"), study_of("B"))
    convert(source, **options(tmp_path, with_map))
    dataset = raw / "Dataset001_CLINIC"
    move_to_test(dataset, "CLINIC_0001")
    whole = content(dataset)
    (dataset / "conversion" / "CLINIC_0001.json").unlink()
    assert convert(source, **options(tmp_path, with_map)).new == ("CLINIC_0001",)
    assert content(dataset) == whole


def test_which_of_several_cases_without_a_record_is_whose_is_not_guessed(tmp_path, raw):
    source = write_studies(tmp_path / "in", study_of("A"), study_of("B"), study_of("C"))
    convert(source, patient_map=tmp_path / "map.csv")
    dataset = raw / "Dataset001_CLINIC"
    whole = content(dataset)
    for case in ("CLINIC_0001", "CLINIC_0003"):
        (dataset / "conversion" / f"{case}.json").unlink()
    before = content(dataset)
    with pytest.raises(DatasetError, match=r"2 case\(s\) of the dataset .* no conversion/CASE.json.*--patient_map"):
        convert(source)
    assert content(dataset) == before
    assert convert(source, patient_map=tmp_path / "map.csv").new == ("CLINIC_0001", "CLINIC_0003")
    assert content(dataset) == whole


def test_a_new_examination_does_not_get_the_name_of_a_case_without_a_record(tmp_path, raw):
    source = write_studies(tmp_path / "in", study_of("A"))
    convert(source)
    dataset = raw / "Dataset001_CLINIC"
    (dataset / "conversion" / "CLINIC_0001.json").unlink()
    new = study_of("C")
    write(new[0] + new[1], source / "more")
    with pytest.raises(DatasetError, match="which of 2 examination"):
        convert(source)
    (dataset / "cases.csv").unlink()
    assert convert(source).new == ("CLINIC_0001", "CLINIC_0002")


def test_the_conversion_of_another_source_leaves_a_case_without_a_record_alone(tmp_path, raw):
    convert(write_studies(tmp_path / "in", study_of("A"), study_of("B")), patient_map=tmp_path / "map.csv")
    dataset = raw / "Dataset001_CLINIC"
    (dataset / "conversion" / "CLINIC_0001.json").unlink()
    whole = content(dataset)
    third = write_studies(tmp_path / "other", study_of("C"))
    assert convert(third, patient_map=tmp_path / "map.csv").new == ("CLINIC_0003",)
    after = content(dataset)
    assert all(after[name] == data for name, data in whole.items() if "Tr/" in name)
    assert verify_dataset(RawDataset(dataset)) == []


def test_a_record_of_an_earlier_version_is_known_by_the_map(tmp_path, raw):
    source = write_studies(tmp_path / "in", study_of("A"))
    whole = (source / "exam 0" / "PT8").read_bytes()
    (source / "exam 0" / "PT8").unlink()
    convert(source, patient_map=tmp_path / "map.csv")
    path = raw / "Dataset001_CLINIC" / "conversion" / "CLINIC_0001.json"
    record = json.loads(path.read_text())
    del record["series"]
    path.write_text(json.dumps(record))
    (source / "exam 0" / "PT8").write_bytes(whole)
    assert convert(source, patient_map=tmp_path / "map.csv").new == ("CLINIC_0001",)


@pytest.mark.parametrize("earlier_version", [True, False])
def test_another_pet_of_the_study_from_another_source_is_another_case(tmp_path, raw, earlier_version):
    study = Study("A")
    for name, number in (("one", 3), ("two", 4)):
        write(ct_series(study), tmp_path / name / "ct")
        write(pet_series(study, series=name, number=number), tmp_path / name / "pet")
    convert(tmp_path / "one", patient_map=tmp_path / "map.csv")
    path = raw / "Dataset001_CLINIC" / "conversion" / "CLINIC_0001.json"
    if earlier_version:
        path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "series"}))
    before = content(raw)
    conversion = convert(tmp_path / "two", patient_map=tmp_path / "map.csv")
    assert (conversion.new, conversion.old) == (("CLINIC_0002",), ())
    assert all(content(raw)[name] == data for name, data in before.items() if "0001" in name)
    assert {row.patient for row in read_map(tmp_path / "map.csv")} == {"P0001"}


@pytest.mark.parametrize("with_map", [True, False])
def test_a_better_pet_that_was_restored_replaces_the_case_of_its_study(tmp_path, raw, with_map):
    study = Study("A")
    write(ct_series(study), tmp_path / "in" / "ct")
    write(pet_series(study, SHORT, series="short", number=4), tmp_path / "in" / "short")
    gap = write(pet_series(study), tmp_path / "in" / "long")[4]
    shutil.move(gap, tmp_path / "aside")
    convert(tmp_path / "in", **options(tmp_path, with_map))
    dataset = raw / "Dataset001_CLINIC"
    assert read_grid(dataset / "targetsTr" / "CLINIC_0001.nii.gz").shape == SHORT.shape
    shutil.move(tmp_path / "aside", gap)
    assert convert(tmp_path / "in", **options(tmp_path, with_map)).new == ("CLINIC_0001",)
    assert read_grid(dataset / "targetsTr" / "CLINIC_0001.nii.gz").shape == PET_GRID.shape
    assert len(rows(dataset)) == 1
    assert CT_GRID.matches(read_grid(dataset / "imagesTr" / "CLINIC_0001_0000.nii.gz"))
