import logging

import pytest
import torch
from hand_models import Scaled, hand_configuration, scaled, two_district_case
from tiny import FIELDS

from ct2pet.inference import bfloat16
from ct2pet.inference.bfloat16 import FastWindows, in_float32
from ct2pet.inference.predictor import DistrictModels, Predictor
from ct2pet.inference.volumes import WindowOptions

CPU = torch.device("cpu")


class Convolution:
    """A 1 x 1 x 1 convolution by output; ``fast`` records which calls were in bfloat16."""

    def __init__(self, **weights):
        self.layers = {name: torch.nn.Conv3d(1, 1, 1, bias=False) for name in weights}
        for name, layer in self.layers.items():
            torch.nn.init.constant_(layer.weight, weights[name])
        self.fast = []

    @torch.no_grad()
    def __call__(self, windows):
        self.fast.append(torch.is_autocast_enabled("cpu"))
        return {name: layer(windows) for name, layer in self.layers.items()}


@pytest.fixture
def native(monkeypatch):
    """Emulated where the machine has none: slow, but the same numbers."""
    monkeypatch.setattr(bfloat16, "native_bfloat16", lambda device: True)


def windows(seed=0):
    return torch.rand((2, 1, 4, 4, 4), generator=torch.Generator().manual_seed(seed))


def test_all_but_the_first_windows_are_in_bfloat16_where_it_changes_little(native):
    function = Convolution(PET=1.001, CT=2.001)
    fast = FastWindows(function, CPU, {"PET": 0.01, "CT": 0.02})
    first = fast(windows())
    later = fast(windows(1))
    for name, weight in (("PET", 1.001), ("CT", 2.001)):
        torch.testing.assert_close(first[name], weight * windows())
        assert later[name].dtype == torch.bfloat16
        assert 0 < (later[name] - weight * windows(1)).abs().max() < 0.02
    assert function.fast == [True, False, True]


@pytest.mark.parametrize("strict", ["PET", "CT"])
def test_float32_is_kept_and_reported_if_bfloat16_changes_an_output_too_much(native, caplog, strict):
    function = Convolution(PET=1.001, CT=2.001)
    fast = FastWindows(function, CPU, {"PET": 0.01, "CT": 0.02, strict: 1e-5})
    with caplog.at_level(logging.WARNING):
        results = [fast(windows(seed)) for seed in range(3)]
    for seed, result in enumerate(results):
        torch.testing.assert_close(result["PET"], 1.001 * windows(seed))
        torch.testing.assert_close(result["CT"], 2.001 * windows(seed))
    assert function.fast == [True, False, False, False]
    assert len(caplog.records) == 1
    assert "float32" in caplog.text
    assert all(f"{name} 0.0" in caplog.text for name in ("PET", "CT"))


def test_a_device_that_only_emulates_bfloat16_computes_in_float32(monkeypatch):
    monkeypatch.setattr(bfloat16, "native_bfloat16", lambda device: False)
    function = Convolution(PET=1.001)
    torch.testing.assert_close(FastWindows(function, CPU, {"PET": 1.0})(windows())["PET"], 1.001 * windows())
    assert function.fast == [False]


@pytest.mark.parametrize("before", [True, False])
def test_float32_on_a_gpu_excludes_tensorfloat32_and_restores_the_setting(monkeypatch, before):
    """The flag alone, so that no GPU is needed; also where the function fails."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", before)
    seen = []

    def function(windows):
        seen.append(torch.backends.cudnn.allow_tf32)
        if len(seen) > 1:
            raise ValueError("broken")
        return {"PET": windows}

    exact = in_float32(function)
    torch.testing.assert_close(exact(windows())["PET"], windows())
    with pytest.raises(ValueError, match="broken"):
        exact(windows())
    assert seen == [False, False]
    assert torch.backends.cudnn.allow_tf32 is before


class Recording(Scaled):
    fast: tuple = ()

    def translate(self, inputs):
        type(self).fast += (torch.is_autocast_enabled("cpu"),)
        return super().translate(inputs)


@pytest.mark.parametrize(("float32", "expected"), [(True, {False}), (False, {False, True})])
def test_float32_is_the_users_choice(native, float32, expected):
    ct, labels = two_district_case()
    configuration = hand_configuration(labels=[1, 2], patch_size=[4, 4, 4])
    district = DistrictModels("both", configuration, [scaled(1.0, configuration, Recording)])
    Recording.fast = ()
    predictor = Predictor([district], FIELDS, windows=WindowOptions(bfloat16=not float32))
    predictor.predict({"CT": ct}, labels, ct.grid)
    assert set(Recording.fast) == expected


def test_a_processor_without_bfloat16_is_known(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert not bfloat16.native_bfloat16(CPU)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert bfloat16.native_bfloat16(CPU)
    assert not bfloat16.native_bfloat16(torch.device("mps"))
