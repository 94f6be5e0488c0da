"""Which objects mark the lesions of an examination, on which grid, and what is said about the others."""

import re
from pathlib import Path

import numpy as np
import pytest
from dicom_files import CT_GRID, PET_GRID, Study, ct_series, pet_series, uid, write
from dicom_objects import plant_identifiers, rtstruct
from dicom_seg import LESION, segmentation
from pydicom.sr.codedict import codes

from ct2pet.dicom.examinations import pair
from ct2pet.dicom.structures import read_lesions, unused_structures
from ct2pet.dicom.tree import scan_tree
from ct2pet.imageio import read_volume

STS = Path(__file__).parents[2].parent / "shared" / "data" / "sts"


def square(grid, z, low=1.5, high=4.5):
    """A contour around 9 voxels of one slice."""
    corners = [(low, low), (high, low), (high, high), (low, high)]
    points = np.array([(x, y, z, 1.0) for x, y in corners])
    return (points @ grid.affine.T)[:, :3]


@pytest.fixture
def images(tmp_path):
    """A CT and a PET in tmp_path, as data sets."""
    ct, pet = ct_series(), pet_series()
    write(ct, tmp_path / "ct")
    write(pet, tmp_path / "pet")
    return ct, pet


UNTYPED = "untyped, and its name is of no other structure"


def lesions(tmp_path, *objects, pattern=None, **images):
    for name, datasets in images.items():
        write(datasets, tmp_path / name)
    for index, found in enumerate(objects):
        write(found, tmp_path / f"structures{index}")
    ((exam,), _) = pair(scan_tree(tmp_path))
    return read_lesions(exam.structures, exam.pet, exam.ct, pattern)


def test_no_objects_no_mask(tmp_path, images):
    found = lesions(tmp_path)
    assert found.mask is None
    assert found.notes == ()


def test_contours_on_the_pet(tmp_path, images):
    found = lesions(tmp_path, rtstruct({"a": [square(PET_GRID, 2)], "b": [square(PET_GRID, 5)]}, referenced=images[1]))
    assert found.mask.grid.matches(PET_GRID)
    assert found.mask.array.dtype == np.uint8
    assert [int(plane.sum()) for plane in found.mask.array] == [0, 0, 9, 0, 0, 9, 0, 0, 0]
    assert found.notes == (f"lesions: structure object 1 of 1, drawn on the PET: regions 1, 2 ({UNTYPED})",)


def test_contours_on_the_ct(tmp_path, images):
    found = lesions(tmp_path, rtstruct({"a": [square(CT_GRID, 2)]}, referenced=images[0]))
    assert found.mask.grid.matches(CT_GRID)
    assert found.mask.array.sum() == 9


def test_objects_on_the_pet_count_before_those_on_the_ct(tmp_path, images):
    on_ct = rtstruct({"a": [square(CT_GRID, 2)]}, referenced=images[0], series="on CT")
    on_pet = rtstruct({"a": [square(PET_GRID, 2)]}, referenced=images[1], series="on PET")
    found = lesions(tmp_path, on_ct, on_pet)
    assert found.mask.grid.matches(PET_GRID)
    assert found.mask.array.sum() == 9
    assert "drawn on the PET: regions 1" in found.notes[0]
    assert found.notes[1].endswith("is not used: it is drawn on the CT; others are drawn on the PET")


def test_several_objects_on_one_series_are_taken_together(tmp_path, images):
    one = rtstruct({"a": [square(PET_GRID, 2)]}, referenced=images[1], series="one")
    mask = np.zeros((1, *PET_GRID.shape), bool)
    mask[0, 6, 1:3, 1:3] = True
    found = lesions(tmp_path, one, segmentation(images[1], mask))
    assert [int(plane.sum()) for plane in found.mask.array] == [0, 0, 9, 0, 0, 0, 4, 0, 0]
    assert found.notes[-1] == "the lesions of 2 structure objects are taken together"
    assert {note.partition("drawn on ")[2] for note in found.notes[:-1]} == {
        f"the PET: regions 1 ({UNTYPED})",
        "the PET: regions 1 (coded as a lesion)",
    }


def test_a_segmentation_of_the_ct_is_on_the_grid_of_the_ct(tmp_path, images):
    mask = np.zeros((1, *CT_GRID.shape), bool)
    mask[0, 3:5, 2:6, 3:9] = True
    found = lesions(tmp_path, segmentation(images[0], mask))
    assert found.mask.grid.matches(CT_GRID)
    assert np.array_equal(found.mask.array > 0, mask[0])


def drawn_on_mr(grid, z, **tags):
    """A structure set that references an MR series of the study, in the frame of reference of its PET."""
    mr = ct_series(grid=grid, series="MR", Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    return rtstruct({"GTV": [square(grid, z)]}, referenced=mr, series="on MR", **tags)


def test_contours_that_were_drawn_on_mr_are_not_merged_into_those_of_the_pet(tmp_path, images):
    on_pet = rtstruct({"GTV": [square(PET_GRID, 2)]}, referenced=images[1], series="on PET")
    found = lesions(tmp_path, on_pet, drawn_on_mr(PET_GRID, 5))
    assert [int(plane.sum()) for plane in found.mask.array] == [0, 0, 9, 0, 0, 0, 0, 0, 0]
    (note,) = [note for note in found.notes if "is not used" in note]
    assert "it is drawn on another series (MR) than the PET and the CT of the case; --lesion_rois uses" in note


def test_contours_that_were_drawn_on_mr_alone_are_offered(tmp_path, images):
    mr = drawn_on_mr(PET_GRID, 5)
    found = lesions(tmp_path, mr)
    assert found.mask is None
    assert "--lesion_rois" in found.notes[0]
    found = lesions(tmp_path, mr, pattern="gtv*")
    assert [int(plane.sum()) for plane in found.mask.array] == [0, 0, 0, 0, 0, 9, 0, 0, 0]
    assert "drawn on another series: regions 1" in found.notes[0]


def test_a_pattern_that_fits_on_the_pet_takes_nothing_from_mr(tmp_path, images):
    on_pet = rtstruct({"GTV": [square(PET_GRID, 2)]}, referenced=images[1], series="on PET")
    found = lesions(tmp_path, on_pet, drawn_on_mr(PET_GRID, 5), pattern="GTV")
    assert [int(plane.sum()) for plane in found.mask.array] == [0, 0, 9, 0, 0, 0, 0, 0, 0]
    assert any("it is drawn on another series; others are drawn on the PET" in note for note in found.notes)


def test_an_object_of_another_reconstruction_is_offered_on_the_slices_that_it_fits(tmp_path, images):
    other = pet_series(series="another reconstruction")
    on_pet = rtstruct({"a": [square(PET_GRID, 2)]}, referenced=other)
    assert lesions(tmp_path, on_pet).mask is None
    assert lesions(tmp_path, on_pet, pattern="a").mask.grid.matches(PET_GRID)
    on_ct = rtstruct({"a": [square(CT_GRID, 1)]}, referenced=other)  # 0.6 of a slice beside those of the PET
    assert lesions(tmp_path, on_ct, pattern="a").mask.grid.matches(CT_GRID)


def test_an_object_that_references_nothing_is_tried_on_the_slices_of_its_frame_of_reference(tmp_path, images):
    assert lesions(tmp_path, rtstruct({"a": [square(PET_GRID, 2)]})).mask.grid.matches(PET_GRID)
    assert lesions(tmp_path, rtstruct({"a": [square(CT_GRID, 1)]})).mask.grid.matches(CT_GRID)


def test_images_that_are_referenced_one_by_one_tell_the_series(tmp_path, images):
    (structure,) = rtstruct({"a": [square(CT_GRID, 2)]}, referenced=images[0])
    series = structure.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    series.SeriesInstanceUID = "1.2.3"
    assert lesions(tmp_path, [structure]).mask.grid.matches(CT_GRID)


@pytest.mark.parametrize("tags", [{"StudyInstanceUID": "1.2.3"}, {"PatientID": "anonymous"}])
def test_an_object_of_another_study_or_patient_belongs_to_the_images_that_it_references(tmp_path, images, tags):
    structure = rtstruct({"a": [square(PET_GRID, 2)]}, referenced=images[1], **tags)
    assert lesions(tmp_path, structure).mask.array.sum() == 9
    mask = np.zeros((1, *PET_GRID.shape), bool)
    mask[0, 6, 1:3, 1:3] = True
    (made,) = segmentation(images[1], mask)
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    assert lesions(tmp_path / "seg", [made], ct=images[0], pet=images[1]).mask.array.sum() == 4


ORGAN = (codes.cid7150.AnatomicalStructure, codes.cid7160.Bladder)


def test_a_segment_of_an_organ_is_no_lesion(tmp_path, images):
    made = np.zeros((2, *PET_GRID.shape), bool)
    made[0, 1:8], made[1, 6, 1:3, 1:3] = True, True
    both = segmentation(images[1], made, meanings=[ORGAN, LESION])
    found = lesions(tmp_path, both)
    assert found.mask.array.sum() == 4
    assert "regions 2 (coded as a lesion); not lesions: regions 1 (coded as anatomy" in found.notes[0]
    organs = segmentation(images[1], made, meanings=[ORGAN, ORGAN])
    found = lesions(tmp_path, organs)
    assert found.mask is None
    assert "none of its regions is a lesion: regions 1, 2 (coded as anatomy" in found.notes[0]
    assert lesions(tmp_path, organs, pattern="lesion 1").mask.array.sum() == 7 * 72


def test_the_regions_of_a_structure_set_that_are_no_lesions_are_named(tmp_path, images):
    names = ("BODY", "Liver", "tumour", "PTV", "x")
    (structure,) = rtstruct({name: [square(PET_GRID, z)] for z, name in enumerate(names)}, referenced=images[1])
    for number, kind in enumerate(("EXTERNAL", "ORGAN", "GTV", "", "AVOIDANCE")):
        structure.RTROIObservationsSequence[number].RTROIInterpretedType = kind
    found = lesions(tmp_path, [structure])
    assert [int(plane.sum()) for plane in found.mask.array] == [0, 0, 9, 0, 0, 0, 0, 0, 0]
    said = found.notes[0].partition("drawn on the PET: ")[2]
    assert said == (
        "regions 3 (of the type GTV); not lesions: regions 1 (of the type EXTERNAL), regions 2 (of the type ORGAN), "
        "regions 4 (untyped, named as a planning structure), regions 5 (of the type AVOIDANCE)"
    )


def test_a_label_map_is_read(tmp_path, images):
    made = np.zeros((2, *PET_GRID.shape), bool)
    made[0, 1:4], made[1, 6, 1:3, 1:3] = True, True
    found = lesions(tmp_path, segmentation(images[1], made, kind="LABELMAP", meanings=[ORGAN, LESION]))
    assert found.mask.array.sum() == 4


def test_objects_that_became_nothing_are_named_by_the_notes(tmp_path, images):
    good = rtstruct({"a": [square(PET_GRID, 2)]}, referenced=images[1], series="good")
    write(good, tmp_path / "good")
    write(drawn_on_mr(PET_GRID, 5), tmp_path / "mr")
    ((exam,), _) = pair(scan_tree(tmp_path))
    (unused,) = unused_structures(exam.structures, read_lesions(exam.structures, exam.pet, exam.ct).notes)
    assert unused.path.parent.name == "mr"
    assert unused.reason.startswith("a structure object: it is drawn on another series (MR)")


def test_an_object_of_another_space_is_not_used(tmp_path, images):
    elsewhere = pet_series(Study(frame="other"), series="elsewhere")
    found = lesions(tmp_path, rtstruct({"a": [square(PET_GRID, 2)]}, Study(frame="other"), referenced=elsewhere))
    assert found.mask is None
    assert "neither the PET nor the CT" in found.notes[0]


def test_an_object_that_cannot_be_used_does_not_stop_the_others(tmp_path, images):
    between = rtstruct({"a": [square(PET_GRID, 2.5)]}, referenced=images[1], series="between", SOPInstanceUID=uid("x"))
    good = rtstruct({"a": [square(PET_GRID, 2)]}, referenced=images[1], series="good")
    found = lesions(tmp_path, between, good)
    assert found.mask.array.sum() == 9
    assert "ROI 1: 1 of 1 contours are not in slices" in found.notes[1]


def test_a_damaged_object_is_noted(tmp_path, images):
    (path,) = write(rtstruct({"a": [square(PET_GRID, 2)]}, referenced=images[1]), tmp_path / "structures")
    ((exam,), _) = pair(scan_tree(tmp_path))
    path.write_bytes(path.read_bytes()[:700])
    found = read_lesions(exam.structures, exam.pet, exam.ct)
    assert found.mask is None
    assert "structure object 1 of 1 is not used" in found.notes[0]


def with_a_comma(path):
    """The first point of the contours as a decimal number with a comma."""
    content = path.read_bytes()
    where = content.index(b".", content.index(b"\x06\x30\x50\x00") + 8)
    path.write_bytes(content[:where] + b"," + content[where + 1 :])


@pytest.mark.parametrize("missing", ["contours", "names", "segment", None])
def test_a_malformed_object_does_not_stop_the_others(tmp_path, images, missing):
    (bad,) = rtstruct({"ZZSECRET": [square(PET_GRID, 5)]}, referenced=images[1], series="bad", SOPInstanceUID=uid("x"))
    if missing == "contours":
        del bad.ROIContourSequence[0].ReferencedROINumber
    elif missing == "names":
        del bad.StructureSetROISequence[0].ROINumber
    elif missing == "segment":
        (bad,) = segmentation(images[1], np.ones((1, *PET_GRID.shape), bool), kind="BINARY", meanings=[LESION])
        del bad.SegmentSequence[0].SegmentNumber
    (path,) = write([bad], tmp_path / "bad")
    if missing is None:
        with_a_comma(path)
    found = lesions(tmp_path, rtstruct({"a": [square(PET_GRID, 2)]}, referenced=images[1], series="good"))
    assert found.mask.array.sum() == 9
    (note,) = [note for note in found.notes if "is not used" in note]
    assert re.fullmatch(r"structure object \d of 2 is not used: it is damaged \((AttributeError|ValueError)\)", note)
    ((exam,), _) = pair(scan_tree(tmp_path))
    (unused,) = unused_structures(exam.structures, found.notes)
    assert unused.path == path


def test_regions_by_pattern_and_what_fits_nothing(tmp_path, images):
    structure = rtstruct({"tumour": [square(PET_GRID, 2)], "heart": [square(PET_GRID, 3)]}, referenced=images[1])
    assert lesions(tmp_path, structure, pattern="TUM*").mask.array[3].sum() == 0
    found = lesions(tmp_path, structure, pattern="liver")
    assert found.mask is None
    assert "--lesion_rois" in found.notes[0]


def test_an_empty_mask_is_noted(tmp_path, images):
    found = lesions(tmp_path, rtstruct({"a": []}, referenced=images[1]))
    assert not found.mask.array.any()
    assert found.notes[-1] == "the lesion mask is empty"


def test_notes_hold_nothing_out_of_the_objects(tmp_path, images):
    structure = rtstruct({"ZZSECRET": [square(PET_GRID, 2.5)]}, referenced=images[1])
    plant_identifiers(structure)
    structure[0].PatientID = "PAT1"
    found = lesions(tmp_path, structure)
    assert found.notes
    assert "ZZSECRET" not in str(found)


@pytest.mark.skipif(not STS.is_dir(), reason="the sarcoma images (../shared/data/sts) are not here")
@pytest.mark.parametrize("patient", ["STS_002", "STS_041"])
def test_real_contours_give_the_published_masks(patient):
    """To the voxel: the masks of the IBSI validation data set, made from these contours by its authors."""
    ((exam,), _) = pair(scan_tree(STS / "dicom" / patient))
    ours = read_lesions(exam.structures, exam.pet, exam.ct).mask.to_canonical()
    published = read_volume(STS / "nifti" / patient / "PET_mask.nii.gz", "label").to_canonical()
    assert ours.grid.matches(published.grid)
    assert np.array_equal(ours.array > 0, published.array > 0)
