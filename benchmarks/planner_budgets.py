"""The patches and batches of ct2pet's planner and of nnU-Net's for GPUs of 8, 24 and 80 GB, from the same fingerprint.

Run: python benchmarks/planner_budgets.py
A whole body of 1800 × 320 × 520 mm (40 cases), in voxels of 4 and of 2 mm, CT to PET. nnU-Net plans one network with
one input and two classes; the regression of ct2pet trains one network, Pix2Pix also a discriminator, CycleGAN two of
each. The estimate is that of ct2pet for a training. nnU-Net limits a batch to 5% of the voxels of the dataset, ct2pet
to 8 patches.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from ct2pet.dataset import Description
from ct2pet.dataset.fields import ct_to_pet
from ct2pet.files import write_json
from ct2pet.fingerprint.fingerprint import DistrictFingerprint, Fingerprint
from ct2pet.models import load_model, model_names
from ct2pet.planning.memory_estimate import estimate_training_gib
from ct2pet.planning.planner import PlanRequest, plan_experiment
from ct2pet.planning.plans import WHOLE_BODY

BODY_MM, CASES = (1800.0, 320.0, 520.0), 40
SPACINGS_MM = (4.0, 2.0)
BUDGETS = {8: 8.0, 24: 24.0, 80: 76.0}  # GB of the card: GiB for the training
METHODS = ("regression", "pix2pix", "cyclegan")
CT_HU = {"0.5": -900.0, "5": -100.0, "95": 300.0, "99.5": 1000.0}
NAME = "Dataset901_Budgets"


def own_plan(method: str, spacing_mm: float, memory_gib: float) -> tuple[list[int], int, float]:
    """Patch, batch and estimated memory (GiB) of ct2pet."""
    seen = DistrictFingerprint([f"case{n}" for n in range(CASES)], [[spacing_mm] * 3], [[*BODY_MM]], {"CT": CT_HU})
    fingerprint = Fingerprint(NAME, {WHOLE_BODY: seen})
    description = Description({"districts": {"body": 1}}, ct_to_pet())
    needs = {name: load_model(name).requirements for name in model_names()}
    request = PlanRequest(device="cuda", memory_target_gib=memory_gib, sized_for=(method,))
    plans = plan_experiment(fingerprint, description, needs, request)
    planned = plans.configuration(WHOLE_BODY)
    gib = estimate_training_gib(planned, plans.all_fields, needs[method], "cuda")
    return planned.patch_size, planned.batch_size, gib


def nnunet_plan(spacing_mm: float, memory_gib: float, folder: Path) -> tuple[list[int], int]:
    """Patch and batch of nnU-Net's default planner (``folder``: its dataset, of files without content)."""
    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner

    planner = ExperimentPlanner(NAME, memory_gib)
    shape = [round(mm / spacing_mm) for mm in BODY_MM]
    voxels = float(CASES * shape[0] * shape[1] * shape[2])
    plan = planner.get_plans_for_configuration([spacing_mm] * 3, shape, "benchmark", voxels, {})
    return [int(n) for n in plan["patch_size"]], int(plan["batch_size"])


def write_dataset(folder: Path) -> None:
    """The files that nnU-Net's planner reads at its creation."""
    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{kind}"] = str(folder / kind)
    for part in ("imagesTr", "labelsTr"):
        (folder / "raw" / NAME / part).mkdir(parents=True)
    for number in range(CASES):
        (folder / "raw" / NAME / "imagesTr" / f"case{number}_0000.nii.gz").touch()
        (folder / "raw" / NAME / "labelsTr" / f"case{number}.nii.gz").touch()
    content: dict[str, Any] = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "pet": 1}}
    write_json(folder / "raw" / NAME / "dataset.json", {**content, "numTraining": CASES, "file_ending": ".nii.gz"})
    (folder / "preprocessed" / NAME).mkdir(parents=True)
    seen = {"median_relative_size_after_cropping": 1.0, "foreground_intensity_properties_per_channel": {}}
    write_json(folder / "preprocessed" / NAME / "dataset_fingerprint.json", seen)


def main() -> None:
    print(
        "| voxel [mm] | card [GB] | planner | patch [voxels] | batch | voxels of a batch [million] | estimate [GiB] |"
    )
    print("|---:|---:|---|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        write_dataset(Path(name))
        for spacing_mm in SPACINGS_MM:
            for card, gib in BUDGETS.items():
                rows: dict[str, tuple] = {"nnU-Net": nnunet_plan(spacing_mm, gib, Path(name))}
                rows |= {f"ct2pet, {method}": own_plan(method, spacing_mm, gib) for method in METHODS}
                for planner, (patch, batch, *estimate) in rows.items():
                    million = batch * patch[0] * patch[1] * patch[2] / 1e6
                    size = " × ".join(map(str, patch))
                    needed = f"{estimate[0]:.1f}" if estimate else ""
                    print(
                        f"| {spacing_mm:g} | {card} | {planner} | {size} | {batch} | {million:.2f} | {needed} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
