"""SEG objects that highdicom made are read as highdicom reads them, and as the masks that went in."""

import highdicom as hd
import numpy as np
import pytest
from dicom_files import PET_GRID, TILTED, pet_series, write
from dicom_seg import segmentation
from pydicom import dcmread

from ct2pet.dicom.segmentations import regions, segmentation_volume
from ct2pet.errors import ImageError
from ct2pet.resampling import resample
from ct2pet.volume import Grid

OBLIQUE = Grid((6, 8, 9), (4.0, 3.0, 3.5), (-16.0, -14.0, -499.5), TILTED)


def masks(grid, count=2):
    """Boxes that overlap, none of them at the rim; some planes are empty."""
    made = np.zeros((count, *grid.shape), bool)
    for index in range(count):
        made[index, 1 + index : 4, 2 + index : 6, 1 : 4 + index] = True
    return made


def stored(tmp_path, *arguments, **options):
    """The object after it was written and read."""
    (path,) = write(segmentation(*arguments, **options), tmp_path, "seg{}.dcm")
    return dcmread(path)


def on(grid, dataset, segments):
    return resample(segmentation_volume(dataset, segments), grid, labels=True).array


@pytest.mark.parametrize("grid", [PET_GRID, OBLIQUE], ids=["straight", "oblique"])
@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_segments_come_back_where_they_were(tmp_path, grid, kind):
    made = masks(grid)
    dataset = stored(tmp_path, pet_series(grid=grid), made, kind=kind)
    for number in (1, 2):
        assert np.array_equal(on(grid, dataset, {number}), made[number - 1])
    assert np.array_equal(on(grid, dataset, {1, 2}), made.any(axis=0))


def test_segmentations_are_read_as_highdicom_reads_them(tmp_path):
    (path,) = write(segmentation(pet_series(grid=OBLIQUE), masks(OBLIQUE)), tmp_path)
    peer = hd.seg.segread(path).get_volume(segment_numbers=[2], combine_segments=True, relabel=True)
    ours = segmentation_volume(dcmread(path), {2})
    index = np.argwhere(peer.array)
    theirs = np.column_stack([index, np.ones(len(index))]) @ peer.affine.T
    index = np.argwhere(ours.array)[:, ::-1]
    own = np.column_stack([index, np.ones(len(index))]) @ ours.grid.affine.T
    assert len(own) == len(theirs) > 0
    order = [np.lexsort(np.round(points, 3).T) for points in (own, theirs)]
    assert np.allclose(own[order[0]], theirs[order[1]], atol=1e-6)


def test_frames_in_any_order(tmp_path):
    made = masks(PET_GRID, 1)
    reversed_sources = pet_series()[::-1]
    dataset = stored(tmp_path, reversed_sources, made[:, ::-1])
    assert np.array_equal(on(PET_GRID, dataset, {1}), made[0])


def test_a_fraction_counts_from_one_half_on(tmp_path):
    fractions = np.zeros((1, *PET_GRID.shape))
    fractions[0, 2, 3, :5] = [0.2, 0.49, 0.51, 0.8, 1.0]
    dataset = stored(tmp_path, pet_series(), fractions, kind="FRACTIONAL", max_fractional_value=200)
    assert on(PET_GRID, dataset, {1})[2, 3, :5].tolist() == [0, 0, 1, 1, 1]


def test_planes_without_a_frame_are_empty(tmp_path):
    made = np.zeros((1, *PET_GRID.shape), bool)
    made[0, [1, 2, 6], 3, 3] = True
    dataset = stored(tmp_path, pet_series(), made)
    assert len(dataset.PerFrameFunctionalGroupsSequence) == 3
    assert segmentation_volume(dataset, {1}).array.shape[0] == 6  # from the second plane to the seventh
    assert np.array_equal(on(PET_GRID, dataset, {1}), made[0])


def test_a_single_plane(tmp_path):
    made = np.zeros((1, *PET_GRID.shape), bool)
    made[0, 4, 3, 3:6] = True
    dataset = stored(tmp_path, pet_series(), made)
    assert np.array_equal(on(PET_GRID, dataset, {1}), made[0])


def test_irregular_planes_are_refused(tmp_path):
    made = np.ones((1, *PET_GRID.shape), bool)
    dataset = stored(tmp_path, pet_series(), made)
    dataset.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence[0].ImagePositionPatient[2] += 1.5
    with pytest.raises(ImageError, match="regular distances"):
        segmentation_volume(dataset, {1})


def test_planes_that_are_not_parallel_are_refused(tmp_path):
    dataset = stored(tmp_path, pet_series(), masks(PET_GRID, 1))
    own = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    for frame in dataset.PerFrameFunctionalGroupsSequence[1:]:
        frame.PlaneOrientationSequence = own
    del dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    turned = dataset.PerFrameFunctionalGroupsSequence[0]
    turned.PlaneOrientationSequence = [type(own[0])()]
    turned.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    with pytest.raises(ImageError, match="not parallel"):
        segmentation_volume(dataset, {1})


def test_missing_positions_and_damaged_pixels_are_named(tmp_path):
    dataset = stored(tmp_path, pet_series(), masks(PET_GRID, 1))
    dataset.PixelData = dataset.PixelData[:3]
    with pytest.raises(ImageError, match="pixels cannot be read"):
        segmentation_volume(dataset, {1})
    del dataset.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence
    with pytest.raises(ImageError, match="ImagePositionPatient"):
        segmentation_volume(dataset, {1})


def test_the_segments_of_a_label_map_come_back_as_highdicom_reads_them(tmp_path):
    made = masks(OBLIQUE)
    made[1] &= ~made[0]  # a label map holds no overlap
    (path,) = write(segmentation(pet_series(grid=OBLIQUE), made, kind="LABELMAP"), tmp_path)
    dataset = dcmread(path)
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.7"
    for numbers in ({1}, {2}, {1, 2}):
        expected = made[[number - 1 for number in sorted(numbers)]].any(axis=0)
        assert np.array_equal(on(OBLIQUE, dataset, numbers), expected)
    peer = hd.seg.segread(path).get_volume(segment_numbers=[2], combine_segments=True, relabel=True)
    assert (peer.array > 0).sum() == made[1].sum()


def test_label_maps_of_16_bits(tmp_path):
    made = masks(PET_GRID)
    made[1] &= ~made[0]
    dataset = stored(tmp_path, pet_series(), made, kind="LABELMAP", numbers=[1, 300])
    assert dataset.BitsAllocated == 16
    assert np.array_equal(on(PET_GRID, dataset, {300}), made[1])


def test_segments_by_label(tmp_path):
    dataset = stored(tmp_path, pet_series(), masks(PET_GRID), labels=["Tumour left", "Heart"])
    for pattern, expected in ((None, {1, 2}), ("tumour*", {1}), ("lung", set())):
        assert {region.number for region in regions(dataset, pattern) if region.taken} == expected
    with pytest.raises(ImageError, match="no frame"):
        segmentation_volume(dataset, {7})
