"""Patches with several inputs, label maps and conditions: what a batch holds, and where its patches come from."""

from collections import Counter

import pytest
import torch
from field_sets import ALL_FIELDS
from full_store import LESION_CT, full_configuration, write_full_store
from tiny import FIELDS

from ct2pet.errors import TrainingError
from ct2pet.planning.configuration import Sampling
from ct2pet.training.data_loader import BatchPlan, PatchLoader
from ct2pet.volume import Box

CLASSES = ["F", "M", "M", "M", "M"]
ONE_VOXEL = [1, 1, 1]
PATCHES = 1600


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_full_store(tmp_path_factory.mktemp("store"), CLASSES)


def make(store, sampling=None, patch=(16, 16, 16), batch_size=4, fields=ALL_FIELDS, **plan):
    configuration = full_configuration(patch_size=[*patch], sampling=sampling or Sampling(0.0))
    return PatchLoader(store, store.cases, configuration, fields, BatchPlan(batch_size, **{"seed": 7, **plan}))


def single_voxels(store, sampling, number=PATCHES):
    """So many patches of one voxel: their centres, as chosen."""
    batch = make(store, sampling, ONE_VOXEL, number).batch(0)
    return batch.cases, {name: tensor.flatten() for name, tensor in batch.tensors.items()}


def test_a_batch_contains_every_field_in_its_type(store):
    tensors = make(store).batch(0).tensors
    assert tensors.keys() == {"CT", "low_PET", "PET", "organ_labels", "mask", "sex"}
    kinds = {name: tensor.dtype for name, tensor in tensors.items()}
    assert {kinds[name] for name in ("CT", "low_PET", "PET")} == {torch.float32}
    assert (kinds["organ_labels"], kinds["mask"], kinds["sex"]) == (torch.int64, torch.bool, torch.int64)
    assert tensors["organ_labels"].shape == tensors["CT"].shape == (4, 1, 16, 16, 16)


def test_all_fields_of_a_sample_are_of_one_place(store):
    """The whole case is found again, voxel by voxel, where the patch is as large as the stored box."""
    loader = make(store, patch=(24, 20, 22))
    for number in range(3):
        batch = loader.batch(number)
        for sample, case in enumerate(batch.cases):
            stored = store.open(case).read(Box((0, 0, 0), (24, 20, 22)))
            for name in ("CT", "low_PET", "PET", "organ_labels", "mask"):
                expected = torch.from_numpy(stored[name]).to(batch.tensors[name].dtype)
                assert torch.equal(batch.tensors[name][sample, 0], expected)


def test_beyond_the_stored_box_each_field_has_its_own_value(store):
    """CT -1 (air), an input PET in the range of inputs -1, a PET to predict 0, labels 0."""
    normalization = dict(full_configuration().normalization)
    normalization["low_PET"] = type(normalization["CT"])(0.0, 10.0, True, [-1.0, 1.0])
    configuration = full_configuration(patch_size=[40, 40, 40], normalization=normalization)
    loader = PatchLoader(store, store.cases, configuration, ALL_FIELDS, BatchPlan(3, seed=1))
    tensors = loader.batch(0).tensors
    beyond = tensors["CT"] == -1  # the stored CT is -0.5 or more
    assert beyond.sum() == 3 * (40**3 - 24 * 20 * 22)
    for name, value in {"low_PET": -1, "PET": 0, "organ_labels": 0, "mask": False}.items():
        assert (tensors[name][beyond] == value).all(), name
    assert (tensors["low_PET"][~beyond] > 0).all()


def test_conditions_and_images_of_a_sample_belong_to_one_case(store):
    loader = make(store)
    for number in range(8):
        batch = loader.batch(number)
        assert batch.tensors["sex"].tolist() == [{"F": 0, "M": 1}[CLASSES[int(case[1:])]] for case in batch.cases]
        shown = [int(image.max() * 8 - 1) for image in batch.tensors["low_PET"]]
        assert shown == [int(case[1:]) for case in batch.cases]


def test_of_unpaired_batches_the_conditions_are_those_of_the_inputs(store):
    batch = make(store, paired=False).batch(0)
    inputs = batch.cases[:4]
    assert batch.tensors["sex"].tolist() == [{"F": 0, "M": 1}[CLASSES[int(case[1:])]] for case in inputs]
    assert [int(image.max() * 8 - 1) for image in batch.tensors["low_PET"]] == [int(case[1:]) for case in inputs]


@pytest.mark.parametrize("paired", [True, False])
def test_shares_of_a_batch_make_up_the_batch(store, paired):
    sampling = Sampling(0.2, 0.3, "sex")
    whole = make(store, sampling, paired=paired)
    parts = [make(store, sampling, paired=paired, share=slice(2 * n, 2 * n + 2)) for n in range(2)]
    for number in range(5):
        batch, shares = whole.batch(number), [part.batch(number) for part in parts]
        for name, tensor in batch.tensors.items():
            assert torch.equal(tensor, torch.cat([share.tensors[name] for share in shares])), name


def test_the_label_fraction_is_the_share_of_patches_centred_on_a_label(store):
    for sampling, expected in (
        (Sampling(0.0), (0.0, 0.0)),
        (Sampling(0.0, 0.4), (0.0, 0.4)),
        (Sampling(0.3, 0.4), (0.3, 0.4)),
        (Sampling(0.25, 0.75), (0.25, 0.75)),
        (Sampling(1.0, 0.0), (1.0, 0.0)),
    ):
        _, voxels = single_voxels(store, sampling)
        lesions, labels = voxels["CT"] == LESION_CT, voxels["organ_labels"] > 0
        shares = float(lesions.float().mean()), float(labels.float().mean())
        assert shares == pytest.approx(expected, abs=0.04)  # 3 standard deviations and more
        assert torch.equal(~(lesions | labels), voxels["mask"])  # all others are voxels of the district


def test_each_label_is_a_centre_equally_often_however_small_it_is(store):
    _, voxels = single_voxels(store, Sampling(0.0, 1.0))
    counts = Counter(voxels["organ_labels"].tolist())
    assert counts.keys() == {1, 2, 3}  # of 54, 18 and 9 voxels
    assert all(count == pytest.approx(PATCHES / 3, rel=0.12) for count in counts.values())


def test_without_a_label_fraction_labels_and_conditions_do_not_change_where_patches_come_from(store):
    """The batches of a dataset stay the same when a label map or a condition is added to it."""
    plain, every = (make(store, Sampling(0.3), fields=fields) for fields in (FIELDS, ALL_FIELDS))
    for number in range(5):
        expected, found = plain.batch(number), every.batch(number)
        assert (found.cases, found.seeds) == (expected.cases, expected.seeds)
        assert all(torch.equal(found.tensors[name], tensor) for name, tensor in expected.tensors.items())


def test_classes_are_balanced_where_the_plans_say_so(store):
    """One case of class F, four of class M."""
    by_case, _ = single_voxels(store, Sampling(0.0))
    assert all(by_case.count(case) == pytest.approx(PATCHES / 5, rel=0.2) for case in store.cases)
    by_class, voxels = single_voxels(store, Sampling(0.0, balanced_over="sex"))
    assert by_class.count("B0") == pytest.approx(PATCHES / 2, rel=0.1)
    assert all(by_class.count(case) == pytest.approx(PATCHES / 8, rel=0.25) for case in ("B1", "B2", "B3", "B4"))
    assert int((voxels["sex"] == 0).sum()) == by_class.count("B0")


@pytest.mark.parametrize(("wrong", "shown"), [("X", "'X'"), (None, "''")])
@pytest.mark.parametrize("balanced_over", ["", "sex"])
def test_a_case_of_an_unknown_class_or_of_none_is_an_error_that_names_it(tmp_path, wrong, shown, balanced_over):
    store = write_full_store(tmp_path / "store", ["F", wrong, "M"])
    with pytest.raises(TrainingError, match=f"B1 has the sex {shown}; known are F, M") as raised:
        make(store, Sampling(0.0, balanced_over=balanced_over))
    assert "\n" not in str(raised.value)
