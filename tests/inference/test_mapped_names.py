import pytest
from dicom_files import Study, ct_series, write
from tiny import FIELDS

from ct2pet.conversion.patient_map import MapRow, write_map
from ct2pet.errors import DatasetError
from ct2pet.inference.input_files import find_cases


@pytest.fixture
def export(tmp_path):
    """Two folders of DICOM CTs, and the map of a conversion that knows the first one's examination."""
    known, new = Study(patient="A-1", study="3"), Study(patient="B-2", study="4")
    for name, study in (("first", known), ("second", new)):
        write(ct_series(study)[:2], tmp_path / "in" / name)
    rows = [
        MapRow("CLINIC_0007", "P0003", "A-1", str(ct_series(known)[0].StudyInstanceUID), "2020-01-01", "x"),
        MapRow("CLINIC_0008", "P0003", "A-1", "1.2.9", "2021-01-01", "y"),  # another study of the same patient
    ]
    write_map(tmp_path / "map.csv", rows)
    return tmp_path


def names(export, map_name="map.csv"):
    return {case.name: case.image.name for case in find_cases(export / "in", export / "out", FIELDS, export / map_name)}


def test_an_examination_of_the_map_has_its_name_and_others_keep_theirs(export):
    assert names(export) == {"CLINIC_0007": "first", "second": "second"}
    (first, _) = find_cases(export / "in", export / "out", FIELDS, export / "map.csv")
    assert first.output == export / "out" / "CLINIC_0007.nii.gz"  # the name of targetsTr and of evaluation


def test_a_map_without_these_examinations_or_without_rows_is_one_line(export):
    write_map(export / "other.csv", [MapRow("CLINIC_0001", "P0001", "C-3", "1.2.5", "", "")])
    with pytest.raises(DatasetError, match=r"other\.csv: contains none of the 2 examination\(s\)") as caught:
        names(export, "other.csv")
    assert "A-1" not in str(caught.value)
    with pytest.raises(DatasetError, match=r"missing\.csv: not a patient map; make one with ct2pet_convert_dicom"):
        names(export, "missing.csv")


def test_two_folders_of_one_examination_are_refused(export):
    write(ct_series(Study(patient="A-1", study="3"), series="again")[:2], export / "in" / "third")
    with pytest.raises(DatasetError, match="two folders contain the examination CLINIC_0007"):
        names(export)


def test_image_files_have_no_patient_to_look_up(export):
    (export / "files").mkdir()
    (export / "files" / "a.nii.gz").touch()
    with pytest.raises(DatasetError, match="--patient_map needs folders of DICOM files"):
        find_cases(export / "files", export / "out", FIELDS, export / "map.csv")
