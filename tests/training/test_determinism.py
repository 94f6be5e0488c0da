import os

import torch

from ct2pet.training.determinism import determinism, random_state, set_random_state


def test_inside_the_block_algorithms_are_deterministic_and_after_it_as_before():
    with determinism(True):
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.benchmark
    assert not torch.are_deterministic_algorithms_enabled()
    with determinism(False):
        assert torch.backends.cudnn.benchmark
    assert not torch.backends.cudnn.benchmark


def test_the_workspace_of_cuda_is_fixed_unless_the_user_sets_it(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with determinism(True):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    with determinism(True):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_the_random_numbers_of_a_gpu_continue_too(monkeypatch):
    there, gpu = {}, torch.device("cuda:1")
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: torch.tensor([3, device.index]))
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: there.update({device: state}))
    states = random_state(gpu)
    numbers = torch.rand(3)
    set_random_state(states, gpu)
    assert torch.equal(torch.rand(3), numbers)
    assert there[gpu].tolist() == [3, 1]
    set_random_state({"random": states["random"]}, gpu)  # of a training on a CPU
    set_random_state(states, torch.device("cpu"))
    assert [*there] == [gpu]
