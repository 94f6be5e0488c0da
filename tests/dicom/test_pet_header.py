"""What a synthetic PET says of itself, and what it takes from its CT."""

import pydicom
import pytest
from dicom_files import CT_GRID, PET_GRID, Study, ct_series, enhanced_ct, uid
from dicom_objects import plant_identifiers
from dicom_pets import HAS_DCIODVFY, HOW, complaints, random_pet, source_of, written

import ct2pet
from ct2pet.dicom.reading import quiet

STUDY = Study()


@pytest.fixture
def written_pet(tmp_path):
    """The CT's and the PET's data sets; the PET's slices are 4 mm thick, the CT's 3 mm."""
    datasets = ct_series(STUDY, PatientPosition="FFP", OperatorsName="Secret^Operator", InstitutionName="Secret clinic")
    datasets[0].private_block(0x0011, "ACME", create=True).add_new(1, "LO", "Secret private")
    return datasets, written(tmp_path / "pet", random_pet(PET_GRID), source_of(tmp_path / "ct", datasets))


def test_patient_study_and_frame_of_reference_are_those_of_the_ct(written_pet):
    (ct, *_), pets = written_pet
    for keyword in STUDY.tags():
        if keyword not in ("Manufacturer", "ManufacturerModelName"):
            assert {str(pet.get(keyword, "")) for pet in pets} == {str(ct.get(keyword))}, keyword


def test_names_in_any_letters_stay(tmp_path):
    for character_set, name in (
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 192", "山田^太郎"),
        ("ISO_IR 144", "Люкceмбypг"),
    ):
        datasets = ct_series(SpecificCharacterSet=character_set, PatientName=name)
        folder = tmp_path / character_set
        (pet, *_) = written(folder / "pet", random_pet(CT_GRID), source_of(folder / "ct", datasets))
        assert str(pet.PatientName) == name


def test_only_listed_attributes_of_the_ct_are_copied(written_pet):
    _, pets = written_pet
    assert not any("Secret" in str(pet) for pet in pets)
    assert not any(element.tag.is_private for pet in pets for element in pet)
    assert "KVP" not in pets[0]


def test_every_object_has_uids_of_its_own(written_pet):
    cts, pets = written_pet
    instances = {pet.SOPInstanceUID for pet in pets}
    assert len(instances) == len(pets)
    assert instances.isdisjoint(ct.SOPInstanceUID for ct in cts)
    (series,) = {pet.SeriesInstanceUID for pet in pets}
    assert series != cts[0].SeriesInstanceUID
    assert all(pet.file_meta.MediaStorageSOPInstanceUID == pet.SOPInstanceUID for pet in pets)
    assert [pet.InstanceNumber for pet in pets] == [pet.ImageIndex for pet in pets] == [*range(1, len(pets) + 1)]
    assert {pet.NumberOfSlices for pet in pets} == {len(pets)}


def test_a_synthetic_pet_is_marked_as_synthetic(written_pet):
    pet = written_pet[1][0]
    assert pet.SOPClassUID == pydicom.uid.PositronEmissionTomographyImageStorage
    assert (pet.Modality, pet.Units, pet.SUVType) == ("PT", "GML", "BW")
    assert pet.ImageType[0] == "DERIVED"
    assert "SYNTHETIC" in pet.ImageType
    for text in (pet.SeriesDescription, pet.DerivationDescription, pet.ImageComments):
        assert "synthetic" in text.lower()
        assert "not for diagnosis" in text
    assert HOW in pet.DerivationDescription
    assert (pet.ContentQualification, pet.BurnedInAnnotation) == ("RESEARCH", "NO")
    assert (pet.Manufacturer, pet.SoftwareVersions) == ("ct2pet", ct2pet.__version__)


def test_a_synthetic_pet_has_no_attributes_of_a_measurement(written_pet):
    pet = written_pet[1][0]
    assert len(pet.RadiopharmaceuticalInformationSequence) == 0
    assert pet.DecayCorrection == "NONE"
    for keyword in ("CorrectedImage", "AcquisitionTime", "AcquisitionDate"):
        assert not pet[keyword].value, keyword
    assert pet.ActualFrameDuration == 0


def test_the_patient_position_is_coded(written_pet):
    pet = written_pet[1][0]
    assert "PatientPosition" not in pet  # the standard has one or the other
    (posture,) = pet.PatientOrientationCodeSequence
    assert posture.PatientOrientationModifierCodeSequence[0].CodeMeaning == "prone"
    assert pet.PatientGantryRelationshipCodeSequence[0].CodeMeaning == "feet-first"


def test_each_slice_names_the_images_that_it_is_on(written_pet):
    cts, pets = written_pet
    for pet in pets:
        z, half = float(pet.ImagePositionPatient[2]), float(pet.SliceThickness) / 2
        there = {ct.SOPInstanceUID for ct in cts if abs(float(ct.ImagePositionPatient[2]) - z) <= half}
        named = {item.ReferencedSOPInstanceUID for item in pet.SourceImageSequence}
        assert named == there != set()
        (series,) = pet.ReferencedSeriesSequence
        assert series.SeriesInstanceUID == cts[0].SeriesInstanceUID
        assert {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence} == named
        assert {item.ReferencedSOPClassUID for item in pet.SourceImageSequence} == {cts[0].SOPClassUID}


def test_the_frames_of_an_enhanced_ct_are_named(tmp_path):
    (ct,) = enhanced_ct()
    pets = written(tmp_path / "pet", random_pet(CT_GRID), source_of(tmp_path / "ct", [ct]))
    for index, pet in enumerate(pets):
        (item,) = pet.SourceImageSequence
        assert item.ReferencedSOPInstanceUID == ct.SOPInstanceUID
        assert item.ReferencedFrameNumber == index + 1


def test_a_ct_without_a_frame_of_reference_gives_the_pet_a_new_one(tmp_path):
    pets = written(tmp_path / "pet", random_pet(CT_GRID), source_of(tmp_path / "ct", FrameOfReferenceUID=None))
    (frame,) = {pet.FrameOfReferenceUID for pet in pets}
    assert frame.is_valid
    assert frame != uid("frame", "PAT1", "1")


def test_values_that_break_the_rules_do_not_stop_the_writing_nor_are_they_printed(tmp_path, recwarn, caplog):
    with quiet():
        datasets = ct_series()
        plant_identifiers(datasets)
        for dataset in datasets:
            dataset.add_new("PatientAge", "AS", "ZZSECRET years")
            dataset.add_new("AccessionNumber", "SH", "ZZSECRET" * 5)
            dataset.add_new("StudyTime", "TM", "ZZSECRET")
        source = source_of(tmp_path / "ct", datasets)
    recwarn.clear()
    caplog.clear()
    pets = written(tmp_path / "pet", random_pet(CT_GRID), source)
    assert pets[0].PatientID == datasets[0].PatientID
    assert pets[0].StudyInstanceUID == datasets[0].StudyInstanceUID
    assert (pets[0].AccessionNumber, pets[0].StudyTime) == ("", "")  # such values would make the new objects invalid
    assert "PatientAge" not in pets[0]
    assert pets[0].StudyDescription == datasets[0].StudyDescription
    if HAS_DCIODVFY:
        assert complaints(tmp_path / "pet" / "00001.dcm") == []
    assert not [warning for warning in recwarn if "ZZSECRET" in str(warning.message) and "write" in str(warning)]
    assert "ZZSECRET" not in caplog.text
