"""The benchmark of other programs: what they are given and return, when they stop, and the table of differences."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape

from ct2pet.evaluation.baselines import NAMES
from ct2pet.evaluation.comparing.comparison import compare
from ct2pet.imageio import read_volume, write_volume
from ct2pet.volume import Grid, Volume

PET = Grid((6, 7, 8), (4.0, 4.0, 4.0), (0.0, 0.0, 0.0))
CT = Grid((12, 14, 16), (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0))


@pytest.fixture
def benchmark_module(monkeypatch):
    import ct2pet.models

    monkeypatch.setattr(ct2pet.models, "__path__", [*ct2pet.models.__path__])
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module


def test_a_program_gets_the_ct_on_the_grid_of_the_pet_and_predicts_no_negative_uptake(benchmark_module, tmp_path):
    rivals = benchmark_module("rivals")
    along_x = np.broadcast_to(np.arange(16, dtype=np.float32) * 2 - 1, CT.shape)
    write_volume(tmp_path / "CT.nii.gz", Volume(along_x.copy(), CT))
    write_volume(tmp_path / "PET.nii.gz", Volume(np.zeros(PET.shape, np.float32), PET))
    dataset = SimpleNamespace(cases=lambda split: ["one"], file=lambda name, case, split: tmp_path / f"{name}.nii.gz")
    seen = []

    def predictor(ct, scratch):
        seen.append(ct)
        return ct.array - 8.0

    rivals.predict_all(dataset, tmp_path / "predictions", predictor, tmp_path)
    assert seen[0].grid.shape == PET.shape
    assert seen[0].array[3, 3] == pytest.approx(np.arange(8) * 4.0)  # its values are the positions along x, mm
    predicted = read_volume(tmp_path / "predictions" / "one.nii.gz")
    assert predicted.array[3, 3] == pytest.approx([0.0, 0.0, 0.0, 4.0, 8.0, 12.0, 16.0, 20.0])


def test_a_difference_is_that_of_the_rival_to_the_first_arm_and_a_bias_counts_by_its_size(benchmark_module):
    tables = benchmark_module("_rival_tables")

    def summary(mae, bias):
        cases = {
            f"case_{k}": {"whole_body": {"mae": mae + 0.01 * k}, "lesions": {"suv_mean_bias": bias * (1 + k / 100)}}
            for k in range(8)
        }
        nothing = {name: {} for name in NAMES}
        return {"cases": cases, "baseline_cases": nothing, "provenance": {}, "diagnoses": {}, "settings": {}}

    first, better, worse = summary(0.3, -50.0), summary(0.2, 25.0), summary(0.4, -75.0)
    found = compare({"ours": first, "better": better, "worse": worse}, ["mae", "suv_mean_bias"])
    rows = [line.strip("| ").split(" | ") for line in tables.differences(found).splitlines()[2:]]
    assert [row[:2] for row in rows] == [
        [f"{other} − ours", region]
        for other in ("better", "worse")
        for region in ("whole body: MAE [SUV]", "lesions: SUVmean bias [%]")
    ]
    assert [float(row[2].split()[0]) for row in rows] == pytest.approx([-0.1, -25.9, 0.1, 25.9], abs=0.051)
    assert {row[3] for row in rows} == {"8"}


def test_the_learning_rate_of_konfai_falls_ten_times_and_is_0_when_the_time_is_over(benchmark_module, monkeypatch):
    rival = benchmark_module("_rival_konfai")
    factor = rival.Falling(100.0)
    times = iter([7.0, *np.arange(7.0, 108.0, 10.0)])  # the first step reads the clock twice: the start is now
    monkeypatch.setattr(rival.time, "process_time", lambda: next(times))
    factors = [factor(step) for step in range(1, 12)]
    assert factors == pytest.approx([*(0.75**fall for fall in range(10)), 0.0])


def test_konfai_predicts_with_the_ct_and_the_network_that_it_trained_with(benchmark_module, tmp_path):
    rival = benchmark_module("_rival_konfai")
    trained = rival.training(tmp_path, [62, 97], 300.0)["Trainer"]
    predicted = rival.prediction(tmp_path / "Dataset", [62, 97])["Predictor"]
    assert trained["Dataset"]["groups_src"]["CT"] == predicted["Dataset"]["groups_src"]["CT"]
    assert trained["Dataset"]["Patch"] == predicted["Dataset"]["Patch"]
    assert trained["Dataset"]["Patch"]["patch_size"] == [1, 64, 128]
    networks = [tree["Model"]["UNetPlusPlus"] for tree in (trained, predicted)]
    assert all(networks[0][key] == networks[1][key] for key in ("in_channels", "encoder_name", "activation"))
    window = trained["Dataset"]["groups_src"]["PET"]["groups_dest"]["PET"]["transforms"]["Clip"]
    inverse = predicted["outputs_dataset"]["Activation"]["OutputDataset"]["final_transforms"]["UnNormalize"]
    assert (window["min_value"], window["max_value"]) == (inverse["min_value"], inverse["max_value"])


def test_a_prediction_of_nnunet_returns_to_the_places_of_the_ct(benchmark_module):
    rival = benchmark_module("_rival_nnunet")
    options = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
    configuration = SimpleNamespace(
        spacing=[4.0, 4.0, 4.0],
        resampling_fn_probabilities=lambda *arguments: resample_data_or_seg_to_shape(*arguments, **options),
    )
    along_x = np.broadcast_to(np.arange(6) * 4.0, (1, 5, 6, 6)).astype(np.float32)  # mm, at 4 mm
    properties = {
        "spacing": [4.0, 4.0, 2.0],
        "shape_before_cropping": (5, 8, 14),
        "shape_after_cropping_and_before_resampling": (5, 6, 12),
        "bbox_used_for_cropping": [[0, 5], [1, 7], [2, 14]],
    }
    whole = rival.to_original(configuration, torch.from_numpy(along_x), properties)
    assert whole[:, 1:7, 3:13] == pytest.approx(np.broadcast_to(np.arange(10) * 2.0 + 1, (5, 6, 10)))
    assert not np.delete(whole, range(1, 7), axis=1).any()
    assert not whole[:, :, :2].any()
