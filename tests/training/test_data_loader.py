import numpy as np
import pytest
import torch
from tiny import FIELDS, tiny_configuration
from tiny_store import write_tiny_store
from torch.utils._python_dispatch import TorchDispatchMode

from ct2pet.errors import TrainingError
from ct2pet.planning.configuration import Sampling
from ct2pet.training import data_loader
from ct2pet.training.data_loader import BatchPlan, PatchLoader, default_workers, prefetched, read_patch
from ct2pet.volume import Box


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_tiny_store(tmp_path_factory.mktemp("store"))


def make_loader(store, patch=(16, 16, 16), lesion_fraction=0.0, seed=7, **options):
    configuration = tiny_configuration(patch_size=[*patch], sampling=Sampling(lesion_fraction))
    return PatchLoader(store, store.cases, configuration, FIELDS, BatchPlan(2, seed, **options))


def equal(first, second):
    return first.seeds == second.seeds and all(torch.equal(a, second.tensors[n]) for n, a in first.tensors.items())


def test_a_batch_contains_the_lesions_of_its_patches_where_they_are_planned(store):
    """A0 has a lesion, the others none. The patch is as large as the stored box."""
    loader = make_loader(store, patch=(24, 20, 22), with_lesions=True)
    found = {}
    for number in range(8):
        batch = loader.batch(number)
        assert batch.tensors["lesions"].dtype == torch.bool
        found |= dict(zip(batch.cases, batch.tensors["lesions"][:, 0]))
    assert sorted(found) == ["A0", "A1", "A2"]
    assert torch.equal(found["A0"], torch.from_numpy(store.open("A0").read_all()["lesions"]))
    assert found["A0"].sum() == 27
    assert not found["A1"].any()
    assert not found["A2"].any()
    assert "lesions" not in make_loader(store).batch(0).tensors


def test_cases_without_masks_of_lesions_have_none_in_batches_and_cannot_teach_them(tmp_path):
    loader = make_loader(write_tiny_store(tmp_path, lesions=False), with_lesions=True)
    assert not loader.batch(0).tensors["lesions"].any()
    with pytest.raises(TrainingError, match="regression legs: no training case has a mask of lesions"):
        loader.check_lesions("regression legs")


def test_a_district_without_lesions_is_named_in_a_warning(store, caplog):
    for cases, warned in ((["A0", "A1"], False), (["A1", "A2"], True)):
        configuration = tiny_configuration()
        loader = PatchLoader(store, cases, configuration, FIELDS, BatchPlan(2, 0, with_lesions=True))
        loader.check_lesions("regression legs")
        assert ("regression legs: no training case has a lesion in this district" in caplog.text) == warned


def test_a_batch_depends_only_on_seed_and_number(store):
    loader, other = make_loader(store), make_loader(store)
    loader.batch(0), loader.batch(1)
    assert equal(loader.batch(5), other.batch(5))
    assert not equal(loader.batch(5), loader.batch(6))
    assert not equal(loader.batch(5), make_loader(store, seed=8).batch(5))


@pytest.mark.parametrize("paired", [True, False])
def test_shares_of_a_batch_make_up_the_batch(store, paired):
    loader = make_loader(store, paired=paired)
    shares = [make_loader(store, paired=paired, share=slice(n, n + 1)) for n in range(2)]
    for number in range(5):
        batch, parts = loader.batch(number), [share.batch(number) for share in shares]
        for name, tensor in batch.tensors.items():
            assert torch.equal(tensor, torch.cat([part.tensors[name] for part in parts]))
        assert batch.seeds == parts[0].seeds + parts[1].seeds
        assert batch.cases == parts[0].cases == parts[1].cases


@pytest.mark.parametrize("num_workers", [0, 1, 3])
def test_reading_ahead_does_not_change_batches_or_their_order(store, num_workers):
    loader = make_loader(store)
    batches = list(prefetched(loader, range(3, 12), num_workers))
    assert len(batches) == 9
    assert all(equal(batch, loader.batch(n)) for n, batch in enumerate(batches, start=3))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_batches_for_a_gpu_are_in_pinned_memory(store, monkeypatch, num_workers):
    """Counted, so that no GPU is needed."""
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor)
    batches = list(prefetched(make_loader(store), range(2), num_workers, pin=True))
    assert len(pinned) == 2 * len(batches[0].tensors)
    assert all(any(tensor is one for one in pinned) for batch in batches for tensor in batch.tensors.values())


def test_loader_threads_leave_a_core_to_each_training_and_there_is_at_least_one(monkeypatch):
    monkeypatch.setattr(data_loader, "default_processes", lambda: 36)
    assert [default_workers("cuda", trainings) for trainings in (1, 4, 9, 36)] == [8, 8, 3, 1]
    assert default_workers("cpu") == 1


class Watch(TorchDispatchMode):
    """Names the tensor operations of its thread."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.seen.add(operation.overloadpacket.__name__)
        return operation(*args, **(kwargs or {}))


def test_reading_threads_compute_nothing_in_torch(store):
    """Torch would start more threads there, which slow down those of the networks by up to half a step."""
    loader = make_loader(store)
    with Watch() as watch:
        batch = loader.batch(0)
        seen = set(watch.seen)
        batch.tensors["PET"].half().float()
    assert seen <= {"lift_fresh"}  # torch.from_numpy
    assert "_to_copy" in watch.seen


def test_an_error_while_reading_ahead_reaches_the_caller(store, monkeypatch):
    loader = make_loader(store)

    def broken(number):
        raise OSError(f"batch {number} lost")

    monkeypatch.setattr(loader, "batch", broken)
    with pytest.raises(OSError, match="batch 0 lost"):
        list(prefetched(loader, range(4), 2))


def test_ct_and_pet_are_of_the_same_place(store):
    for number in range(10):
        tensors = make_loader(store).batch(number).tensors
        inside = tensors["mask"]
        torch.testing.assert_close(tensors["PET"][inside], (tensors["CT"][inside] + 1) / 4, atol=2e-3, rtol=0)
        assert inside.any()


def test_a_patch_beyond_the_stored_box_has_the_padding_value_there(store):
    case = store.open("A1")
    patch = {"CT": np.full((8, 16, 22), -1.0), "PET": np.zeros((8, 16, 22)), "mask": np.zeros((8, 16, 22), bool)}
    read_patch(case, (-3, 10, 0), patch)
    inside = case.read(Box((0, 10, 0), (5, 20, 22)))
    for key, padding in (("CT", -1.0), ("PET", 0.0), ("mask", False)):
        assert np.array_equal(patch[key][3:, :10], inside[key])
        assert (patch[key][:3] == padding).all()
        assert (patch[key][:, 10:] == padding).all()


@pytest.mark.parametrize("paired", [True, False])
def test_of_the_margin_only_what_a_sample_needs_is_read(store, paired):
    margin, smaller = (2, 3, 4), (1, 0, 3)
    whole = make_loader(store, margin=margin, paired=paired)
    part = make_loader(store, margin=margin, paired=paired, margin_of=lambda seed: margin if seed % 2 == 0 else smaller)
    inner = (slice(None), slice(1, -1), slice(3, -3), slice(1, -1))
    beyond, used = {"CT": -1, "PET": 0}, []
    for number in range(8):
        all_of_it, batch = whole.batch(number), part.batch(number)
        assert batch.seeds == all_of_it.seeds
        for index, seed in enumerate(batch.seeds):
            used.append(seed % 2 == 0)
            for name, tensor in batch.tensors.items():
                expected = all_of_it.tensors[name][index].clone()
                if not used[-1]:
                    expected = torch.full_like(expected, beyond.get(name, 0))
                    expected[inner] = all_of_it.tensors[name][index][inner]
                assert torch.equal(tensor[index], expected)
    assert {*used} == {True, False}


def test_a_case_smaller_than_the_patch_keeps_all_its_voxels(store):
    loader = make_loader(store, patch=(32, 32, 32))
    for number in range(5):
        batch = loader.batch(number)
        for name, mask in zip(batch.cases, batch.tensors["mask"]):
            assert int(mask.sum()) == int(store.open(name).read(Box((0, 0, 0), (24, 20, 22)))["mask"].sum())


def test_the_lesion_fraction_decides_how_many_patches_show_a_lesion(store):
    assert {name for number in range(20) for name in make_loader(store, lesion_fraction=1.0).batch(number).cases} == {
        "A0"
    }
    names = [name for number in range(60) for name in make_loader(store, lesion_fraction=0.0).batch(number).cases]
    assert {names.count(case) > 20 for case in ("A0", "A1", "A2")} == {True}


def test_a_margin_adds_context_around_the_same_patch(store):
    patch = make_loader(store).batch(4).tensors["CT"]
    wide = make_loader(store, margin=(2, 3, 1)).batch(4).tensors["CT"]
    assert torch.equal(wide[:, :, 2:-2, 3:-3, 1:-1], patch)


def test_a_district_that_no_case_has_is_an_error(store):
    with pytest.raises(TrainingError, match="no training case contains this district"):
        PatchLoader(store, [], tiny_configuration(), FIELDS, BatchPlan(2, seed=0))


def test_unpaired_ct_and_pet_come_from_different_places_each_with_its_mask(store):
    paired, unpaired = make_loader(store), make_loader(store, paired=False)
    different = 0
    for number in range(10):
        batch = unpaired.batch(number)
        same, tensors = paired.batch(number).tensors, batch.tensors
        assert torch.equal(tensors["CT"], same["CT"])
        assert torch.equal(tensors["mask"], same["mask"])
        assert (tensors["PET"][~tensors["target_mask"]] == 0).all()
        assert tensors["target_mask"].any()
        assert len(batch.cases) == 4
        different += batch.cases[:2] != batch.cases[2:]
        assert not torch.equal(tensors["PET"], same["PET"])
    assert different > 5
