"""Where slices lie: SimpleITK's answer for regular volumes, one line for everything else."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import CT_GRID, PET_GRID, TILTED, ct_series, localiser, pet_series, put, write

from ct2pet.dicom.frames import series_stack
from ct2pet.dicom.series import Slice, stack
from ct2pet.dicom.tree import scan_tree
from ct2pet.errors import GeometryError
from ct2pet.volume import Grid


def only_series(folder):
    (series,) = scan_tree(folder).series
    return series


def euler(*degrees):
    transform = sitk.Euler3DTransform()
    transform.SetRotation(*np.deg2rad(degrees))
    return transform.GetMatrix()


DIRECTIONS = {
    "axial": CT_GRID.direction,
    "feet first": (1.0, 0, 0, 0, -1.0, 0, 0, 0, -1.0),
    "turned": TILTED,
    "coronal": (1.0, 0, 0, 0, 0, 1.0, 0, -1.0, 0),
    "sagittal": (0, 0, 1.0, 1.0, 0, 0, 0, 1.0, 0),
    "oblique": euler(20.0, -10.0, 30.0),
}


@pytest.mark.parametrize("name", DIRECTIONS)
def test_places_slices_as_simpleitk_does(tmp_path, name):
    grid = replace(CT_GRID, direction=tuple(map(float, DIRECTIONS[name])), spacing=(3.27, 1.5, 0.9765625))
    datasets = ct_series(grid=grid)
    write([datasets[i] for i in np.random.default_rng(1).permutation(len(datasets))], tmp_path)
    found = series_stack(only_series(tmp_path)).grid
    assert found.matches(grid)
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path))
    image = sitk.ReadImage(files)
    assert image.GetSize() == found.shape[::-1]
    for index in itertools.product(*((0, n - 1) for n in image.GetSize())):
        here = (found.affine @ [*index, 1.0])[:3]
        np.testing.assert_allclose(here, image.TransformIndexToPhysicalPoint(index), atol=1e-3)


def test_the_order_of_files_and_instance_numbers_means_nothing(tmp_path):
    datasets = ct_series()
    for index, dataset in enumerate(datasets):
        put(dataset, {"InstanceNumber": (index * 5) % 12 + 1})
    write(datasets[::-1], tmp_path)
    placed = series_stack(only_series(tmp_path))
    assert [item.path.name for item in placed.slices] == [f"{index:04d}.dcm" for index in range(12)][::-1]
    assert placed.grid.matches(CT_GRID)


def error_of(tmp_path, datasets):
    write(datasets, tmp_path)
    with pytest.raises(GeometryError) as caught:
        series_stack(only_series(tmp_path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def move(dataset, x=0.0, y=0.0, z=0.0):
    put(dataset, {"ImagePositionPatient": [float(p) + d for p, d in zip(dataset.ImagePositionPatient, (x, y, z))]})


def test_a_missing_slice(tmp_path):
    datasets = ct_series()
    del datasets[5]
    message = error_of(tmp_path, datasets)
    assert message == "1 slice(s) missing between image 5 and image 7 (6.00 mm instead of 3.00 mm)"


def test_three_missing_slices(tmp_path):
    datasets = ct_series()
    del datasets[5:8]
    assert error_of(tmp_path, datasets).startswith("3 slice(s) missing between image 5 and image 9")


def test_two_images_of_one_place(tmp_path):
    datasets = ct_series()
    datasets.append(ct_series()[5])
    message = error_of(tmp_path, datasets)
    assert message == "2 or more images have the same position, such as image 6 and image 6: not one volume"


def test_two_time_points_of_every_place(tmp_path):
    assert "12 or more images have the same position" not in (message := error_of(tmp_path, ct_series() + ct_series()))
    assert "13 or more images have the same position" in message


def test_uneven_distances(tmp_path):
    datasets = ct_series()
    for dataset in datasets[6:]:
        move(dataset, z=1.0)
    assert "uneven slices: image 6 is" in error_of(tmp_path, datasets)


def test_a_gap_of_no_whole_number_of_slices(tmp_path):
    datasets = ct_series()
    for dataset in datasets[6:]:
        move(dataset, z=4.0)
    expected = "uneven slices: 7.00 mm between image 6 and image 7, 3.00 mm elsewhere"
    assert error_of(tmp_path, datasets) == expected


def test_rounded_positions_are_no_uneven_distances(tmp_path):
    datasets = pet_series(grid=Grid(PET_GRID.shape, (4.07283, 4.0, 4.0), PET_GRID.origin))
    for dataset in datasets:
        put(dataset, {"ImagePositionPatient": [round(float(p), 1) for p in dataset.ImagePositionPatient]})
    write(datasets, tmp_path)
    assert series_stack(only_series(tmp_path)).grid.spacing[0] == pytest.approx(4.07283, abs=0.1 / 8)


def test_a_tilted_gantry(tmp_path):
    datasets = ct_series()
    for index, dataset in enumerate(datasets):
        move(dataset, y=3.0 * index * np.tan(np.deg2rad(15)))
    assert (
        error_of(tmp_path, datasets) == "a tilted gantry: the slices are sheared by 15.0 degrees; resample them first"
    )


def test_a_tilted_gantry_that_the_orientation_names_too(tmp_path):
    """As scanners write it: the plane is turned, the positions move along the table."""
    turned = [1.0, 0.0, 0.0, 0.0, float(np.cos(np.deg2rad(10))), float(np.sin(np.deg2rad(10)))]
    message = error_of(tmp_path, ct_series(ImageOrientationPatient=turned))
    assert message.startswith("a tilted gantry: the slices are sheared by 10.0 degrees")


def test_one_slice_next_to_the_others(tmp_path):
    datasets = ct_series()
    move(datasets[4], x=7.0)
    assert error_of(tmp_path, datasets) == "image 5 is shifted by 7.0 mm against the other slices: not one volume"


def test_mixed_orientations(tmp_path):
    datasets = ct_series()
    put(datasets[7], {"ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 0.0, -1.0]})
    assert error_of(tmp_path, datasets) == "mixed orientations: image 8 is not parallel to image 1"


def test_a_localiser_that_does_not_say_so(tmp_path):
    scouts = localiser(series="CT")
    for scout in scouts:
        put(scout, {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]})
    assert "mixed orientations" in error_of(tmp_path, ct_series() + scouts)


def test_axes_that_are_not_at_right_angles(tmp_path):
    message = error_of(tmp_path, ct_series(ImageOrientationPatient=[1.0, 0.0, 0.0, 0.6, 0.8, 0.0]))
    assert "not a pair of orthogonal directions" in message


@pytest.mark.parametrize(
    ("keyword", "value", "said"),
    [
        ("ImagePositionPatient", None, "image 4: its ImagePositionPatient is missing"),
        ("ImageOrientationPatient", [1.0, 0.0, 0.0], "image 4: its ImageOrientationPatient is missing or incomplete"),
        ("PixelSpacing", None, "image 4: its PixelSpacing is missing"),
        ("PixelSpacing", [2.0, 2.5], "image 4: its pixel spacing differs from that of image 1"),
        ("Rows", 8, "image 4: its 8 x 18 pixels differ from the 16 x 18 of image 1"),
        ("Rows", None, "image 4: its Rows or Columns is missing"),
        ("RescaleSlope", None, "image 4: its RescaleSlope is missing"),
        ("RescaleIntercept", None, "image 4: its RescaleIntercept is missing"),
    ],
)
def test_a_slice_with_another_tag(tmp_path, keyword, value, said):
    datasets = ct_series()
    put(datasets[3], {keyword: value})
    assert error_of(tmp_path, datasets).startswith(said)


def test_a_single_slice(tmp_path):
    assert error_of(tmp_path, ct_series()[:1]) == "a single image is not a volume"


def some_slices(**changes):
    places = [(0.0, 0.0, 3.0 * z) for z in range(4)]
    fixed = {"frame": None, "shape": (4, 4), "orientation": (1, 0, 0, 0, 1, 0), "pixel_spacing": (1.0, 1.0)}
    fixed |= {"slope": 1.0, "intercept": 0.0, **changes}
    return [Slice(path=None, image="image 1", position=place, **fixed) for place in places]


def test_positions_that_are_not_numbers():
    slices = some_slices()
    slices[2] = replace(slices[2], position=(0.0, float("nan"), 6.0))
    with pytest.raises(GeometryError, match="is not finite"):
        stack(slices)


def test_pixel_spacing_is_rows_before_columns():
    assert stack(some_slices(pixel_spacing=(2.0, 5.0))).grid.spacing == (3.0, 2.0, 5.0)
