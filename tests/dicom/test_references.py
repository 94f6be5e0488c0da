"""Which images an object names, wherever it names them."""

from pathlib import Path

import numpy as np
import pytest
from dicom_files import Study, ct_series, item, new_object, pet_series
from dicom_objects import RTSTRUCT, rtstruct
from dicom_seg import segmentation
from pydicom import dcmread
from pydicom.sequence import Sequence
from pydicom.uid import MRImageStorage

from ct2pet.dicom.references import References, references_of

STS = Path(__file__).parents[2].parent / "shared" / "data" / "sts"
SQUARE = [(0.0, 0.0, 0.0), (9.0, 0.0, 0.0), (9.0, 9.0, 0.0)]


def instances(datasets):
    return {str(dataset.SOPInstanceUID) for dataset in datasets}


def test_a_structure_set_names_series_images_and_frame_of_reference():
    pet = pet_series()
    found = references_of(rtstruct({"a": [SQUARE]}, referenced=pet)[0])
    assert found.series == {pet[0].SeriesInstanceUID}
    assert found.instances == instances(pet)
    assert found.frames == {pet[0].FrameOfReferenceUID}
    assert found.modalities == ("PET",)
    assert found.name_any("1.2.3", [pet[4].SOPInstanceUID])
    assert found.name_any(pet[0].SeriesInstanceUID, [])
    assert not found.name_any("1.2.3", instances(ct_series()))


def test_a_segmentation_names_series_and_images():
    ct = ct_series()
    mask = np.zeros((1, *(len(ct), 16, 18)), bool)
    mask[0, 3] = True
    (made,) = segmentation(ct, mask)
    found = references_of(made)
    assert found.series == {ct[0].SeriesInstanceUID}
    assert ct[3].SOPInstanceUID in found.instances
    assert found.modalities == ("CT",)
    del made.ReferencedSeriesSequence
    assert references_of(made).series == set()
    assert ct[3].SOPInstanceUID in references_of(made).instances  # of its frames


def test_images_of_contours_count_too():
    (made,) = rtstruct({"a": [SQUARE]})
    image = item(ReferencedSOPClassUID=MRImageStorage, ReferencedSOPInstanceUID="1.2.3")
    made.ROIContourSequence[0].ContourSequence[0].ContourImageSequence = Sequence([image])
    found = references_of(made)
    assert (found.instances, found.modalities) == ({"1.2.3"}, ("MR",))


def test_an_object_without_references():
    found = references_of(new_object(RTSTRUCT, Study(), "RT", "RTSTRUCT"))
    assert found == References()
    assert not found
    assert not references_of(rtstruct({"a": [SQUARE]})[0])  # a frame of reference is no image


@pytest.mark.skipif(not STS.is_dir(), reason="the sarcoma images (../shared/data/sts) are not here")
@pytest.mark.parametrize("modality", ["CT", "PET"])
def test_real_structure_sets_name_the_series_next_to_them(modality):
    folder = STS / "dicom" / "STS_002" / modality
    (path,) = (folder / "mask").iterdir()
    found = references_of(dcmread(path))
    image = dcmread(next((folder / "image").iterdir()), stop_before_pixels=True)
    assert found.series == {image.SeriesInstanceUID}
    assert found.modalities == (modality,)
