"""Contours become masks: areas counted by hand, and polygons of any shape compared with scikit-image's."""

import numpy as np
import pytest
from dicom_files import TILTED
from dicom_objects import rtstruct
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from ct2pet.dicom.contours import closed_contours, rasterise, regions
from ct2pet.errors import ImageError
from ct2pet.volume import Grid

GRID = Grid((5, 12, 14), (3.0, 2.0, 2.0), (-10.0, 20.0, -300.0))
OBLIQUE = Grid((5, 12, 14), (3.0, 2.0, 2.5), (-10.0, 20.0, -300.0), TILTED)


def place(polygon, z, grid=GRID):
    """Points x, y of the index in slice z, as a contour in mm."""
    points = np.array([(x, y, z, 1.0) for x, y in polygon])
    return (points @ grid.affine.T)[:, :3]


def rectangle(x0, y0, x1, y1):
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def test_a_rectangle_contains_the_voxels_with_centres_inside():
    # x from 1.5 to 5.5 holds the centres 2, 3, 4, 5; y from 2.5 to 4.5 holds 3, 4: 8 voxels of 2 x 2 x 3 mm, 96 mm3.
    mask = rasterise([place(rectangle(1.5, 2.5, 5.5, 4.5), 2)], GRID)
    assert mask.sum() * GRID.voxel_ml == pytest.approx(0.096)
    assert mask[2, 3:5, 2:6].all()


def test_a_triangle_contains_the_voxels_with_centres_inside():
    # Centres (x, y) with x > 0.5, y > 0.5 and x + y < 5.5, the corners being (0.5, 0.5), (5, 0.5), (0.5, 5):
    # x = 1: y 1 to 4, x = 2: 1 to 3, x = 3: 1 and 2, x = 4: 1. Ten.
    mask = rasterise([place([(0.5, 0.5), (5.0, 0.5), (0.5, 5.0)], 0)], GRID)
    expected = {(1, y) for y in (1, 2, 3, 4)} | {(2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (4, 1)}
    assert {(x, y) for _, y, x in np.argwhere(mask)} == expected


def test_a_contour_inside_another_is_a_hole_and_one_inside_the_hole_an_island():
    rings = [rectangle(0.5, 0.5, 9.5, 9.5), rectangle(2.5, 2.5, 7.5, 7.5), rectangle(4.5, 4.5, 5.5, 5.5)]
    mask = rasterise([place(ring, 1) for ring in rings], GRID)
    assert mask.sum() == 81 - 25 + 1
    assert mask[1, 5, 5]
    assert not mask[1, 4, 4]


def test_a_hole_joined_to_the_rim_by_a_channel_of_no_width():
    keyhole = [(0.5, 0.5), (9.5, 0.5), (9.5, 9.5), (0.5, 9.5), (0.5, 3.5)]
    keyhole += [(3.5, 3.5), (3.5, 6.5), (6.5, 6.5), (6.5, 3.5), (3.5, 3.5), (0.5, 3.5)]
    assert rasterise([place(keyhole, 1)], GRID).sum() == 81 - 9


def test_two_separate_contours_of_one_slice_are_both_there():
    mask = rasterise([place(rectangle(0.5, 0.5, 2.5, 2.5), 1), place(rectangle(5.5, 5.5, 8.5, 8.5), 1)], GRID)
    assert mask.sum() == 4 + 9


def test_a_contour_that_occurs_twice_counts_once():
    contour = place(rectangle(0.5, 0.5, 2.5, 2.5), 1)
    assert rasterise([contour, contour.copy()], GRID).sum() == 4


def test_contours_beyond_the_volume_are_cut():
    mask = rasterise([place(rectangle(-5, -5, 50, 50), z) for z in (-1, 0, 4, 5)], GRID)
    assert [int(plane.sum()) for plane in mask] == [168, 0, 0, 0, 168]


def test_oblique_slices():
    mask = rasterise([place(rectangle(1.5, 2.5, 5.5, 4.5), 3, OBLIQUE)], OBLIQUE)
    assert mask.sum() == mask[3, 3:5, 2:6].sum() == 8


@pytest.mark.parametrize("z", [1.5, 2.3, 1.7])
def test_contours_between_slices_are_counted_and_refused(z):
    contours = [place(rectangle(0.5, 0.5, 2.5, 2.5), place_z) for place_z in (1.0, z)]
    with pytest.raises(ImageError, match="1 of 2 contours"):
        rasterise(contours, GRID)


def test_contours_a_little_off_their_slice_are_taken():
    assert rasterise([place(rectangle(0.5, 0.5, 2.5, 2.5), 1.2)], GRID)[1].sum() == 4


def test_contours_across_slices_are_refused():
    sagittal = np.array([(0.0, 22.0, -300.0), (0.0, 30.0, -300.0), (0.0, 30.0, -290.0), (0.0, 22.0, -290.0)])
    with pytest.raises(ImageError, match="1 of 1 contours"):
        rasterise([sagittal], GRID)


def test_a_contour_of_one_or_two_points_contains_no_voxel():
    assert not rasterise([place([(3, 3)], 1), place([(3, 3), (8, 8)], 1)], GRID).any()


coordinates = st.integers(-20, 150).map(lambda n: n / 10 + 0.0371)  # never at the centre of a voxel


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9))
def test_polygons_of_any_shape_as_in_scikit_image(polygon):
    expected = polygon2mask(GRID.shape[1:], [(y, x) for x, y in polygon])
    assert np.array_equal(rasterise([place(polygon, 2)], GRID)[2], expected)


SQUARE = [(0.0, 0.0, 0.0), (9.0, 0.0, 0.0), (9.0, 9.0, 0.0)]


def structure_set(types=(), **contours):
    (dataset,) = rtstruct(contours)
    for item, kind in zip(dataset.RTROIObservationsSequence, types):
        item.RTROIInterpretedType = kind
    return dataset


def taken(dataset, pattern=None):
    return [region.number for region in regions(dataset, pattern) if region.taken]


def test_the_type_of_each_roi_counts():
    contours = {"a": [SQUARE], "b": [SQUARE], "c": [SQUARE], "d": [SQUARE]}
    assert taken(structure_set(["", "GTV", "EXTERNAL", "PTV"], **contours)) == [1, 2]


def test_a_pattern_chooses_by_name_whatever_the_type():
    dataset = structure_set(["PTV", "", ""], **{"Tumour 1": [SQUARE], "tumour 2 ": [SQUARE], "heart": [SQUARE]})
    assert taken(dataset, "tumour*") == [1, 2]
    assert taken(dataset, "liver") == []


def test_an_roi_without_contours_or_observation_is_none_or_untyped():
    dataset = structure_set(a=[SQUARE], b=[SQUARE])
    del dataset.ROIContourSequence[1]
    del dataset.RTROIObservationsSequence
    assert [region.number for region in regions(dataset, None)] == [1]
    assert taken(dataset) == [1]


def test_only_closed_contours_count():
    kinds = ("POINT", "OPEN_PLANAR", "CLOSEDPLANAR_XOR", "CLOSED_PLANAR")
    assert len(closed_contours(structure_set(a=[(kind, SQUARE) for kind in kinds]), 1)) == 2


def test_incomplete_points_are_named():
    dataset = structure_set(SECRET=[SQUARE])
    dataset.ROIContourSequence[0].ContourSequence[0].ContourData = [0.0, 1.0]
    with pytest.raises(ImageError, match="points that are not x, y, z") as error:
        closed_contours(dataset, 1)
    assert "SECRET" not in str(error.value)


def test_an_observation_without_the_number_of_its_roi_is_ignored():
    (structure,) = rtstruct({"GTV": [], "Liver": []})
    for observation in structure.RTROIObservationsSequence:
        del observation.ReferencedROINumber
    assert [(region.number, region.taken) for region in regions(structure, None)] == [(1, True), (2, False)]
