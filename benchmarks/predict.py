"""Prediction of one whole-body CT with one network: the whole process and the inner loop, against nnU-Net and MONAI.

Run: python benchmarks/predict.py [--size quick|full]
The same network (a U-Net with random weights, one for the whole body), the same windows and overlap of one half, no
mirroring. Whole process: from the start of Python to the PET on disk, on the PET's grid. nnU-Net and MONAI write what
their loop gives, without resampling back to the CT. Passes: voxels that the network computed, by voxels of the body.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _measure import Figures, benchmark, table

# Features of the first stage: 32 as in the paper's plans, 8 as the planner chooses for a CPU.
FEATURES = {"full": 32, "quick": 8}
WINDOWS = {32: 4, 96: 5}  # voxels: stages
CT_WINDOW = (-200.0, 300.0)
SUV = 20.0


def prepare(folder: Path, size: str) -> None:
    import torch
    from _whole_body import DISTRICTS, NAME, grids, write_case

    from ct2pet.checkpoint import save_checkpoint
    from ct2pet.models import load_model
    from ct2pet.planning.networks import plan_discriminator, plan_generator
    from ct2pet.planning.plans import (
        WHOLE_BODY,
        Augmentation,
        Configuration,
        CTNormalization,
        Masking,
        PETNormalization,
        Plans,
        Sampling,
    )
    from ct2pet.planning.topology import unet_topology

    write_case(folder, size)
    for window, stages in WINDOWS.items():
        patch = [window] * 3
        configuration = Configuration(
            labels=sorted(DISTRICTS.values()),
            spacing=list(grids(size)[1].spacing),
            median_shape=patch,
            patch_size=patch,
            batch_size=1,
            ct_normalization=CTNormalization(*CT_WINDOW),
            pet_normalization=PETNormalization(0.0, SUV, True),
            masking=Masking("hard", 0.0),
            sampling=Sampling(0.0),
            augmentation=Augmentation([0.0] * 3, 0.0, [], 0.0, 0.0, 0.0),
            tile_overlap=0.5,
            mirror_axes=[],
            generator=plan_generator(unet_topology(patch, [1.0] * 3, stages), FEATURES[size], 320),
            discriminator=plan_discriminator(patch, 8),
        )
        plans = Plans(NAME, f"window{window}", "benchmark", dict(DISTRICTS), {WHOLE_BODY: configuration}, {}, 0.0)
        torch.manual_seed(0)
        model = load_model("pix2pix")(configuration)
        last = [module for module in model.generator.modules() if isinstance(module, torch.nn.Conv3d)][-1]
        torch.nn.init.normal_(last.weight, std=0.5 / SUV / math.sqrt(FEATURES[size]))
        torch.nn.init.constant_(last.bias, 1.0 / SUV)  # SUV 1, with a deviation of about 0.5
        own = folder / "results" / NAME / f"pix2pix__window{window}__{WHOLE_BODY}"
        content = {"model_name": "pix2pix", "configuration_name": WHOLE_BODY, "plans": plans.to_json(), "epoch": 1}
        save_checkpoint(own / "fold_all" / "checkpoint_final.pth", {**content, "model": model.state_dict()})
        plans.save(own / "plans.json")


@contextlib.contextmanager
def timed(owner: Any, name: str, told: dict[str, Any]) -> Iterator[None]:
    """Inside the block, ``told`` gets the seconds (by the clock, of the processors) of each call of ``owner.name``."""
    function = getattr(owner, name)

    @functools.wraps(function)
    def wrapper(*arguments: Any, **options: Any) -> Any:
        started, processors = time.perf_counter(), time.process_time()
        result = function(*arguments, **options)
        told.update(inner=time.perf_counter() - started, inner_cpu=time.process_time() - processors)
        return result

    setattr(owner, name, wrapper)
    try:
        yield
    finally:
        setattr(owner, name, function)


def _case(folder: Path) -> tuple[Path, Path]:
    from _whole_body import CASE, NAME

    raw = folder / "raw" / NAME
    return raw / "imagesTr" / f"{CASE}_0000.nii.gz", raw / "districtsTr"


def _generator(folder: Path, window: int) -> Any:
    from ct2pet.inference.trained_models import choose, find_trained, load_trained

    trained = choose(find_trained(folder / "results"), plans_name=f"window{window}")
    return load_trained(trained).districts[0].models[0].generator.eval()


def _passes(windows: int, window: int, folder: Path, size: str) -> float:
    """How often the network computed a voxel, by voxels of the body."""
    import numpy as np
    from _whole_body import district_map, grids

    from ct2pet.inference.stitching import output_grid

    ct, pet = grids(size)
    return windows * window**3 / float(np.count_nonzero(district_map(output_grid(ct, pet.spacing)).array))


def ct2pet(folder: Path, size: str, window: int, *options: str) -> dict[str, Any]:
    os.environ.update({f"ct2pet_{kind}": str(folder / kind) for kind in ("raw", "preprocessed", "results")})
    from ct2pet.cli.predict import main
    from ct2pet.inference.sliding_window import SlidingWindow

    ct, maps = _case(folder)
    told: dict[str, Any] = {}
    positions = SlidingWindow.positions

    def counted(self: SlidingWindow, mask: Any) -> list:
        found = positions(self, mask)
        told["windows"] = len(found)
        return found

    SlidingWindow.positions = counted  # type: ignore[method-assign]
    arguments = ["-i", str(ct), "-o", str(folder / "ct2pet"), "--districts", str(maps), "-p", f"window{window}"]
    with timed(SlidingWindow, "translate", told):
        assert main([*arguments, "--disable_tta", *options]) == 0
    return {**told, "passes": _passes(told["windows"], window, folder, size)}


def nnunet(folder: Path, size: str, window: int) -> dict[str, Any]:
    import _nnunet

    _nnunet.quietly()
    import SimpleITK as sitk
    import torch
    from _whole_body import grids
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    spacing = grids(size)[1].spacing
    plans = PlansManager(_nnunet.plans(spacing, [window] * 3))
    configuration = plans.get_configuration("3d_fullres")
    dataset = _nnunet.dataset_json({"background": 0, "pet": [1]}) | {"regions_class_order": [1]}
    predictor = nnUNetPredictor(use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
    network = _generator(folder, window)
    predictor.manual_initialization(network, plans, configuration, [network.state_dict()], dataset, "", None)
    image, _ = _case(folder)
    data, _, _ = DefaultPreprocessor(verbose=False).run_case([str(image)], None, plans, configuration, dataset)
    told: dict[str, Any] = {"windows": len(predictor._internal_get_sliding_window_slicers(data.shape[1:]))}
    with timed(predictor, "predict_sliding_window_return_logits", told):
        pet = predictor.predict_logits_from_preprocessed_data(torch.from_numpy(data))
    output = sitk.GetImageFromArray(pet[0].float().numpy() * SUV)
    output.SetSpacing(spacing[::-1])
    sitk.WriteImage(output, str(folder / "nnunet.nii.gz"))
    return {**told, "passes": _passes(told["windows"], window, folder, size)}


def monai(folder: Path, size: str, window: int, batch: int, bfloat16: bool) -> dict[str, Any]:
    import torch
    from _whole_body import grids
    from monai.data.utils import dense_patch_slices
    from monai.inferers import utils as inferers
    from monai.transforms import Compose, EnsureChannelFirst, LoadImage, SaveImage, ScaleIntensityRange, Spacing

    spacing = grids(size)[1].spacing
    network = _generator(folder, window)
    read = Compose(
        [
            LoadImage(image_only=True),
            EnsureChannelFirst(),
            Spacing(pixdim=spacing[::-1], mode="bilinear"),
            ScaleIntensityRange(*CT_WINDOW, -1.0, 1.0, clip=True),
        ]
    )
    image = read(_case(folder)[0])
    step = tuple(window // 2 for _ in range(3))
    told: dict[str, Any] = {"windows": len(dense_patch_slices(image.shape[1:], (window,) * 3, step))}
    infer = timed(inferers, "sliding_window_inference", told)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16), infer:
        pet = inferers.sliding_window_inference(image[None].as_tensor(), (window,) * 3, batch, network, overlap=0.5)
    image.set_array(pet[0].float() * SUV)
    SaveImage(output_dir=folder, output_postfix="monai", separate_folder=False, print_log=False)(image)
    return {**told, "passes": _passes(told["windows"], window, folder, size)}


def report(figures: dict[str, Figures], size: str) -> str:
    columns = {
        "inner": ("inner loop, s,", ".1f"),
        "inner_cpu": ("CPU s,", ".1f"),
        "seconds": ("whole process, s,", ".1f"),
        "cpu_seconds": ("CPU s,", ".1f"),
        "peak_mib": ("peak MiB,", ".0f"),
        "windows": ("windows", ".0f"),
        "passes": ("passes", ".1f"),
    }
    parts = [f"U-Net with {FEATURES[size]} features in its first stage."]
    for window in WINDOWS:
        own = {name: one for name, one in figures.items() if name.startswith(f"{window}³")}
        parts.append(table(own, columns, f"windows of {window}³", f"{window}³ ct2pet"))
        best = own[f"{window}³ ct2pet"]
        limit = best.of("inner_cpu") / best.of("passes")
        parts.append(f"One pass per voxel of the body at the same speed would take {limit:.1f} CPU s.")
    return "\n\n".join(parts)


def arms() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for window in WINDOWS:
        kinds = {
            "ct2pet": functools.partial(ct2pet, window=window),
            "ct2pet, float32": lambda folder, size, window=window: ct2pet(folder, size, window, "--float32"),
            "nnU-Net": functools.partial(nnunet, window=window),
        }
        for batch in (1, 4):
            kinds[f"MONAI, batch {batch}"] = functools.partial(monai, window=window, batch=batch, bfloat16=False)
        kinds["MONAI, batch 4, bfloat16"] = functools.partial(monai, window=window, batch=4, bfloat16=True)
        found |= {f"{window}³ {name}": arm for name, arm in kinds.items()}
    return found


if __name__ == "__main__":
    benchmark(__file__, __doc__, arms(), prepare, report)
