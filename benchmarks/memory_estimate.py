"""The planner's memory estimate against the peak of real training steps, each in a process of its own.

    python benchmarks/memory_estimate.py [--model pix2pix] [--device cpu|cuda]
    python benchmarks/memory_estimate.py --networks [--device cpu|cuda]

Prints, for plans of several sizes and every stage of the method, the estimate and the measured peak (GiB) and their
ratio; with ``--networks``, for single networks of every class that plans can name, the counted memory and the measured
peak of their training steps. On a CPU the peak is that of the process's resident memory, on a GPU that of torch's
allocator and the context.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from _network_memory import peak_gib, print_networks

from ct2pet.dataset.fields import ct_to_pet
from ct2pet.fingerprint.fingerprint import DistrictFingerprint
from ct2pet.planning.budget import budget_for
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.memory_estimate import estimate_training_gib
from ct2pet.planning.planner import District, network_roles, plan_configuration
from ct2pet.planning.requirements import Requirements
from ct2pet.planning.slices import plan_slices

if TYPE_CHECKING:
    from ct2pet.models.base import Model

FIELDS = ct_to_pet()
STEPS = 3

CT_HU = {"0.5": -1000.0, "5": -1000.0, "95": 1000.0, "99.5": 1000.0}
# Base features, box (voxels of 4 mm), batch. The factor of the estimate is fitted to the first eight only.
SIZES = [
    (16, [32, 32, 32], 2),
    (16, [40, 40, 40], 2),
    (16, [64, 24, 40], 2),
    (16, [64, 64, 64], 2),
    (32, [32, 32, 32], 1),
    (32, [32, 32, 32], 4),
    (32, [64, 64, 64], 2),
    (32, [96, 96, 64], 1),
    (16, [40, 32, 48], 1),
    (16, [40, 32, 48], 3),
    (24, [48, 48, 24], 3),
    (32, [48, 48, 48], 3),
    (64, [32, 32, 32], 2),
]


def configuration_of(size: tuple[int, list[int], int], trainings: Sequence[Requirements]) -> Configuration:
    """Plans of one of the SIZES for these trainings, with a patch that fills the box."""
    base_features, box, batch_size = size
    seen = DistrictFingerprint(["case"], [[4.0] * 3], [[4.0 * n for n in box]], {"CT": CT_HU})
    budget = dataclasses.replace(
        budget_for("cpu", 1e6), base_features=base_features, max_patch_voxels=10**9, max_features=320, max_stages=6
    )
    in_3d, in_2d = ([needs for needs in trainings if needs.dimensions == number] for number in (3, 2))
    planned = plan_configuration(District("district", [1], seen, FIELDS), network_roles(in_3d), [], budget)
    return dataclasses.replace(planned, batch_size=batch_size, slices=plan_slices(planned, FIELDS, in_2d, budget))


def stages_of(name: str, size: tuple[int, list[int], int]) -> dict[str, Model]:
    """The stages of a method with plans of one of the SIZES."""
    from ct2pet.models import load_model

    kind = load_model(name)
    return dict(kind(configuration_of(size, kind.requirements.trainings), FIELDS).stages)


def measure(name: str, stage: str, index: int, device: str) -> None:
    """In the child: a few training steps; prints the peak in GiB."""
    import torch

    from ct2pet.models.base import Progress

    torch.manual_seed(0)
    model = stages_of(name, SIZES[index])[stage].to(device)
    optimizers = model.optimizers()
    shape = (model.planned.batch_size, 1, *model.planned.patch_size)
    for step in range(STEPS):
        batch = {one.name: torch.randn(shape, device=device) for one in model.fields.inputs}
        batch |= {one.name: torch.rand(shape, device=device) for one in model.fields.targets}
        batch["mask"] = torch.ones(shape, dtype=torch.bool, device=device)
        batch = {key: model.squeezed(image) for key, image in batch.items()}
        for update in model.training_step(batch, Progress(0, step, step / STEPS)):
            optimizers[update.optimizer].zero_grad()
            update.loss.backward()
            optimizers[update.optimizer].step()
    print(json.dumps(peak_gib(device)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="pix2pix", help="a method that translates CT to PET (default: pix2pix)")
    parser.add_argument("--networks", action="store_true", help="single networks of every class, without a method")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--child", nargs=2, metavar=("STAGE", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        measure(options.model, options.child[0], int(options.child[1]), options.device)
        return
    if options.networks:
        runtime_gib = estimate_training_gib(configuration_of(SIZES[0], []), FIELDS, Requirements(), options.device)
        print_networks(options.device, runtime_gib)
        return
    print("stage       features  patch          batch  estimate [GiB]  measured [GiB]  ratio")
    for index, size in enumerate(SIZES):
        for name, stage in stages_of(options.model, size).items():
            estimate = estimate_training_gib(stage.configuration, stage.fields, stage.requirements, options.device)
            child = [sys.executable, __file__, "--model", options.model, "--device", options.device]
            child += ["--child", name, str(index)]
            measured = float(subprocess.run(child, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
            patch = "x".join(map(str, stage.planned.patch_size))
            numbers = f"{estimate:14.2f}  {measured:14.2f}  {estimate / measured:5.2f}"
            print(f"{name:10s}  {size[0]:8d}  {patch:13s}  {stage.planned.batch_size:5d}  {numbers}", flush=True)


if __name__ == "__main__":
    main()
