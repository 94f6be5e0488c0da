import logging

import numpy as np
import pytest
import torch
from devices import CrossDeviceCopies
from hand_models import Scaled
from tiny import FIELDS, tiny_configuration

from ct2pet.inference import volumes
from ct2pet.inference.placement import Placement, placements, windows_at_once, with_less_memory
from ct2pet.inference.volumes import WindowOptions, predict_volume

CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")
ALL, LESS, LEAST = Placement(CUDA, 1000.0), Placement(CPU, 1000.0), Placement(CPU, 0)


@pytest.fixture
def free(monkeypatch):
    """A GPU with 900 bytes of free memory, and 100 that torch holds without using them."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (900, 2000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 300)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 200)


def test_volumes_are_on_a_gpu_where_half_of_its_free_memory_holds_them(free):
    assert placements(CUDA, 500) == [Placement(CUDA, 250), Placement(CPU, 500), Placement(CPU, 0)]
    assert placements(CUDA, 501) == [Placement(CPU, 500), Placement(CPU, 0)]
    assert [one.volumes for one in placements(CPU, 10**12)] == [CPU]
    assert [one.volumes for one in placements(torch.device("mps"), 6)] == [CPU]


def test_a_gpu_computes_as_many_windows_as_its_memory_holds_and_a_cpu_two():
    assert windows_at_once([32] * 3, "cuda:1", 10_000, 1000) == 10
    assert windows_at_once([32] * 3, "cuda", 999, 1000) == 1
    assert windows_at_once([32] * 3, "cuda", 10**9, 1000) == windows_at_once([32] * 3, "cuda", 0, None) == 128
    assert windows_at_once([32] * 3, "cuda", 0, 1000) == windows_at_once([192] * 3, "cuda", 10**12, 1000) == 1
    assert windows_at_once([32] * 3, "mps", float("inf"), 1000) == 32
    assert windows_at_once([32] * 3, "cpu", float("inf"), 1000) == 2
    assert windows_at_once([96] * 3, "cpu", float("inf"), 1000) == 1


def short_of(memory):
    """Work that needs ``memory`` bytes for its windows and a GPU for its volumes."""

    def work(choice):
        tried.append(choice)
        if choice.memory > memory or choice.volumes == CUDA:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return "done"

    tried: list[Placement] = []
    return work, tried


@pytest.mark.parametrize(
    ("memory", "last", "said"), [(1000, LESS, ["on the CPU"]), (1, LEAST, ["on the CPU", "one by one"])]
)
def test_after_an_out_of_memory_error_less_is_on_the_gpu(memory, last, said, caplog):
    work, tried = short_of(memory)
    with caplog.at_level(logging.WARNING):
        assert with_less_memory(work, [ALL, LESS, LEAST]) == "done"
    assert tried == [ALL, LESS, LEAST][: len(tried)]
    assert tried[-1] == last
    assert len(caplog.records) == len(said)
    assert all(words in record.getMessage() for words, record in zip(said, caplog.records))


def test_the_last_error_and_other_errors_are_raised():
    work, tried = short_of(-1)
    with pytest.raises(torch.OutOfMemoryError):
        with_less_memory(work, [ALL, LESS, LEAST])
    assert tried == [ALL, LESS, LEAST]

    def broken(choice):
        tried.append(choice)
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    tried.clear()
    with pytest.raises(RuntimeError, match="mat1"):
        with_less_memory(broken, [ALL, LESS])
    assert tried == [ALL]


def test_the_memory_of_a_failed_attempt_is_free_in_the_next_one():
    alive = []

    class Image:
        def __del__(self):
            alive.remove(self.number)

    def work(choice):
        image = Image()
        image.number = len(alive)
        alive.append(image.number)
        if choice != LEAST:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return len(alive)

    assert with_less_memory(work, [ALL, LESS, LEAST]) == 1


@pytest.fixture
def volume():
    region = np.zeros((12, 20, 18), bool)
    region[2:10, 3:17, 2:15] = True
    return np.random.default_rng(0).uniform(-1, 1, region.shape).astype(np.float32), region


class ShortOfMemory(Scaled):
    """Can compute one window at a time."""

    sizes = ()

    def translate(self, inputs):
        type(self).sizes += (len(inputs),)
        if len(inputs) > 1 and len(self.sizes) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().translate(inputs)


@torch.inference_mode()
def test_a_prediction_that_runs_out_of_memory_is_that_of_windows_one_by_one(volume, monkeypatch):
    ct, region = volume
    configuration = tiny_configuration(patch_size=[8, 8, 8])
    expected = predict_volume([Scaled(configuration, FIELDS).eval()], {"CT": ct}, region)
    ShortOfMemory.sizes, shares = (), []
    monkeypatch.setattr(volumes, "placements", lambda device, size: [Placement(CPU), Placement(CPU, 0)])
    monkeypatch.setattr(volumes, "windows_at_once", lambda patch, device, memory, window: 2 if memory else 1)
    model = ShortOfMemory(configuration, FIELDS).eval()
    found = predict_volume([model], {"CT": ct}, region, progress=shares.append)
    np.testing.assert_array_equal(found["PET"], expected["PET"])
    assert ShortOfMemory.sizes[:4] == (2, 2, 2, 2)
    assert {*ShortOfMemory.sizes[4:]} == {1}
    assert sum(shares) == pytest.approx(1)  # repeated work is not reported twice
    assert min(shares) > 0


@torch.no_grad()
@pytest.mark.parametrize("number", [1, 3])
def test_each_image_is_copied_to_the_device_once_and_each_result_back_once(volume, monkeypatch, number):
    """On torch's device without memory, ``meta``: values that the CPU would have to wait for raise an error there."""
    ct, region = volume
    meta = torch.device("meta")
    monkeypatch.setattr(volumes, "placements", lambda device, size: [Placement(meta)])
    methods = [Scaled(tiny_configuration(patch_size=[8, 8, 8]), FIELDS).eval().to(meta) for _ in range(number)]
    with CrossDeviceCopies() as copies:
        predict_volume(methods, {"CT": ct}, region, WindowOptions(mirror=True, bfloat16=True))
    weights = [(8, 8, 8)] * number
    assert sorted(copies.to_device) == sorted([ct.shape, region.shape, *weights])
    assert copies.from_device == [ct.shape]
