"""Which CT a PET gets."""

import pytest
from dicom_files import CT_GRID, Study, ct_series, pet_series
from dicom_pairs import chosen, pair_all, reason

from ct2pet.volume import Grid

STUDY = Study()


def ct_choice(tmp_path, better, worse):
    """Both orders of the series' numbers: the choice must not come from them."""
    for numbers in ((1, 2), (2, 1)):
        folder = tmp_path / str(numbers[0])
        first = ct_series(series="a", number=numbers[0], **better)
        second = ct_series(series="b", number=numbers[1], **worse)
        exams, left_out = pair_all(folder, pet=pet_series(), better=first, worse=second)
        assert chosen(exams) == [("pet", "better")]
        assert reason(left_out, "worse").endswith("no PET was paired with it")
    return exams[0]


def test_the_ct_of_the_same_frame_of_reference(tmp_path):
    ct_choice(tmp_path, {}, {"FrameOfReferenceUID": "1.2.3"})


def test_the_ct_of_the_same_study(tmp_path):
    ct_choice(tmp_path, {}, {"StudyInstanceUID": "1.2.3"})


def test_the_ct_that_shows_more_of_the_pet(tmp_path):
    ct_choice(tmp_path, {}, {"grid": Grid((6, 16, 18), CT_GRID.spacing, CT_GRID.origin)})


def test_the_axial_ct(tmp_path):
    coronal = Grid((16, 12, 18), (2.0, 3.0, 2.0), (-17.0, -15.0, -467.0), (1, 0, 0, 0, 0, 1, 0, -1, 0))
    ct_choice(tmp_path, {}, {"grid": coronal})


def test_the_original_ct(tmp_path):
    ct_choice(tmp_path, {}, {"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]})


@pytest.mark.parametrize(
    ("soft", "sharp"),
    [("B31f", "B80f"), ("B31f", ["Br64f", "3"]), ("STANDARD", "BONEPLUS"), ("FC08", "FC52"), ("B", "YC"), ("B", "L")],
)
def test_the_ct_of_a_soft_kernel(tmp_path, soft, sharp):
    exam = ct_choice(tmp_path, {"ConvolutionKernel": soft}, {"ConvolutionKernel": sharp})
    assert exam.notes == ()


def test_the_ct_nearer_in_time(tmp_path):
    ct_choice(tmp_path, {"AcquisitionTime": "085700"}, {"AcquisitionTime": "091500"})


def test_the_nearest_ct_across_midnight_whose_date_does_not_change(tmp_path):
    late = {"AcquisitionTime": "000500", "AcquisitionDate": STUDY.date}
    near, far = ct_series(series="a", AcquisitionTime="235800"), ct_series(series="b", AcquisitionTime="010500")
    exams, _ = pair_all(tmp_path, pet=pet_series(**late), near=near, far=far)
    assert chosen(exams) == [("pet", "near")]


def test_a_date_without_a_time_is_no_time_of_a_ct(tmp_path):
    """Acquisition DateTime names midnight of no day; Acquisition Time counts."""
    near = ct_series(series="a", number=2, AcquisitionDateTime="20200102", AcquisitionTime="085700")
    far = ct_series(series="b", number=1, AcquisitionTime="060000")
    exams, _ = pair_all(tmp_path, pet=pet_series(), near=near, far=far)
    assert chosen(exams) == [("pet", "near")]


def test_the_choice_among_equal_cts_is_noted(tmp_path):
    """Phases of a gated CT: nothing but their time, if that, tells them apart."""
    phases = {f"phase{n}": ct_series(series=f"{n}", number=n) for n in (4, 2, 3)}
    exams, _ = pair_all(tmp_path, pet=pet_series(number=9), **phases)
    assert chosen(exams) == [("pet", "phase2")]
    assert exams[0].notes[0].startswith("there are 2 more CT(s) of this kind, such as phases of a gated one")


def test_another_frame_of_reference_or_study_is_noted(tmp_path):
    exams, _ = pair_all(tmp_path / "a", pet=pet_series(), ct=ct_series(FrameOfReferenceUID="1.2.3"))
    assert exams[0].notes == ("CT and PET do not share a frame of reference; check their alignment",)
    exams, _ = pair_all(tmp_path / "b", pet=pet_series(), ct=ct_series(StudyInstanceUID="1.2.3"))
    assert exams[0].notes == ("the CT is of another study",)


def test_missing_frames_of_reference_do_not_count_as_shared(tmp_path):
    nowhere = {"FrameOfReferenceUID": ""}
    exams, _ = pair_all(tmp_path, pet=pet_series(**nowhere), ct=ct_series(**nowhere))
    assert "do not share a frame of reference" in exams[0].notes[0]
