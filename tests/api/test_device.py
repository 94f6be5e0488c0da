import pytest
import torch

from ct2pet.api.device import choose_device, choose_devices
from ct2pet.errors import Ct2PetError


@pytest.fixture
def machine(monkeypatch):
    def make(cuda, mps):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return make


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"), [(True, False, "cuda"), (False, True, "cpu"), (False, False, "cpu")]
)
def test_without_a_name_it_is_cuda_or_the_cpu(machine, cuda, mps, chosen):
    machine(cuda, mps)
    assert choose_device(None) == chosen


def test_an_available_device_is_used_and_another_refused(machine):
    machine(False, True)
    assert choose_device("mps") == "mps"
    with pytest.raises(Ct2PetError, match=r"cuda: .*available: mps, cpu"):
        choose_device("cuda")


def test_several_gpus_are_as_many_as_there_are(machine, monkeypatch):
    machine(True, False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_devices(None, 1) == ["cuda"]
    assert choose_devices("cuda", 2) == ["cuda:0", "cuda:1"]
    with pytest.raises(Ct2PetError, match=r"-num_gpus 4: torch finds 2 GPU\(s\) here"):
        choose_devices(None, 4)


def test_several_gpus_on_a_machine_without_are_refused(machine):
    machine(False, False)
    with pytest.raises(Ct2PetError, match="-num_gpus 2: torch finds no GPU"):
        choose_devices(None, 2)
