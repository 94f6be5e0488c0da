"""Which folder is a case, and what it is called."""

import os
from pathlib import Path

import pytest
from dicom_files import Study, ct_series, pet_series, secondary_capture, write

from ct2pet.dicom.folders import dicom_cases, is_renamed, only_ct_series
from ct2pet.errors import DatasetError


def named(**tags):
    return ct_series(**{"PatientName": "Müller-Lüdenscheidt^Hans Peter", "PatientID": "K-4711", **tags})[:1]


def test_each_folder_with_dicom_files_is_a_case(tmp_path):
    write(ct_series(), tmp_path / "in" / "b" / "deep" / "er")
    write(ct_series(Study("PAT2"))[:1], tmp_path / "in" / "ä b")
    write(ct_series()[:1], tmp_path / "in" / ".hidden")
    write(ct_series()[:1], tmp_path / "in" / "out")
    (tmp_path / "in" / "empty").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("text")
    folder = tmp_path / "in"
    assert dicom_cases(folder, folder / "out") == {"b": folder / "b", "ä b": folder / "ä b"}


def test_files_of_a_folder_itself_are_one_case(tmp_path):
    write(ct_series(), tmp_path / "scan")
    write(pet_series(), tmp_path / "scan" / "sub")
    assert dicom_cases(tmp_path / "scan", tmp_path / "out") == {"scan": tmp_path / "scan"}


def test_the_series_of_a_patient_are_one_case_that_is_named_by_the_folder(tmp_path, capsys):
    """As exported by a hospital: a folder for each series. Only the CT is read."""
    patient = tmp_path / "A 1"
    for name, series in {"1_PET": pet_series(), "2_CT": ct_series(), "3_report": secondary_capture()}.items():
        write(series, patient / name)
    assert dicom_cases(patient, tmp_path / "out") == {"A 1": patient}
    assert capsys.readouterr().err == "warning: 2 folder(s) without a CT (DICOM) are left out: 1_PET, 3_report\n"
    assert {header.path.parent for header in only_ct_series(patient).headers} == {patient / "2_CT"}
    write(ct_series(Study("PAT2")), tmp_path / "B" / "CT")
    assert dicom_cases(tmp_path, tmp_path / "out") == {"A 1": patient, "B": tmp_path / "B"}
    assert capsys.readouterr().err == ""


def test_folders_without_a_ct_are_left_out_among_several_patients(tmp_path, capsys):
    for name, study in (("hans", Study("HANS")), ("b", Study("B"))):
        write(ct_series(study)[:1], tmp_path / f"{name}_CT")
        write(pet_series(study)[:1], tmp_path / f"{name}_PET")
    names = [case for case in dicom_cases(tmp_path, tmp_path / "out") if case == "b_CT" or case.startswith("ct_")]
    assert len(names) == 2
    message = capsys.readouterr().err
    assert message.startswith("warning: 2 folder(s) without a CT (DICOM) are left out: b_PET, ct_")
    assert "hans" not in message


@pytest.mark.parametrize(
    ("folder", "patient", "case"), [("ct", None, "P"), ("CT", None, "P"), ("scan", None, "scan"), ("CT", "other", "CT")]
)
def test_a_folder_with_one_ct_gives_its_name_where_the_inner_folder_is_a_series(tmp_path, folder, patient, case):
    write(ct_series()[:1], tmp_path / "P" / folder)
    if patient is not None:
        write(pet_series(Study(patient))[:1], tmp_path / "P" / "PET")
    assert list(dicom_cases(tmp_path / "P", tmp_path / "out")) == [case]


def test_several_cts_of_a_patient_are_cases_of_their_own(tmp_path):
    for name, series in {
        "CT low": ct_series(series="low"),
        "CT sharp": ct_series(series="sharp"),
        "PET": pet_series(),
    }.items():
        write(series[:1], tmp_path / name)
    assert list(dicom_cases(tmp_path, tmp_path / "out")) == ["CT low", "CT sharp"]


@pytest.mark.parametrize("inner", [".", "PET"])
def test_dicom_files_without_a_ct_are_refused(tmp_path, inner):
    write(pet_series()[:2], tmp_path / inner)
    with pytest.raises(DatasetError, match="its DICOM files contain no CT; only CTs are read from DICOM"):
        dicom_cases(tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    "folder",
    [
        "Mueller LÜDENSCHEIDT",
        "hans",
        "Peter 2",
        "x_k4711_y",
        "19500101",
        "CT 1950-01-01",
        "01.01.1950",
        "acc1",
        "PHans",
    ],
)
def test_a_folder_that_is_called_like_its_patient_gets_another_name(tmp_path, folder):
    write(named(), tmp_path / folder)
    ((case, path),) = dicom_cases(tmp_path, tmp_path / "out").items()
    assert path.name == folder
    assert case.startswith("ct_")
    assert len(case) == 11
    assert is_renamed(case, path)
    assert dicom_cases(path, tmp_path / "out") == {case: path}  # the same, wherever one begins


@pytest.mark.parametrize(
    ("patient", "folder"),
    [
        ("Müller^Eva", "Mueller_CT1"),
        ("Müller^Eva", "muller"),
        ("Mueller^Eva", "Müller"),
        ("Mueller^Eva", "Muller 2"),
        ("Müller^Eva", os.fsdecode(b"M\xfcller")),
        ("Lü^Eva", os.fsdecode(b"CT_L\xfc")),
        ("Sørensen^Åse", "Soerensen"),
        ("Sørensen^Åse", "Sorensen2"),
        ("Sørensen^Åse", "scan Aase"),
        ("Kowal^Łukasz", "Lukasz"),
        ("Bjærg^X", "Bjaerg"),
        ("Đorđević^X", "dordevic"),
        ("Strauß^X", "Strauss"),
        ("Özgür Yıldız^X", "yildiz"),
    ],
)
def test_any_spelling_of_the_patient_gives_the_folder_another_name(tmp_path, patient, folder):
    write(named(PatientName=patient), tmp_path / folder)
    ((case, path),) = dicom_cases(tmp_path, tmp_path / "out").items()
    assert is_renamed(case, path)
    assert case.startswith("ct_")


@pytest.mark.parametrize("folder", ["case_01", "4711", "CT thorax", "Li", "2"])
def test_other_folders_keep_their_names(tmp_path, folder):
    write(named(PatientID="2-4712"), tmp_path / folder)
    assert list(dicom_cases(tmp_path, tmp_path / "out")) == [folder]


def test_short_names_are_found_as_words(tmp_path):
    write(named(PatientName="Li^Wu"), tmp_path / "li_1")
    write(named(PatientName="Li^Wu"), tmp_path / "clinic")
    cases = dicom_cases(tmp_path, tmp_path / "out")
    assert [path.name for case, path in cases.items() if is_renamed(case, path)] == ["li_1"]


def test_two_folders_of_the_same_series_are_refused(tmp_path):
    for folder in ("hans 1", "hans 2"):
        write(named(), tmp_path / folder)
    with pytest.raises(DatasetError, match=r"two of its folders contain the same series \(ct_"):
        dicom_cases(tmp_path, tmp_path / "out")


def test_data_without_identities_keep_their_names(tmp_path):
    write(ct_series(Study("STS_001"), PatientIdentityRemoved="YES")[:1], tmp_path / "STS_001")
    assert list(dicom_cases(tmp_path, tmp_path / "out")) == ["STS_001"]


def test_a_link_gives_its_own_name_and_a_dot_that_of_the_folder(tmp_path, monkeypatch):
    (tmp_path / "cases").mkdir()
    for patient in ("A1", "A2"):
        write(ct_series()[:1], tmp_path / patient / "CT")
        (tmp_path / "cases" / patient).symlink_to(tmp_path / patient / "CT", target_is_directory=True)
    assert list(dicom_cases(tmp_path / "cases", tmp_path / "out")) == ["A1", "A2"]
    monkeypatch.chdir(tmp_path / "A1" / "CT")
    assert list(dicom_cases(Path(), tmp_path / "out")) == ["CT"]


def test_a_patient_whose_series_is_a_link_is_a_case(tmp_path):
    for patient in ("A1", "B1"):
        write(ct_series(Study(patient))[:1], tmp_path / "archive" / patient)
        (tmp_path / "in" / patient).mkdir(parents=True)
        (tmp_path / "in" / patient / "again").symlink_to(tmp_path / "in" / patient, target_is_directory=True)
        (tmp_path / "in" / patient / "CT").symlink_to(tmp_path / "archive" / patient, target_is_directory=True)
    folder = tmp_path / "in"
    assert dicom_cases(folder, tmp_path / "out") == {"A1": folder / "A1", "B1": folder / "B1"}
