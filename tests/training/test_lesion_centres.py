"""Patches around the middle of lesions."""

import numpy as np
import pytest
from field_sets import ALL_FIELDS
from full_store import SHAPE, full_configuration, write_full_store
from tiny import FIELDS, tiny_configuration

from ct2pet.planning.configuration import Sampling
from ct2pet.preprocessing import DistrictStore, PreparedDistrict
from ct2pet.preprocessing.preprocessor import decisions_of
from ct2pet.study.slices import SliceOptions, lesion_slices
from ct2pet.training.data_loader import BatchPlan, PatchLoader
from ct2pet.training.lesion_centres import lesion_centres
from ct2pet.volume import Grid, Volume

LARGE, SMALL = (slice(5, 9), slice(6, 11), slice(8, 12)), (slice(15, 16), slice(2, 4), slice(2, 4))


def store_with(folder, *lesions):
    """One case whose PET is 0.5 in the lesions."""
    mask = np.zeros(SHAPE, bool)
    for place in lesions:
        mask[place] = True
    pet = np.where(mask, 0.5, 0.0).astype(np.float32)
    store = DistrictStore(folder)
    folder.mkdir(parents=True, exist_ok=True)
    case = PreparedDistrict(
        {"CT": pet - 1, "PET": pet}, np.ones(SHAPE, bool), Grid(SHAPE, (4.0, 4.0, 4.0)), lesions=mask
    )
    store.write("A0", case, "key", decisions_of(tiny_configuration()))
    return store


def batch(store, patch, **plan):
    configuration = tiny_configuration(patch_size=[1, *patch], sampling=Sampling(1.0, lesions_centred=True))
    return PatchLoader(store, store.cases, configuration, FIELDS, BatchPlan(40, 3, **plan)).batch(0)


def test_the_centres_are_those_of_the_box_around_the_largest_lesion_in_each_of_its_slices(tmp_path):
    centres = lesion_centres(store_with(tmp_path, LARGE, SMALL).open("A0"))
    assert centres.tolist() == [[z, 8.0, 9.5] for z in range(5, 9)]


def test_a_case_without_lesions_has_no_centres(tmp_path):
    assert lesion_centres(store_with(tmp_path).open("A0")).shape == (0, 3)


@pytest.mark.parametrize("margin", [(0, 0, 0), (0, 2, 2)])
def test_every_patch_has_the_lesion_in_its_middle_and_all_slices_are_drawn(tmp_path, margin):
    tensors = batch(store_with(tmp_path, LARGE, SMALL), (10, 11), margin=margin).tensors["PET"]
    expected = np.zeros((10 + 2 * margin[1], 11 + 2 * margin[2]))
    # 5 x 4 voxels of 10 x 11: half a voxel from the middle.
    rows, columns = slice(margin[1] + 2, margin[1] + 7), slice(margin[2] + 3, margin[2] + 7)
    found = tensors[:, 0, 0].numpy()
    expected[rows, columns] = 0.5
    assert all(np.array_equal(one, expected) for one in found)


def test_a_patch_beyond_the_box_is_padded_and_stays_centred(tmp_path):
    corner = (slice(0, 2), slice(0, 4), slice(0, 4))
    found = batch(store_with(tmp_path, corner), (16, 16)).tensors
    assert not found["mask"][:, 0, 0, :6].any()
    assert (found["PET"][:, 0, 0, 6:10, 6:10] == 0.5).all()


def test_training_patches_and_slices_of_a_study_show_the_same_place(tmp_path):
    """A study's slices of 4 mm pixels lie on the voxels of the store, up to half a voxel."""
    store = store_with(tmp_path, LARGE, SMALL)
    found = batch(store, (16, 16)).tensors["PET"][0, 0, 0].numpy()
    stored = store.open("A0").read_all()
    grid = store.open("A0").grid
    volume, mask = Volume(stored["PET"].astype(np.float32), grid, "SUV"), Volume(stored["lesions"], grid, "label")
    study = lesion_slices({"pet": volume}, mask, SliceOptions(64.0, 16, 3))[1, 0]

    def centre(image):
        return np.array([np.average(axis, weights=image) for axis in np.indices(image.shape)])

    assert np.abs(centre(found) - centre(study)).max() <= 0.5


def test_balanced_patches_are_centred_too_and_cases_without_lesions_are_still_drawn(tmp_path):
    store = write_full_store(tmp_path, ["F", "M"])
    sampling = Sampling(1.0, balanced_over="sex", lesions_centred=True)
    configuration = full_configuration(patch_size=[1, 3, 3], sampling=sampling)
    loader = PatchLoader(store, store.cases, configuration, ALL_FIELDS, BatchPlan(400, 7))
    tensors = loader.batch(0).tensors
    assert (tensors["CT"][:, 0, 0, :, :] == 0.75).all()
    assert abs(int((tensors["sex"] == 0).sum()) - 200) < 45
