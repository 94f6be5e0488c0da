"""Which structure objects belong to which examination, and what is said about the others."""

from dicom_files import Study, ct_series, new_object, pet_series, uid, write
from dicom_objects import RTSTRUCT, rtstruct

from ct2pet.dicom.examinations import pair
from ct2pet.dicom.tree import scan_tree

STUDY, LATER, OTHER = Study(), Study().later(), Study("PAT2")
SQUARE = [(0.0, 0.0, 0.0), (9.0, 0.0, 0.0), (9.0, 9.0, 0.0)]


def images(folder, *studies):
    """CT and PET of each study, written; the PETs as data sets."""
    pets = []
    for number, study in enumerate(studies):
        write(ct_series(study), folder / f"ct{number}")
        pets.append(pet_series(study))
        write(pets[-1], folder / f"pet{number}")
    return pets


def structure(folder, name, study=STUDY, referenced=(), **tags):
    write(rtstruct({"a": [SQUARE]}, study, referenced, series=name, **tags), folder / name)


def belonging(folder):
    """The names of the structure objects of each examination, and of those that belong to none."""
    exams, left_out = pair(scan_tree(folder))
    reasons = {(item.path if item.path.is_dir() else item.path.parent).name: item.reason for item in left_out}
    return [[item.path.parent.name for item in exam.structures] for exam in exams], reasons, exams


def test_an_object_without_references_is_assigned_to_its_study(tmp_path):
    images(tmp_path, STUDY)
    write([new_object(RTSTRUCT, STUDY, "RT", "RTSTRUCT")], tmp_path / "own")
    found, reasons, exams = belonging(tmp_path)
    assert found == [["own"]]
    assert reasons == {}
    assert exams[0].notes == ()


def test_an_object_of_another_study_or_patient_belongs_to_the_images_that_it_names(tmp_path):
    (pet,) = images(tmp_path, STUDY)
    structure(tmp_path, "study", referenced=pet, StudyInstanceUID=uid("its own"))
    structure(tmp_path, "patient", referenced=pet, PatientID="anonymous", StudyInstanceUID=uid("its own"))
    found, reasons, exams = belonging(tmp_path)
    assert sorted(found[0]) == ["patient", "study"]
    assert reasons == {}
    assert exams[0].notes[0].startswith("2 structure object(s) of another study or patient")


def test_references_count_before_the_study(tmp_path):
    _, second = images(tmp_path, STUDY, LATER)
    structure(tmp_path, "rt", STUDY, second)
    found, _, _ = belonging(tmp_path)
    assert found == [[], ["rt"]]


def test_an_object_without_references_belongs_to_its_frame_of_reference(tmp_path):
    images(tmp_path, STUDY, OTHER)
    structure(tmp_path, "rt", OTHER, StudyInstanceUID=uid("its own"))
    found, _, _ = belonging(tmp_path)
    assert found == [[], ["rt"]]


def test_an_object_of_no_case_is_named(tmp_path):
    images(tmp_path, STUDY)
    structure(tmp_path, "foreign", OTHER)
    structure(tmp_path, "later", LATER)
    found, reasons, _ = belonging(tmp_path)
    assert found == [[]]
    assert sorted(reasons) == ["foreign", "later"]
    assert reasons["foreign"].startswith("a structure object that belongs to no case")


def test_an_object_whose_pet_is_no_case_is_named(tmp_path):
    pet = pet_series()
    write(pet, tmp_path / "pet")
    structure(tmp_path, "rt", referenced=pet)
    found, reasons, _ = belonging(tmp_path)
    assert found == []
    assert sorted(reasons) == ["pet", "rt"]
