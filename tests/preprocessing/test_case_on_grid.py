from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from raw_cases import CT_GRID, PET_GRID, case_volumes, permuted, smooth
from scipy import ndimage
from tiny import FIELDS, SUV_WINDOW, tiny_configuration

from ct2pet.dataset import Field, Fields
from ct2pet.planning.configuration import Masking, Normalization
from ct2pet.preprocessing import case_on_grid
from ct2pet.preprocessing.case_on_grid import plan_grid, prepare_case, prepare_inputs, visible
from ct2pet.resampling import AIR_HU, to_itk
from ct2pet.volume import Box, Grid, Volume

WIDE = Normalization(-1024.0, 1024.0, True, [-1.0, 1.0])
HARD, CONTEXT = Masking("hard", 0.0), Masking("context", 10.0)


def configuration(**changes):
    return tiny_configuration(
        **{"labels": [1], "normalization": {"CT": WIDE, "PET": SUV_WINDOW}, "masking": HARD, **changes}
    )


def prepared(volumes, plan, lesions=None):
    return prepare_case({"CT": volumes["ct"], "PET": volumes["pet"]}, volumes["district_map"], plan, FIELDS, lesions)


def prepared_ct(volumes, plan):
    return prepare_inputs({"CT": volumes["ct"]}, volumes["district_map"], plan, FIELDS)


def hu(normalised):
    return normalised.astype(np.float64) * 1024


def itk_resampled(volume, grid, outside, interpolator=sitk.sitkLinear):
    image = to_itk(volume)
    if interpolator == sitk.sitkLinear:
        image = sitk.Cast(image, sitk.sitkFloat64)
    target = to_itk(Volume(np.zeros(grid.shape, np.uint8), grid))
    return sitk.GetArrayFromImage(sitk.Resample(image, target, sitk.Transform(), interpolator, outside))


@pytest.mark.parametrize("slab_voxels", [2**23, 2000], ids=["at once", "in slabs"])
@pytest.mark.parametrize("oblique", [False, True], ids=["straight", "oblique"])
def test_ct_and_pet_are_those_of_simpleitk(monkeypatch, slab_voxels, oblique):
    monkeypatch.setattr(case_on_grid, "_SLAB_VOXELS", slab_voxels)
    volumes = case_volumes()
    if oblique:
        angle = np.radians(12)
        cosines = (np.cos(angle), -np.sin(angle), 0.0, np.sin(angle), np.cos(angle), 0.0, 0.0, 0.0, 1.0)
        pet = replace(PET_GRID, direction=cosines)
        volumes["pet"] = Volume(smooth(pet, 5, 0, 6), pet, "SUV")
    for spacing in ([4.0, 4.0, 4.0], [5.0, 3.0, 3.5]):
        plan = configuration(spacing=spacing, labels=[1, 2])
        district = prepared(volumes, plan)
        ct = itk_resampled(volumes["ct"], district.grid, AIR_HU)
        pet = itk_resampled(volumes["pet"], district.grid, 0.0)
        assert np.abs(hu(district.images["CT"]) - ct)[district.mask].max() < 1e-3
        assert np.abs(district.images["PET"] * 10 - pet)[district.mask].max() < 1e-5
        labels = itk_resampled(volumes["district_map"], district.grid, 0, sitk.sitkNearestNeighbor)
        assert np.array_equal(district.mask, labels > 0)


def test_the_pets_own_grid_is_used_where_the_spacing_agrees():
    volumes = case_volumes()
    case = prepared(volumes, configuration())
    start = np.rint((np.array(case.grid.origin) - PET_GRID.origin) / 4).astype(int)[::-1]
    part = volumes["pet"].array[tuple(slice(a, a + n) for a, n in zip(start, case.grid.shape))]
    assert np.array_equal(case.images["PET"][case.mask], (part / np.float32(10))[case.mask])


@pytest.mark.parametrize("spacing", [(4.0, 4.0, 4.0), (4.03, 3.97, 4.0)])
def test_a_spacing_that_agrees_to_one_per_cent_is_not_resampled(spacing):
    assert plan_grid(PET_GRID, spacing) == PET_GRID
    assert plan_grid(PET_GRID, (4.2, 4.0, 4.0)).spacing == (4.2, 4.0, 4.0)


def test_constant_in_constant_out():
    volumes = case_volumes()
    volumes["ct"] = volumes["ct"].with_array(np.full(CT_GRID.shape, 37.0, np.float32))
    volumes["pet"] = volumes["pet"].with_array(np.full(PET_GRID.shape, 2.5, np.float32))
    case = prepared(volumes, configuration(spacing=[3.5, 3.0, 3.0]))
    assert np.allclose(hu(case.images["CT"])[case.mask], 37.0, atol=1e-3)
    assert np.allclose(case.images["PET"][case.mask], 0.25, atol=1e-6)


def test_hard_masking_keeps_only_the_district_and_crops_to_its_box():
    case = prepared(case_volumes(), configuration())
    mask = case.mask
    assert (case.images["CT"][~mask] == -1).all()
    assert (case.images["PET"][~mask] == 0).all()
    assert all(mask.any(axis=axes).all() for axes in ((1, 2), (0, 2), (0, 1)))


def test_context_shows_what_is_near_enough_and_no_more():
    volumes = case_volumes()
    plan = configuration(masking=CONTEXT, spacing=[3.0, 3.0, 3.0])
    district = prepared_ct(volumes, plan)
    hard = prepared_ct(volumes, replace(plan, masking=HARD))
    assert district.mask.sum() == hard.mask.sum()
    distance = ndimage.distance_transform_edt(~district.mask, sampling=district.grid.spacing)
    reference = np.where(distance <= 10, itk_resampled(volumes["ct"], district.grid, AIR_HU), AIR_HU)
    assert np.abs(hu(district.images["CT"]) - np.clip(reference, -1024, 1024)).max() < 1e-3
    assert (distance <= 10).sum() > 1.5 * district.mask.sum()


def test_distances_are_between_voxel_centres_in_mm():
    grid = Grid((5, 5, 5), (3.0, 2.0, 1.0))
    mask = np.zeros(grid.shape, bool)
    mask[2, 2, 2] = True
    for margin in (0.5, 1.0, 2.0, 2.3, 3.0, 3.7):
        expected = ndimage.distance_transform_edt(~mask, sampling=grid.spacing) <= margin + 1e-4
        assert np.array_equal(visible(mask, grid, Masking("context", margin)), expected)


@pytest.mark.parametrize("role", ["ct", "pet", "district_map", "lesions"])
def test_the_prepared_case_does_not_depend_on_the_orientation_of_the_files(role):
    volumes = case_volumes()
    turned = {**volumes, role: permuted(volumes[role])}
    plan = configuration(masking=CONTEXT, spacing=[3.5, 3.0, 3.0])
    plain, other = (prepared(v, plan, v["lesions"]) for v in (volumes, turned))
    assert other.grid.matches(plain.grid)
    assert np.array_equal(other.mask, plain.mask)
    assert np.array_equal(other.lesions, plain.lesions)
    assert np.abs(hu(other.images["CT"]) - hu(plain.images["CT"])).max() < 1e-3
    assert np.abs(other.images["PET"] - plain.images["PET"]).max() < 1e-6


def test_prediction_and_training_prepare_the_same_ct():
    volumes = case_volumes()
    volumes["ct"] = Volume(smooth(PET_GRID, 3, -300, 300), PET_GRID, "HU")  # one field of view, so one grid
    plan = configuration(masking=CONTEXT)
    case, alone = prepared(volumes, plan), prepared_ct(volumes, plan)
    assert np.array_equal(alone.images["CT"], case.images["CT"])
    assert alone.grid == case.grid


def test_without_a_pet_the_grid_covers_the_field_of_view_of_the_ct():
    volumes = case_volumes()
    volumes["district_map"] = volumes["district_map"].with_array(np.ones(CT_GRID.shape, np.uint8))
    district = prepared_ct(volumes, configuration())
    assert district.grid == CT_GRID.with_spacing((4.0, 4.0, 4.0))
    assert district.mask.all()


@pytest.mark.parametrize("place", ["nowhere", "outside of the PET", "smaller than a voxel"])
def test_an_absent_district_gives_none(place):
    volumes = case_volumes()
    districts = np.zeros(CT_GRID.shape, np.uint8)
    grid, spacing = CT_GRID, [4.0, 4.0, 4.0]
    if place == "outside of the PET":
        districts[:] = 1
        grid = replace(CT_GRID, origin=(900.0, 900.0, 900.0))
    elif place == "smaller than a voxel":
        districts[5, 7, 7] = 1
        spacing = [20.0, 20.0, 20.0]
    plan = configuration(spacing=spacing)
    assert prepared({**volumes, "district_map": Volume(districts, grid)}, plan) is None


def test_voxels_outside_the_ct_are_air():
    volumes = case_volumes()
    volumes["ct"] = volumes["ct"].crop(Box((8, 0, 0), CT_GRID.shape))
    volumes["pet"] = Volume(smooth(CT_GRID, 3, 0, 6), CT_GRID, "SUV")
    district = prepared(volumes, configuration(spacing=[3.0, 2.0, 2.0]))
    assert (district.images["CT"][:4] == -1).all()
    assert district.mask[:4].all()
    assert (district.images["CT"][5:] > -1).all()


def test_lesions_count_inside_the_district_only_and_are_exact_on_the_pets_grid():
    volumes = case_volumes()
    low, high = (
        prepared(volumes, configuration(labels=[label], masking=Masking("context", 20.0)), volumes["lesions"])
        for label in (1, 2)
    )
    assert low.lesions.sum() == volumes["lesions"].array.sum()
    assert high.lesions.sum() == 0
    assert prepared(volumes, configuration()).lesions is None


def test_label_maps_come_by_nearest_neighbour_and_are_background_where_a_network_must_not_look():
    volumes = case_volumes()
    random = np.random.default_rng(2)
    organs = Volume(random.integers(0, 300, CT_GRID.shape).astype(np.int16), CT_GRID, "label")
    fields = Fields((*FIELDS, Field("organs", "target", "labels", folder="organs", labels={"a": 299})))
    images = {"CT": volumes["ct"], "PET": volumes["pet"], "organs": organs}
    case = prepare_case(images, volumes["district_map"], configuration(spacing=[3.5, 3.0, 3.0]), fields)
    expected = itk_resampled(organs, case.grid, 0, sitk.sitkNearestNeighbor)
    assert case.labels["organs"].dtype == np.uint16
    assert np.array_equal(case.labels["organs"], np.where(case.mask, expected, 0))


def test_several_inputs_on_grids_of_their_own_meet_on_the_targets_grid():
    volumes = case_volumes()
    other = replace(PET_GRID, origin=(-25.0, -28.0, -98.0))
    low_dose = Volume(smooth(other, 7, 0, 6), other, "SUV")
    fields = FIELDS.with_inputs([FIELDS["CT"], Field("low_PET", "input", "pet", "SUV", "images", "_0001")])
    windows = {"CT": WIDE, "PET": SUV_WINDOW, "low_PET": Normalization(0.0, 10.0, False, [-1.0, 1.0])}
    images = {"CT": volumes["ct"], "PET": volumes["pet"], "low_PET": low_dose}
    case = prepare_case(images, volumes["district_map"], configuration(normalization=windows), fields)
    assert list(case.images) == ["CT", "low_PET", "PET"]
    expected = itk_resampled(low_dose, case.grid, 0.0)
    assert np.abs((case.images["low_PET"] + 1) * 5 - expected)[case.mask].max() < 1e-5
    assert (case.images["low_PET"][~case.mask] == -1).all()


def test_an_input_may_be_mapped_by_its_own_extremes():
    """Two scanners with another offset and slope give one image, whose extremes are those of the range."""
    own = replace(WIDE, clip=False, range=[0.0, 1.0], scope="image")
    plan = configuration(normalization={"CT": own, "PET": SUV_WINDOW}, masking=Masking("none", 0.0))
    volumes = case_volumes()
    other = {**volumes, "ct": replace(volumes["ct"], array=volumes["ct"].array * 0.5 - 100)}
    first, second = (prepared_ct(one, plan).images["CT"] for one in (volumes, other))
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert first.min() >= 0
    assert first.max() <= 1 + 1e-6
    array = volumes["ct"].array
    window = Normalization(float(array.min()), float(array.max()), False, [0.0, 1.0])
    fixed = configuration(normalization={"CT": window, "PET": SUV_WINDOW}, masking=Masking("none", 0.0))
    np.testing.assert_array_equal(first, prepared_ct(volumes, fixed).images["CT"])


def test_outside_the_district_an_image_with_its_own_window_is_at_the_lower_end():
    own = replace(WIDE, range=[0.0, 1.0], scope="image")
    district = prepared_ct(case_volumes(), configuration(normalization={"CT": own, "PET": SUV_WINDOW}))
    assert (district.images["CT"][~district.mask] == 0).all()


def test_without_masking_the_whole_image_is_input_and_target():
    volumes, plan = case_volumes(), configuration(masking=Masking("none", 0.0))
    district = prepared(volumes, plan)
    assert district.mask.all()
    assert district.grid == plan_grid(volumes["pet"].grid, plan.spacing)
    np.testing.assert_allclose(
        hu(district.images["CT"]), np.clip(itk_resampled(volumes["ct"], district.grid, AIR_HU), -1024, 1024), atol=0.2
    )
