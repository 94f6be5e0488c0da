"""Predictions on a GPU, for gpu.py: ct2pet, nnU-Net and MONAI with one network, from a volume in main memory to one.

ct2pet computes the windows of the body alone, the others those of the whole volume. nnU-Net computes in float16, ct2pet
and MONAI in bfloat16 where the row does not say float32.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from _pix2pix import SUV, configuration
from scipy import ndimage

SHAPE, TINY_SHAPE = (326, 400, 400), (20, 28, 28)  # of a PET at clinical resolution; the body has 26% of its voxels
SPACING_MM = [3.0, 2.04, 2.04]
STAGES = {16: 3, 32: 4, 96: 5, 128: 6}  # by window
OWN = ("ct2pet", "ct2pet, float32", "ct2pet, float32 with TF32", "ct2pet, channels last", "ct2pet, volumes on the CPU")
PEERS = ("nnU-Net", "MONAI, batch 1", "MONAI, batch 8")


def tasks(tiny: bool) -> Iterator[dict]:
    """Every arm for every window; for the smallest window also numbers of windows at once."""
    windows = [16] if tiny else [32, 96, 128]
    for window in windows:
        for arm in (*OWN, *PEERS):
            yield {"arm": arm, "window": window, "tiny": tiny}
    for number in [2] if tiny else [2**power for power in range(0, 10)]:
        yield {"arm": "ct2pet", "window": windows[0], "tiny": tiny, "at_once": number}


def measure(task: dict) -> dict[str, float]:
    """Seconds of a prediction after a warm-up, and the peak of the memory that torch allocated (GiB)."""
    torch.manual_seed(0)
    model = _model(task["window"], 4 if task["tiny"] else 32).to(task["device"])
    ct, region = _volume(TINY_SHAPE if task["tiny"] else SHAPE)
    arm = task["arm"].split(",")[0]
    predict = {"ct2pet": _own, "nnU-Net": _nnunet, "MONAI": _monai}[arm](task, model, ct, region)
    with torch.inference_mode():
        predict()
        if task["device"] != "cpu":
            torch.cuda.reset_peak_memory_stats()
        started = time.perf_counter()
        predict()  # ends with the result on the CPU
        seconds = time.perf_counter() - started
    peak = 0.0 if task["device"] == "cpu" else torch.cuda.max_memory_allocated() / 2**30
    return {"seconds": seconds, "peak": peak}


def _model(window: int, features: int) -> Any:
    from ct2pet.dataset.fields import ct_to_pet
    from ct2pet.models.regression import Regression

    return Regression(configuration(window, features, SPACING_MM, STAGES[window]), ct_to_pet()).eval()


def _volume(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A smooth normalised image, and an ellipsoid as the body."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij")
    region = (axes[0] / 0.99) ** 2 + (axes[1] / 0.55) ** 2 + (axes[2] / 0.9) ** 2 < 1
    noise = np.random.default_rng(0).standard_normal(shape, np.float32)
    return np.where(region, ndimage.uniform_filter(noise, 5), -1).astype(np.float32), region


def _own(task: dict, model: Any, ct: np.ndarray, region: np.ndarray) -> Callable[[], Any]:
    from ct2pet.inference import volumes
    from ct2pet.inference.volumes import WindowOptions, predict_volume

    how = task["arm"].removeprefix("ct2pet").removeprefix(", ")
    if how == "channels last":
        model.to(memory_format=torch.channels_last_3d)
    if how == "volumes on the CPU":
        every = volumes.placements
        volumes.placements = lambda device, size: every(device, size)[-2:]
    if how == "float32 with TF32":
        volumes.in_float32 = lambda function: function
    if "at_once" in task:
        volumes.windows_at_once = lambda *arguments: task["at_once"]
    options = WindowOptions(bfloat16="float32" not in how)
    return lambda: predict_volume([model], {"CT": ct}, region, options)


def _nnunet(task: dict, model: Any, ct: np.ndarray, region: np.ndarray) -> Callable[[], Any]:
    import _nnunet

    _nnunet.quietly()
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    plans = PlansManager(_nnunet.plans(SPACING_MM, [task["window"]] * 3))
    dataset = _nnunet.dataset_json({"background": 0, "pet": [1]}) | {"regions_class_order": [1]}
    device = torch.device(task["device"])
    predictor = nnUNetPredictor(use_mirroring=False, device=device, allow_tqdm=False)
    network = model.generator
    settings = plans, plans.get_configuration("3d_fullres"), [network.state_dict()], dataset, "", None
    predictor.manual_initialization(network, *settings)
    image = torch.from_numpy(ct[None])
    return lambda: predictor.predict_sliding_window_return_logits(image).float().cpu() * SUV


def _monai(task: dict, model: Any, ct: np.ndarray, region: np.ndarray) -> Callable[[], Any]:
    from monai.inferers.utils import sliding_window_inference

    batch, device = int(task["arm"].rsplit(" ", 1)[1]), torch.device(task["device"])
    image, window = torch.from_numpy(ct[None, None]), (task["window"],) * 3
    precision = contextlib.nullcontext() if device.type == "cpu" else torch.autocast("cuda", torch.bfloat16)

    def predict() -> torch.Tensor:
        with precision:
            found = sliding_window_inference(
                image, window, batch, model.generator, overlap=0.5, mode="gaussian", sw_device=device, device=device
            )
        return found.float().cpu()

    return predict
