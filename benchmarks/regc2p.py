"""RegC2P against misalignment: phantoms whose training PETs are displaced from their CTs by known fields.

Run: python benchmarks/regc2p.py WORK_FOLDER [--misalignments 0 4 8] [--arms pix2pix without_registration regc2p]
     python benchmarks/regc2p.py WORK_FOLDER --sts STS_NIFTI_FOLDER ...    real patients in place of phantoms
An interrupted run is continued. Every training case has its own field of M mm: a shift of that length in
a random direction of the axial plane (--all_directions: of space), and a smooth deformation of M / 2 mm (root mean
square) on top. Fields are in opposite pairs, so that their mean shift, which no method could find, is 0. The test cases
are not displaced. Prints, for every arm, errors inside the district and its lesions; z-roughness: how much neighbouring
slices differ, against the real PET; and for registrations how far the fields that they find lie from the true ones
within the slices (target registration error, mm), beside the length of the true ones. Only one run at a time may use a
dataset, because its plans contain the arm's numbers.
"""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from known_fields import Patients, Phantoms, Sarcomas

from ct2pet.api.evaluation import evaluate
from ct2pet.api.prediction import predict
from ct2pet.api.training import train
from ct2pet.evaluation import read_summary
from ct2pet.files import read_json, write_json
from ct2pet.imageio import read_volume
from ct2pet.inference.trained_models import find_trained, load_trained
from ct2pet.models.base import Model
from ct2pet.paths import results_folder
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.training import TrainingOptions
from ct2pet.volume import Grid

RATE = 1e-3  # trainings of minutes: ten times the paper's


@dataclass(frozen=True)
class Arm:
    """A method with some of its numbers; ``depth``: slices of a 3D patch, where it is not the plans'; ``offsets``: of
    stacks at prediction, as shares of a patch, in place of the plans'."""

    model: str
    numbers: dict[str, Any] = field(default_factory=dict)
    depth: int | None = None
    offsets: tuple[float | None, ...] = (None,)


OFFSETS = (None, 0.25, 0.75, 1.0)
ARMS = {
    "pix2pix": Arm("pix2pix"),
    "without_registration": Arm("regc2p", {"registration": False}),
    "regc2p": Arm("regc2p", offsets=OFFSETS),
    "regc2p_depth_16": Arm("regc2p", depth=16, offsets=OFFSETS),
    "slices_without_registration": Arm("regc2p", {"registration": False, "refinement": False}),
    "slices": Arm("regc2p", {"refinement": False}),
    "slices_network_alone": Arm("regc2p", {"refinement": False, "initial_flow": False}),
    "reggan_without_registration": Arm("reggan", {"registration": False}),
    "reggan": Arm("reggan"),
}


def use_folders(work: Path, arm: str) -> None:
    """Every arm has separate results."""
    for kind, folder in {"raw": "raw", "preprocessed": "preprocessed", "results": f"results/{arm}"}.items():
        os.environ[f"ct2pet_{kind}"] = str(work / folder)


def set_plans(dataset: str, arm: Arm, configuration: str, inner_folds: int) -> None:
    """The numbers of one arm into the dataset's plans."""
    path = PreprocessedDataset.find(dataset).plans_file("ct2petPlans")
    original = path.with_suffix(".original")
    if not original.exists():
        write_json(original, read_json(path))
    plans = read_json(original)
    own = {"inner_folds": inner_folds} if arm.model == "regc2p" else {}
    plans["models"][arm.model] |= {"learning_rate": RATE, **own, **arm.numbers}
    if arm.depth is not None:
        plans["configurations"][configuration]["patch_size"][0] = arm.depth
    write_json(path, plans)


def run_arm(work: Path, patients: Patients, dataset: str, name: str, options: TrainingOptions, folds: int) -> None:
    """Train, predict and evaluate one arm, and print its row."""
    arm, key = ARMS[name], patients.configuration
    use_folders(work, name)
    set_plans(dataset, arm, key, folds)
    train(dataset, arm.model, "all", configurations=[key], device="cpu", options=options)
    raw = work / "raw" / dataset
    for offset in arm.offsets:
        label = name if offset is None else f"{name}_offset_{offset:g}"
        target = work / "predictions" / f"{dataset}_{key}_{label}"
        predict(
            raw / "imagesTs",
            target,
            dataset=dataset,
            configurations=[key],
            like=raw / "targetsTs",
            step_size=offset,
            continue_prediction=True,
            device="cpu",
        )
        report(raw, label, key, target)
    if arm.model in ("regc2p", "reggan") and arm.numbers.get("registration", True):
        print(f"    {registration_error(patients, dataset)}", flush=True)


def report(raw: Path, arm: str, configuration: str, predictions: Path) -> None:
    path = predictions.with_suffix(".json")
    summary = read_summary(path) if path.exists() else evaluate(raw.name, predictions, output=path)
    body = {name: metric["mean"] for name, metric in summary["mean"][configuration].items()}
    print(
        f"{raw.name} {configuration} {arm:>27}: MAE {body['mae']:.4f} SUV ({body['mae_best_shift']:.4f} SUV at its "
        f"best shift), PSNR {body['psnr']:.2f} dB, SSIM {body['ssim']:.4f}, z-roughness "
        f"{roughness(raw, predictions):.3f}, SUVmean bias {lesions(raw, predictions)}",
        flush=True,
    )


def roughness(raw: Path, predictions: Path) -> float:
    """The mean absolute difference between neighbouring slices inside the body, divided by that of the real PET."""
    ratios = []
    for path in sorted(predictions.glob("*.nii.gz")):
        fake, real = (read_volume(p).to_canonical().array for p in (path, raw / "targetsTs" / path.name))
        body = fake > 0
        both = body[1:] & body[:-1]
        ratios.append(np.abs(np.diff(fake, axis=0))[both].mean() / np.abs(np.diff(real, axis=0))[both].mean())
    return float(np.mean(ratios))


def lesions(raw: Path, predictions: Path) -> str:
    """The bias (%) of SUVmean in the predicted district's lesions, in words."""
    biases = []
    for path in sorted(predictions.glob("*.nii.gz")):
        images = (path, raw / "targetsTs" / path.name, raw / "lesionsTs" / path.name)
        if not images[2].exists():
            continue
        fake, real, lesion = (read_volume(p).to_canonical().array for p in images)
        inside = (lesion > 0) & (fake > 0)
        if inside.any():
            biases.append(100 * (fake[inside].mean() / real[inside].mean() - 1))
    return f"{np.mean(biases):.1f} % (lesions of {len(biases)} cases)" if biases else "(no lesions)"


@torch.inference_mode()
def registration_error(patients: Patients, dataset: str) -> str:
    """Over the training cases' body voxels, within the axial plane: lengths (mm) of true, found and left fields."""
    (trained,) = [one for one in find_trained(results_folder()) if one.dataset_name == dataset]
    loaded = load_trained(trained, [patients.configuration], ["all"])
    model = loaded.districts[0].models[0].eval()
    stage = next(iter(model.stages.values()))
    store = PreprocessedDataset.find(dataset).store(loaded.plans, patients.configuration)
    millimetres = float(re.sub(r".*\D", "", dataset))
    lengths, left = [], []
    for number, case in enumerate(store.cases):
        stored = store.open(case)
        content = stored.read_all()
        found = _found(stage, content, stored.grid)
        true = patients.field(number, millimetres).at(stored.grid)[1:]
        inside = content["mask"]
        left.append((found - true)[:, inside])
        lengths.append([np.linalg.norm(f[:, inside], axis=0).mean() for f in (true, found)])
    true_mm, found_mm = np.mean(lengths, axis=0)
    shared = np.mean([error.mean(axis=1) for error in left], axis=0)
    left_mm, relative_mm = (
        np.mean([np.linalg.norm(error - of_all[:, None], axis=0).mean() for error in left])
        for of_all in (np.zeros(2), shared)
    )
    return (
        f"true field {true_mm:.2f} mm, found {found_mm:.2f} mm, target registration error {left_mm:.2f} mm, without "
        f"what all cases share {relative_mm:.2f} mm"
    )


def _found(stage: Model, content: dict, grid: Grid) -> np.ndarray:
    """The in-plane field (mm; Y, X) that the registration network finds, slice by slice or in the whole volume."""
    in_2d = stage.requirements.dimensions == 2
    multiples = [np.prod(axis) for axis in zip(*stage.planned.network("generator").arguments["strides"])]
    volumes = [torch.from_numpy(content[name].astype(np.float32))[:, None] for name in ("CT", "PET", "mask")]
    if not in_2d:
        volumes = [volume.transpose(0, 1)[None] for volume in volumes]
    padding = [(0, int(-n % m)) for n, m in zip(volumes[0].shape[2:], multiples)]
    flat = [n for pair in reversed(padding) for n in pair]
    parts = zip(*[torch.nn.functional.pad(v, flat, value=v.min().item()).split(16) for v in volumes])
    fields = [stage.field(stage.translate(ct), pet, mask > 0) for ct, pet, mask in parts]
    field = torch.cat(fields)
    field = field.transpose(0, 1) if in_2d else field[0, 1:]
    cropped = field[:, : grid.shape[0], : grid.shape[1], : grid.shape[2]].numpy()
    return cropped * np.array(grid.spacing[1:])[:, None, None, None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--sts", type=Path, help="folder with STS_xxx/{CT_image,PET_image,PET_mask}.nii.gz")
    parser.add_argument("--district", default="head", help="of the phantoms (default: head)")
    parser.add_argument("--all_directions", action="store_true", help="not in the axial plane alone")
    parser.add_argument("--misalignments", type=int, nargs="+", default=[0, 4, 8])
    parser.add_argument("--arms", nargs="+", default=["pix2pix", "without_registration", "regc2p"], choices=ARMS)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--iterations", type=int, default=50)
    parser.add_argument("--inner_folds", type=int, default=2)
    arguments = parser.parse_args()
    use_folders(arguments.work, "")
    options = TrainingOptions(
        num_epochs=arguments.epochs, iterations_per_epoch=arguments.iterations, resume=True, show_progress=False
    )
    in_plane = not arguments.all_directions
    patients: Patients = Phantoms(arguments.district, in_plane)
    if arguments.sts:
        patients = Sarcomas("limbs", in_plane, arguments.sts)
    for millimetres in arguments.misalignments:
        dataset = patients.prepare(arguments.work, millimetres)
        for name in arguments.arms:
            run_arm(arguments.work, patients, dataset, name, options, arguments.inner_folds)


if __name__ == "__main__":
    main()
