"""Which PET is chosen, which CT it gets, and what is said about the others."""

from dataclasses import replace

import numpy as np
import pytest
from dicom_files import (
    CT_GRID,
    PET_GRID,
    Study,
    ct_series,
    enhanced_ct,
    enhanced_pet,
    pet_series,
    put,
    write,
)
from dicom_pairs import chosen, pair_all, reason

from ct2pet.dicom.pairing import pair_images
from ct2pet.dicom.tree import scan_tree
from ct2pet.volume import Grid

STUDY = Study()
SHORT_PET = Grid((5, 8, 9), PET_GRID.spacing, PET_GRID.origin)


def test_a_pet_and_its_ct(tmp_path):
    exams, left_out = pair_all(tmp_path, ct=ct_series(), pet=pet_series())
    assert chosen(exams) == [("pet", "ct")]
    assert left_out == []
    assert exams[0].notes == ()
    assert exams[0].patient == "PAT1"


def test_enhanced_objects_are_paired_too(tmp_path):
    exams, _ = pair_all(tmp_path, ct=enhanced_ct(), pet=enhanced_pet())
    assert chosen(exams) == [("pet", "ct")]
    assert exams[0].notes == ()


def test_patients_and_studies_in_one_folder_are_separated(tmp_path):
    studies = [STUDY, STUDY.later(), Study("PAT2"), Study("PAT0")]
    for number, study in enumerate(studies):
        write(ct_series(study), tmp_path, f"c{number}-{{}}")
        write(pet_series(study), tmp_path, f"p{number}-{{}}")
    exams, left_out = pair_images(scan_tree(tmp_path))
    assert [exam.patient for exam in exams] == ["PAT0", "PAT1", "PAT1", "PAT2"]
    assert exams[1].pet.series.time < exams[2].pet.series.time
    assert all(exam.ct.first.study == exam.pet.first.study for exam in exams)
    assert left_out == []


def test_the_corrected_pet_is_preferred_however_the_series_are_numbered(tmp_path):
    nac = pet_series(series="NAC", number=1, CorrectedImage=["DECY", "SCAT"])
    exams, left_out = pair_all(tmp_path, ct=ct_series(), nac=nac, ac=pet_series(number=2))
    assert chosen(exams) == [("ac", "ct")]
    assert reason(left_out, "nac") == "PET series 1 (9 files): not attenuation-corrected (CorrectedImage)"


def test_an_uncorrected_pet_alone_is_omitted(tmp_path):
    nac = enhanced_pet(AttenuationCorrected="NO")
    exams, left_out = pair_all(tmp_path, ct=ct_series(), nac=nac)
    assert exams == []
    assert "not attenuation-corrected" in reason(left_out, "nac")
    assert reason(left_out, "ct") == "CT series 2 (12 files): no PET was paired with it"


def test_a_pet_of_unknown_correction_is_used_if_no_corrected_pet_exists(tmp_path):
    silent = {"CorrectedImage": None, "AttenuationCorrectionMethod": None}
    exams, _ = pair_all(tmp_path, ct=ct_series(), silent=pet_series(series="a", number=1, **silent))
    assert "has no information on attenuation correction" in exams[0].notes[0]
    exams, left_out = pair_all(tmp_path, said=pet_series(series="b", number=7))
    assert chosen(exams) == [("said", "ct")]
    assert exams[0].notes == ()
    assert reason(left_out, "silent").endswith("PET series 7 (9 files) was chosen from the same study")


def test_the_attenuation_correction_method_replaces_a_missing_list_of_corrections(tmp_path):
    exams, left_out = pair_all(
        tmp_path,
        ct=ct_series(),
        none=pet_series(series="a", CorrectedImage=None, AttenuationCorrectionMethod="NONE"),
        some=pet_series(series="b", CorrectedImage=None, AttenuationCorrectionMethod="measured, CTAC"),
    )
    assert chosen(exams) == [("some", "ct")]
    assert "not attenuation-corrected" in reason(left_out, "none")


def test_the_longest_pet_is_preferred(tmp_path):
    exams, _ = pair_all(
        tmp_path, ct=ct_series(), head=pet_series(series="a", number=1, grid=SHORT_PET), body=pet_series(number=2)
    )
    assert chosen(exams) == [("body", "ct")]


def test_a_longer_pet_without_a_ct_does_not_cost_the_study_its_case(tmp_path):
    far = Grid((30, 8, 9), PET_GRID.spacing, (*PET_GRID.origin[:2], -1500.0))
    body = pet_series(replace(STUDY, frame="2"), far, series="body", number=9)
    series = {
        "ct": ct_series(),
        "head": pet_series(number=3),
        "body": body,
        "short": pet_series(grid=SHORT_PET, series="s"),
    }
    exams, left_out = pair_all(tmp_path, **series)
    assert chosen(exams) == [("head", "ct")]
    assert exams[0].notes == ()
    assert reason(left_out, "body") == "PET series 9 (30 files): no CT of the same region (they hardly overlap)"
    assert reason(left_out, "short") == "PET series 3 (5 files): PET series 3 (9 files) was chosen from the same study"


def test_of_several_pets_without_a_ct_none_is_called_chosen(tmp_path):
    _, left_out = pair_all(tmp_path, long=pet_series(), short=pet_series(grid=SHORT_PET, series="s", number=4))
    for folder, label in (("long", "PET series 3 (9 files)"), ("short", "PET series 4 (5 files)")):
        assert reason(left_out, folder) == f"{label}: no CT in its study or its frame of reference"


def test_a_synthetic_pet_does_not_take_the_place_of_a_measured_one_without_a_ct(tmp_path):
    far = Grid((30, 8, 9), PET_GRID.spacing, (*PET_GRID.origin[:2], -1500.0))
    made = pet_series(series="made", number=1, ImageType=["DERIVED", "PRIMARY", "SYNTHETIC"], Units="GML")
    measured = pet_series(replace(STUDY, frame="2"), far, number=9)
    exams, left_out = pair_all(tmp_path, ct=ct_series(), made=made, measured=measured)
    assert exams == []
    assert reason(left_out, "measured").endswith("no CT of the same region (they hardly overlap)")
    assert reason(left_out, "made").endswith("it is synthetic, and the study has a measured PET, which has no CT")


def test_a_pet_in_units_that_give_suv_is_preferred(tmp_path):
    exams, _ = pair_all(
        tmp_path, ct=ct_series(), propcps=pet_series(series="a", number=1, Units="PROPCPS"), bq=pet_series()
    )
    assert chosen(exams) == [("bq", "ct")]


def test_the_first_of_equal_pets_is_used_and_noted(tmp_path):
    exams, _ = pair_all(tmp_path, ct=ct_series(), tof=pet_series(series="a", number=9), plain=pet_series(number=8))
    assert chosen(exams) == [("plain", "ct")]
    assert exams[0].notes == ("the study has 1 more PET(s) of this kind; the lowest series number was chosen",)


@pytest.mark.parametrize("kind", ["DYNAMIC", "GATED"])
def test_dynamic_and_gated_series_are_named_and_left_out(tmp_path, kind):
    moving = pet_series(series="a", number=1, SeriesType=[kind, "IMAGE"]) * 2
    exams, left_out = pair_all(tmp_path, ct=ct_series(), moving=moving, still=pet_series(number=2))
    assert chosen(exams) == [("still", "ct")]
    assert f"a {kind.lower()} series" in reason(left_out, "moving")


def test_a_pet_with_a_missing_slice_is_named(tmp_path):
    datasets = pet_series()
    del datasets[4]
    exams, left_out = pair_all(tmp_path, ct=ct_series(), pet=datasets)
    assert exams == []
    assert "PET series 3 (8 files): 1 slice(s) missing between" in reason(left_out, "pet")


def test_a_pet_whose_last_slices_are_missing_is_noted(tmp_path):
    exams, _ = pair_all(tmp_path, ct=ct_series(), pet=pet_series()[:-1])
    assert exams[0].notes == ("the header of the PET states 9 slices, but 8 exist: its ends may be missing",)
    assert exams[0].incomplete == exams[0].notes


def test_pet_without_ct_and_ct_without_pet(tmp_path):
    exams, left_out = pair_all(tmp_path, pet=pet_series(), ct=ct_series(Study("PAT2")))
    assert exams == []
    assert reason(left_out, "pet").endswith("no CT in its study or its frame of reference")
    assert reason(left_out, "ct").endswith("no PET was paired with it")


def test_a_ct_that_cannot_be_used_is_named_by_its_pet(tmp_path):
    datasets = ct_series()
    del datasets[4]
    exams, left_out = pair_all(tmp_path, pet=pet_series(), ct=datasets)
    assert exams == []
    assert reason(left_out, "pet") == "PET series 3 (9 files): its CT cannot be used (see CT series 2 (11 files))"
    assert "1 slice(s) missing" in reason(left_out, "ct")


def test_a_ct_of_another_patient_in_the_study_is_not_paired_and_the_reason_is_given(tmp_path):
    exams, left_out = pair_all(tmp_path, pet=pet_series(), ct=ct_series(PatientID="pat1"))
    assert exams == []
    assert reason(left_out, "pet").endswith("is of another patient (PatientID)")


def test_a_ct_at_another_position_is_not_paired(tmp_path):
    far = replace(CT_GRID, origin=(-17.0, -15.0, 500.0))
    exams, left_out = pair_all(tmp_path, pet=pet_series(), ct=ct_series(grid=far))
    assert exams == []
    assert reason(left_out, "pet").endswith("no CT of the same region (they hardly overlap)")


def test_lossy_compression_is_noted(tmp_path):
    lossy = {"LossyImageCompression": "01"}
    exams, _ = pair_all(tmp_path, pet=pet_series(**lossy), ct=ct_series(**lossy))
    assert exams[0].notes == ("the CT was compressed with loss", "the PET was compressed with loss")


def test_images_without_a_position_are_no_series(tmp_path):
    datasets = ct_series(series="Protocol")
    for dataset in datasets:
        put(dataset, {"ImagePositionPatient": None})
    exams, left_out = pair_all(tmp_path, pet=pet_series(), ct=ct_series(), protocol=datasets)
    assert chosen(exams) == [("pet", "ct")]
    assert reason(left_out, "protocol").endswith("no position in space (ImagePositionPatient)")


def test_messages_hold_nothing_out_of_the_headers_texts(tmp_path):
    secret = {"SeriesDescription": "JANE DOE", "PatientName": "JANE^DOE", "Manufacturer": "JANE"}
    pets = [pet_series(series=f"JANE{n}", number=n, **secret) for n in (3, 4)]
    del pets[1][3]
    _, left_out = pair_all(tmp_path, a=pets[0], b=pets[1], c=ct_series(series="JANE", **secret))
    assert left_out
    assert not any("JANE" in item.reason or "PAT1" in item.reason for item in left_out)
    assert not np.any(["1.2.826" in item.reason for item in left_out])


def test_a_synthetic_pet_is_the_last_choice_and_named(tmp_path):
    synthetic = {"ImageType": ["DERIVED", "PRIMARY", "SYNTHETIC"], "Units": "GML", "CorrectedImage": None}
    made = pet_series(STUDY, series="made", number=1, **synthetic)
    real = pet_series(STUDY, SHORT_PET, number=9, CorrectedImage=None, ImageType=["DERIVED", "PRIMARY"])
    exams, _ = pair_all(tmp_path, ct=ct_series(), made=made, real=real)
    assert chosen(exams) == [("real", "ct")]
    assert not any("synthetic" in note for note in exams[0].notes)
    exams, _ = pair_all(tmp_path / "alone", ct=ct_series(), made=made)
    assert chosen(exams) == [("made", "ct")]
    assert any("synthetic" in note for note in exams[0].notes)
