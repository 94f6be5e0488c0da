import logging

import pytest
import torch
from hand_models import Scaled, hand_configuration, scaled, two_district_case

from ct2pet.inference import bfloat16
from ct2pet.inference.bfloat16 import FastTranslation
from ct2pet.inference.predictor import DistrictModels, Predictor

CPU = torch.device("cpu")


class Convolution:
    """A 1 x 1 x 1 convolution that remembers whether it was asked for in bfloat16."""

    def __init__(self, weight):
        self.layer = torch.nn.Conv3d(1, 1, 1, bias=False)
        torch.nn.init.constant_(self.layer.weight, weight)
        self.fast = []

    @torch.no_grad()
    def __call__(self, windows):
        self.fast.append(torch.is_autocast_enabled("cpu"))
        return self.layer(windows)


@pytest.fixture
def native(monkeypatch):
    """Emulated where the machine has none: slow, but the same numbers."""
    monkeypatch.setattr(bfloat16, "native_bfloat16", lambda device: True)


def windows(seed=0):
    return torch.rand((2, 1, 4, 4, 4), generator=torch.Generator().manual_seed(seed))


def test_all_but_the_first_windows_are_in_bfloat16_where_it_changes_little(native):
    function = Convolution(1.001)
    translate = FastTranslation(function, CPU, tolerance=0.01)
    torch.testing.assert_close(translate(windows()), 1.001 * windows())
    later = translate(windows(1))
    assert function.fast == [True, False, True]
    assert later.dtype == torch.bfloat16
    assert 0 < (later - 1.001 * windows(1)).abs().max() < 0.01


def test_float32_it_stays_where_bfloat16_changes_much_and_the_user_hears_of_it(native, caplog):
    function = Convolution(1.001)
    translate = FastTranslation(function, CPU, tolerance=1e-5)
    with caplog.at_level(logging.WARNING):
        results = [translate(windows(seed)) for seed in range(3)]
    for seed, result in enumerate(results):
        torch.testing.assert_close(result, 1.001 * windows(seed))
    assert function.fast == [True, False, False, False]
    assert len(caplog.records) == 1
    assert "float32" in caplog.text


def test_a_device_that_only_emulates_bfloat16_is_not_asked_for_it(monkeypatch):
    monkeypatch.setattr(bfloat16, "native_bfloat16", lambda device: False)
    function = Convolution(1.001)
    torch.testing.assert_close(FastTranslation(function, CPU, tolerance=1.0)(windows()), 1.001 * windows())
    assert function.fast == [False]


class Asked(Scaled):
    fast: tuple = ()

    def translate(self, ct):
        type(self).fast += (torch.is_autocast_enabled("cpu"),)
        return super().translate(ct)


@pytest.mark.parametrize(("float32", "expected"), [(True, {False}), (False, {False, True})])
def test_float32_is_the_users_choice(native, float32, expected):
    ct, labels = two_district_case()
    configuration = hand_configuration(labels=[1, 2], patch_size=[4, 4, 4])
    district = DistrictModels("both", configuration, [scaled(1.0, configuration, Asked)])
    Asked.fast = ()
    Predictor([district], float32=float32).predict(ct, labels, ct.grid)
    assert set(Asked.fast) == expected


def test_a_processor_without_bfloat16_is_known(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert not bfloat16.native_bfloat16(CPU)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert bfloat16.native_bfloat16(CPU)
    assert not bfloat16.native_bfloat16(torch.device("mps"))
