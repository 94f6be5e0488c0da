import pytest
import torch

from ct2pet.training import mixed_precision
from ct2pet.training.mixed_precision import Precision, precision_of

CPU = torch.device("cpu")


def weight_and_optimizer():
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    return weight, torch.optim.SGD([weight], lr=0.1)


def update(scaling, weight, optimizer, slope):
    """One update as the trainer makes it; returns the gradient after unscaling."""
    optimizer.zero_grad()
    scaling.scaled("one", (weight * slope).sum()).backward()
    scaling.unscale("one", optimizer)
    gradient = weight.grad.item()
    scaling.step("one", optimizer, finite=bool(torch.isfinite(weight.grad)))
    return gradient


@pytest.mark.parametrize("kind", [None, torch.bfloat16, torch.float16])
def test_the_gradient_that_reaches_the_optimizer_is_the_losss_own(kind):
    weight, optimizer = weight_and_optimizer()
    assert update(Precision(CPU, ["one"], kind), weight, optimizer, 3.0) == pytest.approx(3.0)
    assert weight.item() == pytest.approx(1 - 0.1 * 3)


def test_float16_scales_each_optimizer_by_itself_and_halves_the_scale_of_the_one_that_overflowed():
    scaling = Precision(CPU, ["one", "other"], torch.float16)
    weight, optimizer = weight_and_optimizer()
    first = scaling.state()["one"]["scale"]
    update(scaling, weight, optimizer, float("inf"))
    assert weight.item() == 1.0
    assert {name: state["scale"] / first for name, state in scaling.state().items()} == {"one": 0.5, "other": 1.0}
    update(scaling, weight, optimizer, 3.0)
    assert weight.item() == pytest.approx(1 - 0.1 * 3)


def test_only_many_overflows_in_a_row_are_too_many(monkeypatch):
    monkeypatch.setattr(mixed_precision, "_MOST_SKIPS", 3)
    scaling = Precision(CPU, ["one", "other"], torch.float16)
    weight, optimizer = weight_and_optimizer()
    seen = []
    for slope in (float("inf"), float("inf"), 1.0, float("inf"), float("inf"), float("inf")):
        update(scaling, weight, optimizer, slope)
        seen.append(scaling.may_skip("one"))
    assert seen == [True, True, True, True, True, False]
    assert scaling.may_skip("other")
    assert not Precision(CPU, ["one"], torch.bfloat16).may_skip("one")


def test_scales_continue_from_a_checkpoint_and_a_device_without_them_ignores_them():
    scaling = Precision(CPU, ["one"], torch.float16)
    weight, optimizer = weight_and_optimizer()
    update(scaling, weight, optimizer, float("inf"))
    for kind in (torch.float16, None):
        other = Precision(CPU, ["one"], kind)
        other.load_state(scaling.state())
        assert other.state() == (scaling.state() if kind else {"one": {}})
    scaling.load_state({"one": {}})  # of a device without


@pytest.mark.parametrize(("bf16", "expected"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_gpu_without_bf16_computes_in_float16(monkeypatch, bf16, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
    assert precision_of(torch.device("cuda")) is expected


@pytest.mark.parametrize(("native", "expected"), [(True, torch.bfloat16), (False, None)])
def test_a_cpu_without_bf16_computes_in_float32(monkeypatch, native, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    assert precision_of(CPU) is expected
    assert precision_of(torch.device("mps")) is None


def test_forward_passes_compute_in_the_type():
    for kind in (None, torch.bfloat16, torch.float16):
        with Precision(CPU, [], kind).autocast():
            assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == (kind or torch.float32)
