"""RegC2P against misalignment: phantoms whose training PETs do not lie where their CTs lie, by known fields.

Run: python benchmarks/regc2p.py WORK_FOLDER [--misalignments 0 4 8] [--arms pix2pix without_registration regc2p]
Interrupted and run again, it goes on. Every training case has a field of its own, of M mm: a shift of that length in
a random direction, and a smooth deformation of M / 2 mm (root mean square) on top. Fields come in opposite pairs, so
that they share no shift, which no method could know. The test cases are clean. Prints, for every arm, errors inside
the head and its lesions; z-roughness: how much neighbouring slices differ, against the real PET; and for registrations
how far the fields that they find lie from the true ones within the slices (target registration error, mm), beside the
length of the true ones.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from ct2pet.api.evaluation import evaluate
from ct2pet.api.folders import PreprocessedDataset
from ct2pet.api.prediction import predict
from ct2pet.api.preparation import plan_and_preprocess
from ct2pet.api.training import train
from ct2pet.dataset import open_dataset
from ct2pet.evaluation import read_summary
from ct2pet.files import read_json, write_json
from ct2pet.imageio import read_volume, write_volume
from ct2pet.inference.trained_models import find_trained, load_trained
from ct2pet.models.base import Model
from ct2pet.paths import results_folder
from ct2pet.phantom import DEMO, write_dataset
from ct2pet.training import TrainingOptions
from ct2pet.volume import Box, Grid

CONFIGURATION = "head"  # where patients move between CT and PET, and small enough for many steps
# Voxels of 4 mm: of 8 mm askew, the demo's 6.5 mm see little.
SCANNER = replace(
    DEMO,
    name="head",
    ct_spacing=(4.0,) * 3,
    pet_spacing=(4.0,) * 3,
    pet_matrix=(98, 142),
    psf_mm=4.5,
    filter_mm=4.0,
    counts=2000.0,
)
RATE = 1e-3  # trainings of minutes: ten times the paper's
ARMS = {
    "pix2pix": ("pix2pix", {}),
    "without_registration": ("regc2p", {"registration": False}),
    "regc2p": ("regc2p", {}),
    "slices_without_registration": ("regc2p", {"registration": False, "refinement": False}),
    "slices": ("regc2p", {"refinement": False}),
    "slices_network_alone": ("regc2p", {"refinement": False, "initial_flow": False}),
    "reggan_without_registration": ("reggan", {"registration": False}),
    "reggan": ("reggan", {}),
}
DEFAULTS = {"registration": True, "initial_flow": True}


def use_folders(work: Path, arm: str) -> None:
    """Every arm has results of its own."""
    for kind, folder in {"raw": "raw", "preprocessed": "preprocessed", "results": f"results/{arm}"}.items():
        os.environ[f"ct2pet_{kind}"] = str(work / folder)


class Field:
    """A known displacement (mm; Z, Y, X) everywhere: the PET at p shows what lies at p + displacement(p). That of an
    odd number is the opposite of the one before it."""

    def __init__(self, number: int, millimetres: float) -> None:
        random = np.random.default_rng([8, number // 2])
        millimetres *= 1 - 2 * (number % 2)
        self.shift = random.normal(size=3)
        self.shift *= millimetres / np.linalg.norm(self.shift)
        directions = random.normal(size=(6, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        self.waves = 2 * np.pi * directions / random.uniform(200, 400, (6, 1))
        self.phases = random.uniform(0, 2 * np.pi, 6)
        amplitudes = random.normal(size=(6, 3))
        self.amplitudes = amplitudes * millimetres / 2 / np.sqrt((amplitudes**2).sum() / 2)

    def at(self, grid: Grid) -> np.ndarray:
        """(3, Z, Y, X) on a grid that is not turned."""
        axes = [np.arange(n) * s + o for n, s, o in zip(grid.shape, grid.spacing, grid.origin[::-1])]
        points = np.meshgrid(*axes, indexing="ij", sparse=True)
        field = np.zeros((3, *grid.shape)) + self.shift[:, None, None, None]
        for wave, phase, amplitude in zip(self.waves, self.phases, self.amplitudes):
            angle = sum(w * p for w, p in zip(wave, points)) + phase
            field += amplitude[:, None, None, None] * np.cos(angle)
        return field


def dataset_name(millimetres: int) -> str:
    return f"Dataset{110 + millimetres}_Askew{millimetres}"


def prepare(work: Path, millimetres: int, num_train: int, num_test: int) -> str:
    """The phantoms with askew training PETs, planned and preprocessed."""
    name = dataset_name(millimetres)
    folder = work / "raw" / name
    if not (folder / "dataset.json").exists():
        write_dataset(folder, num_train=num_train, num_test=num_test, seed=7, scanner=SCANNER, num_processes=1)
    marker = work / "preprocessed" / name / "ready"
    if not marker.exists():
        if millimetres:
            for number, case in enumerate(open_dataset(name).cases("Tr")):
                _make_askew(folder / "targetsTr" / f"{case}.nii.gz", Field(number, millimetres))
        plan_and_preprocess(name, device="cpu", gpu_memory_target=4, num_processes=1)
        marker.touch()
    return name


def _make_askew(path: Path, field: Field) -> None:
    done = path.parent.with_name("askew") / path.name
    if done.exists():
        return
    pet = read_volume(path)
    oriented = pet.oriented()
    steps = np.array(oriented.grid.spacing)[:, None, None, None]
    places = np.indices(oriented.grid.shape) + field.at(oriented.grid) / steps
    moved = np.maximum(map_coordinates(oriented.array, places, order=3, mode="nearest"), 0).astype(np.float32)
    write_volume(path, oriented.with_array(moved).arranged_like(pet.grid))
    done.parent.mkdir(exist_ok=True)
    done.touch()


def set_numbers(dataset: str, model: str, numbers: dict) -> None:
    """The hyper-parameters of one arm into the dataset's plans."""
    path = PreprocessedDataset.find(dataset).plans_file("ct2petPlans")
    plans = read_json(path)
    plans["models"][model] |= numbers
    write_json(path, plans)


def run_arm(work: Path, dataset: str, arm: str, options: TrainingOptions, inner_folds: int) -> None:
    """Train, predict and evaluate one arm, and print its row."""
    model, numbers = ARMS[arm]
    own = {"inner_folds": inner_folds, "refinement": True} if model == "regc2p" else {}
    default = {} if model == "pix2pix" else DEFAULTS
    use_folders(work, arm)
    set_numbers(dataset, model, {"learning_rate": RATE, **default, **own, **numbers})
    train(dataset, model, "all", configurations=[CONFIGURATION], device="cpu", options=options)
    for name, step_size in {"": None, " not overlapping": 1.0}.items():
        if name and arm != "regc2p":
            continue
        target = work / "predictions" / f"{dataset}_{arm}{name.replace(' ', '_')}"
        raw = work / "raw" / dataset
        predict(
            raw / "imagesTs",
            target,
            dataset=dataset,
            configurations=[CONFIGURATION],
            like=raw / "targetsTs",
            step_size=step_size,
            continue_prediction=True,
            device="cpu",
        )
        report(work, dataset, f"{arm}{name}", target)
    if model in ("regc2p", "reggan") and numbers.get("registration", True):
        print(f"    {registration_error(dataset)}", flush=True)


def report(work: Path, dataset: str, arm: str, predictions: Path) -> None:
    path = predictions.with_suffix(".json")
    summary = read_summary(path) if path.exists() else evaluate(predictions, dataset, output=path)
    head = summary["mean"][CONFIGURATION]
    raw = work / "raw" / dataset
    print(
        f"{dataset} {arm:>36}: MAE {head['mae']['mean']:.4f} SUV, PSNR {head['psnr']['mean']:.2f} dB, SSIM "
        f"{head['ssim']['mean']:.4f}, z-roughness {roughness(raw, predictions):.3f}, SUVmean bias "
        f"{lesions(raw, predictions)}",
        flush=True,
    )


def roughness(raw: Path, predictions: Path) -> float:
    """The mean absolute difference between neighbouring slices inside the body, divided by that of the real PET."""
    ratios = []
    for path in sorted(predictions.glob("*.nii.gz")):
        fake, real = (read_volume(p).oriented().array for p in (path, raw / "targetsTs" / path.name))
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
        fake, real, lesion = (read_volume(p).oriented().array for p in images)
        inside = (lesion > 0) & (fake > 0)
        if inside.any():
            biases.append(100 * (fake[inside].mean() / real[inside].mean() - 1))
    return f"{np.mean(biases):.1f} % (lesions of {len(biases)} cases)" if biases else "(no lesions)"


@torch.inference_mode()
def registration_error(dataset: str) -> str:
    """Over the training cases' body voxels, within the axial plane: lengths (mm) of true, found and left fields."""
    (trained,) = [one for one in find_trained(results_folder()) if one.dataset_name == dataset]
    loaded = load_trained(trained, [CONFIGURATION], ["all"])
    model = loaded.districts[0].models[0].eval()
    stage = next(iter(model.stages.values()))
    store = PreprocessedDataset.find(dataset).store(loaded.plans, CONFIGURATION)
    millimetres = float(dataset.split("Askew")[1])
    lengths, left = [], []
    for number, case in enumerate(store.cases):
        stored = store.open(case)
        content = stored.read(Box((0, 0, 0), stored.shape))
        found = _found(stage, content, stored.grid)
        true = Field(number, millimetres).at(stored.grid)[1:]
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
    multiples = [np.prod(axis) for axis in zip(*stage.planned.generator.arguments["strides"])]
    volumes = [torch.from_numpy(content[name].astype(np.float32))[:, None] for name in ("ct", "pet", "mask")]
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
    parser.add_argument("--misalignments", type=int, nargs="+", default=[0, 4, 8])
    parser.add_argument("--arms", nargs="+", default=["pix2pix", "without_registration", "regc2p"], choices=ARMS)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--iterations", type=int, default=50)
    parser.add_argument("--inner_folds", type=int, default=2)
    arguments = parser.parse_args()
    use_folders(arguments.work, "")
    options = TrainingOptions(
        num_epochs=arguments.epochs, iterations_per_epoch=arguments.iterations, resume=True, show_bar=False
    )
    for millimetres in arguments.misalignments:
        dataset = prepare(arguments.work, millimetres, 40, 6)
        for arm in arguments.arms:
            run_arm(arguments.work, dataset, arm, options, arguments.inner_folds)


if __name__ == "__main__":
    main()
