"""Prediction of one whole-body CT with one network: the whole process and the inner loop, against nnU-Net and MONAI.

Run: python benchmarks/predict.py [--size quick|full]
The same network (a U-Net with random weights, one for the whole body), the same windows and overlap of one half, no
mirroring. Whole process: from the start of Python to the PET on disk, on the PET's grid. nnU-Net and MONAI write the
output of their loop, without resampling back to the CT. Passes: voxels that the network computed, by voxels of the
body. ct2pet only computes windows of the body, which it takes from the case's district map, as always; the others
compute the whole volume. On a CPU nnU-Net computes in float32; MONAI and ct2pet are measured with bfloat16 and without.
nnU-Net weights its windows with a Gaussian and MONAI's are the best of 1 and 4 at once.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from _measure import Figures, benchmark, clocked, table, verdict

# Features of the first stage: 32 as in the paper's plans, 8 as the planner chooses for a CPU.
FEATURES = {"full": 32, "quick": 8}
WINDOWS = {32: 4, 96: 5}  # voxels: stages
MONAI_BATCH = {32: 4, 96: 1}  # its best: one by one, small windows are slower, large ones faster and in less memory
# Times faster than nnU-Net and than MONAI in its best setting, and times less memory than both.
WANTED: dict[int, dict[str, float | None]] = {
    32: {"nnU-Net": 6.0, "MONAI": 2.5, "memory": 2.0},
    96: {"nnU-Net": 2.0, "MONAI": 2.0, "memory": 2.0},
}


def prepare(folder: Path, size: str) -> None:
    from _model import write_model
    from _whole_body import write_case

    write_case(folder, size)
    for window, stages in WINDOWS.items():
        write_model(folder, size, window, stages, FEATURES[size])


@contextlib.contextmanager
def timed(owner: Any, name: str, told: dict[str, Any]) -> Iterator[None]:
    """Inside the block, ``told`` gets the seconds (by the clock, of the processors) of each call of ``owner.name``."""
    function = getattr(owner, name)

    @functools.wraps(function)
    def wrapper(*arguments: Any, **options: Any) -> Any:
        seconds, result = clocked(lambda: function(*arguments, **options))
        told.update(seconds)
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
    from ct2pet.inference import predictor
    from ct2pet.inference.sliding_window import SlidingWindow

    ct, maps = _case(folder)
    told: dict[str, Any] = {}
    positions = SlidingWindow.positions

    def counted(self: SlidingWindow, mask: Any) -> list:
        found = positions(self, mask)
        told["windows"] = len(found)
        return found

    SlidingWindow.positions = counted  # type: ignore[method-assign]
    output = _prediction(folder, window, *options)
    arguments = ["-i", str(ct), "-o", str(output), "--districts", str(maps), "-p", f"window{window}"]
    with timed(predictor, "predict_volume", told):
        assert main([*arguments, "--disable_tta", *options]) == 0
    return {**told, "passes": _passes(told["windows"], window, folder, size)}


def _prediction(folder: Path, window: int, *options: str) -> Path:
    return folder / f"ct2pet{window}{''.join(options)}.nii.gz"


def difference(folder: Path, size: str) -> dict[str, float]:
    """How far bfloat16 is from float32 in the body, in SUV: the mean of each window's size, and the largest."""
    import numpy as np

    from ct2pet.imageio import read_volume

    told = {}
    for window in WINDOWS:
        fast, exact = (read_volume(_prediction(folder, window, *options)).array for options in ([], ["--float32"]))
        error = np.abs(fast - exact)[exact > 0]
        told |= {f"mean{window}": float(error.mean()), f"most{window}": float(error.max())}
    return told


def nnunet(folder: Path, size: str, window: int) -> dict[str, Any]:
    import _nnunet

    _nnunet.quietly()
    import SimpleITK as sitk
    import torch
    from _pix2pix import SUV
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
    from _pix2pix import CT_WINDOW, SUV
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
    changed = figures.pop("difference")
    parts = [f"U-Net with {FEATURES[size]} features in its first stage."]
    for window in WINDOWS:
        own = _of(figures, window)
        best = own["ct2pet"]
        parts.append(table(own, columns, f"windows of {window}³", "ct2pet"))
        parts.append("\n".join(_verdicts(own, window)))
        parts.append(
            f"bfloat16 changes the SUV in the body by {changed.of(f'mean{window}'):.1e} on average, by "
            f"{changed.of(f'most{window}'):.1e} at most. One pass per voxel of the body at the same speed would take "
            f"{best.of('inner_cpu') / best.of('passes'):.1f} CPU s: ct2pet is {best.of('passes'):.1f} times above it."
        )
    return "\n\n".join(parts)


def _of(figures: Mapping[str, Figures], window: int) -> dict[str, Figures]:
    start = f"{window}³ "
    return {name.removeprefix(start): one for name, one in figures.items() if name.startswith(start)}


def _verdicts(own: Mapping[str, Figures], window: int) -> Iterator[str]:
    """Against nnU-Net and the fastest of MONAI's settings; then all in float32."""
    settings = [name for name in own if "MONAI" in name]
    in_float32 = [name for name in settings if "bfloat16" not in name]
    for name, those, wanted in (
        ("ct2pet", settings, WANTED[window]),
        ("ct2pet, float32", in_float32, {"nnU-Net": None, "MONAI": None, "memory": None}),
    ):
        fastest = min(those, key=lambda setting: own[setting].of("inner"))
        for peer, kind in (("nnU-Net", "nnU-Net"), (fastest, "MONAI")):
            times = ("inner", "inner_cpu", "seconds", "cpu_seconds")
            yield verdict(f"{name}: times faster than {peer}", own, times, wanted[kind], peer, name)
            yield verdict(f"{name}: times less memory than {peer}", own, ["peak_mib"], wanted["memory"], peer, name)


def arms() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for window in WINDOWS:
        kinds = {
            "ct2pet": functools.partial(ct2pet, window=window),
            "ct2pet, float32": lambda folder, size, window=window: ct2pet(folder, size, window, "--float32"),
            "nnU-Net": functools.partial(nnunet, window=window),
        }
        batch = MONAI_BATCH[window]
        for precision in ("", ", bfloat16"):
            kinds[f"MONAI, batch {batch}{precision}"] = functools.partial(
                monai, window=window, batch=batch, bfloat16=bool(precision)
            )
        found |= {f"{window}³ {name}": arm for name, arm in kinds.items()}
    return {**found, "difference": difference}


if __name__ == "__main__":
    benchmark(__file__, __doc__, arms(), prepare, report)
