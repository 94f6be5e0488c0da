"""Which objects mark the lesions of an examination, on which grid, and what is said about the others."""

from pathlib import Path

import numpy as np
import pytest
from dicom_files import CT_GRID, PET_GRID, Study, ct_series, pet_series, uid, write
from dicom_objects import plant_identifiers, rtstruct
from dicom_seg import segmentation

from ct2pet.dicom.pairing import pair
from ct2pet.dicom.structures import read_lesions
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


def lesions(tmp_path, *objects, pattern=None):
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
    assert found.notes == ()


def test_contours_on_the_ct(tmp_path, images):
    found = lesions(tmp_path, rtstruct({"a": [square(CT_GRID, 2)]}, referenced=images[0]))
    assert found.mask.grid.matches(CT_GRID)
    assert found.mask.array.sum() == 9


def test_objects_on_the_pet_count_before_those_on_the_ct(tmp_path, images):
    on_ct = rtstruct({"a": [square(CT_GRID, 2)]}, referenced=images[0], series="on CT")
    on_pet = rtstruct({"a": [square(PET_GRID, 2)]}, referenced=images[1], series="on PET")
    found = lesions(tmp_path, on_ct, on_pet)
    assert found.mask.grid.matches(PET_GRID)
    assert found.notes == ("1 structure object(s) on the CT not used: others are on the PET",)


def test_several_objects_on_one_series_are_taken_together(tmp_path, images):
    one = rtstruct({"a": [square(PET_GRID, 2)]}, referenced=images[1], series="one")
    mask = np.zeros((1, *PET_GRID.shape), bool)
    mask[0, 6, 1:3, 1:3] = True
    found = lesions(tmp_path, one, segmentation(images[1], mask))
    assert [int(plane.sum()) for plane in found.mask.array] == [0, 0, 9, 0, 0, 0, 4, 0, 0]
    assert found.notes == ("the lesions of 2 structure objects are taken together",)


def test_a_seg_on_the_ct_stays_on_the_ct(tmp_path, images):
    mask = np.zeros((1, *CT_GRID.shape), bool)
    mask[0, 3:5, 2:6, 3:9] = True
    found = lesions(tmp_path, segmentation(images[0], mask))
    assert found.mask.grid.matches(CT_GRID)
    assert np.array_equal(found.mask.array > 0, mask[0])


def test_an_object_of_another_series_in_the_same_space_is_tried_on_the_slices_that_it_fits(tmp_path, images):
    other = pet_series(series="another reconstruction")
    on_pet = rtstruct({"a": [square(PET_GRID, 2)]}, referenced=other)
    assert lesions(tmp_path, on_pet).mask.grid.matches(PET_GRID)
    on_ct = rtstruct({"a": [square(CT_GRID, 1)]}, referenced=other)  # 0.6 of a slice beside those of the PET
    assert lesions(tmp_path, on_ct).mask.grid.matches(CT_GRID)


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
    (note,) = found.notes
    assert "ROI 1: 1 of 1 contours do not lie in slices" in note


def test_a_damaged_object_is_noted(tmp_path, images):
    (path,) = write(rtstruct({"a": [square(PET_GRID, 2)]}, referenced=images[1]), tmp_path / "structures")
    ((exam,), _) = pair(scan_tree(tmp_path))
    path.write_bytes(path.read_bytes()[:700])
    found = read_lesions(exam.structures, exam.pet, exam.ct)
    assert found.mask is None
    assert "structure object 1 of 1 is not used" in found.notes[0]


def test_regions_by_pattern_and_what_fits_nothing(tmp_path, images):
    structure = rtstruct({"tumour": [square(PET_GRID, 2)], "heart": [square(PET_GRID, 3)]}, referenced=images[1])
    assert lesions(tmp_path, structure, pattern="TUM*").mask.array[3].sum() == 0
    found = lesions(tmp_path, structure, pattern="liver")
    assert found.mask is None
    assert "--lesion_rois" in found.notes[0]


def test_an_empty_mask_is_said_to_be_empty(tmp_path, images):
    found = lesions(tmp_path, rtstruct({"a": []}, referenced=images[1]))
    assert not found.mask.array.any()
    assert found.notes == ("the lesion mask is empty",)


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
