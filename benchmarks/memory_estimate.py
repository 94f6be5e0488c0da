"""The planner's memory estimate against the peak of real Pix2Pix training steps, each in a process of its own.

    python benchmarks/memory_estimate.py [--device cpu|cuda]

Prints, for plans of several sizes, the estimate and the measured peak (GiB) and their ratio. On a CPU the peak is that
of the process's resident memory, on a GPU that of torch's allocator and the context.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import subprocess
import sys

from ct2pet.fingerprint.fingerprint import DistrictFingerprint
from ct2pet.planning.memory import estimate_training_gib
from ct2pet.planning.planner import budget_for, plan_configuration
from ct2pet.planning.plans import Configuration

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


def configuration_of(base_features: int, box: list[int], batch_size: int) -> Configuration:
    """A plan whose patch fills a box of ``box`` voxels."""
    box_mm = [[4.0 * n for n in box]]
    seen = DistrictFingerprint(
        ["case"],
        [[4.0] * 3],
        box_mm,
        [1.0],
        CT_HU,
        {},
    )
    budget = dataclasses.replace(
        budget_for("cpu", 1e6), base_features=base_features, max_patch_voxels=10**9, max_features=320, max_stages=6
    )
    planned = plan_configuration("district", seen, [1], [], budget)
    return dataclasses.replace(planned, batch_size=batch_size)


def measure(index: int, device: str) -> None:
    """In the child: a few training steps; prints the peak in GiB."""
    import torch

    from ct2pet.models.pix2pix import Pix2Pix

    torch.manual_seed(0)
    configuration = configuration_of(*SIZES[index])
    model = Pix2Pix(configuration).to(device)
    optimizers = model.optimizers()
    shape = (configuration.batch_size, 1, *configuration.patch_size)
    for _ in range(3):
        batch = {"ct": torch.randn(shape, device=device), "pet": torch.rand(shape, device=device)}
        batch["mask"] = torch.ones(shape, dtype=torch.bool, device=device)
        for update in model.training_step(batch):
            optimizers[update.optimizer].zero_grad()
            update.loss.backward()
            optimizers[update.optimizer].step()
    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        context = total - free - torch.cuda.memory_reserved()
        peak = torch.cuda.max_memory_reserved() + context
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(peak / 2**30))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        measure(options.child, options.device)
        return
    from ct2pet.models.pix2pix import Pix2Pix

    print("features  patch          batch  estimate  measured  ratio")
    for index, (base_features, _, batch_size) in enumerate(SIZES):
        configuration = configuration_of(*SIZES[index])
        estimate = estimate_training_gib(configuration, Pix2Pix.requirements, options.device)
        child = [sys.executable, __file__, "--device", options.device, "--child", str(index)]
        measured = float(subprocess.run(child, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        patch = "x".join(map(str, configuration.patch_size))
        numbers = f"{estimate:8.2f}  {measured:8.2f}  {estimate / measured:5.2f}"
        print(f"{base_features:8d}  {patch:13s}  {batch_size:5d}  {numbers}", flush=True)


if __name__ == "__main__":
    main()
