import pytest
import torch

from ct2pet.api.device import choose_device
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


def test_a_device_that_is_there_is_taken_and_another_refused(machine):
    machine(False, True)
    assert choose_device("mps") == "mps"
    with pytest.raises(Ct2PetError, match=r"cuda: .*there is: mps, cpu"):
        choose_device("cuda")
