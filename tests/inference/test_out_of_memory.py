import pytest
import torch

from ct2pet.errors import Ct2PetError
from ct2pet.inference.out_of_memory import reporting_out_of_memory


def broken(error, device="cpu"):
    with reporting_out_of_memory(device, "trunk", "plan smaller"):
        raise error


def test_a_real_shortage_of_main_memory_is_reported():
    with (
        pytest.raises(Ct2PetError, match=r"^trunk: out of memory on cpu; plan smaller$"),
        reporting_out_of_memory("cpu", "trunk", "plan smaller"),
    ):
        torch.empty(2**60, dtype=torch.uint8)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("cuDNN error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ],
)
def test_a_shortage_on_a_gpu_states_the_memory_of_the_gpu(error, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30, 8 * 2**30))
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 6 * 2**30)
    expected = (
        r"trunk: out of memory on cuda:1 \(8.0 GiB; this process held 6.0 GiB, now 1.0 GiB are free\); plan smaller"
    )
    with pytest.raises(Ct2PetError, match=expected):
        broken(error, "cuda:1")


def test_an_operation_without_a_deterministic_way_is_named():
    error = RuntimeError("avg_pool3d_backward_cuda does not have a deterministic implementation, but you set 'torch...")
    with pytest.raises(
        Ct2PetError, match="avg_pool3d_backward_cuda has no deterministic implementation on cpu; run without"
    ):
        broken(error)


@pytest.mark.parametrize("error", [RuntimeError("shapes do not fit"), ValueError("out of memory of another kind")])
def test_other_errors_are_passed_on(error):
    with pytest.raises(type(error)) as raised:
        broken(error)
    assert raised.value is error
