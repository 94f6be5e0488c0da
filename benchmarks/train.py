"""Training: patches a second from the loader with paired augmentation, and steps a second of Pix2Pix, against peers.

Run: python benchmarks/train.py [--size quick|full]
The loaders read CT, PET and mask of the trunk of a whole-body case, rotate every patch by up to 10 degrees about three
axes, flip it along each axis half of the time and add noise to the CT; one process of one thread. nnU-Net's loader
rotates with batchgeneratorsv2, and the mask by one interpolation a label; batchgenerators is its earlier library (order
1 is linear, order 3 its default).
A step: U-Net and PatchGAN, one batch of two patches of 32 voxels in memory, fused Adam. The bare loop is ct2pet's step
without masks, checks, clipping and log. pytorch-CycleGAN-and-pix2pix runs the discriminator once for the fake, once for
the real image and once more for the generator, and only has float32; the discriminator of MONAI's AdversarialTrainer
has one image as input instead of a pair. ct2pet computes in bfloat16 where the processor supports it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import _patches
import _steps
from _measure import Figures, benchmark, table


def _of(figures: Mapping[str, Figures], group: str) -> dict[str, Figures]:
    return {name.removeprefix(group): one for name, one in figures.items() if name.startswith(group)}


def report(figures: dict[str, Figures], size: str) -> str:
    patches = {}
    for patch in _patches.PATCHES[size]:
        patches[f"rate{patch}"] = (f"{patch}³ a CPU s,", ".0f")
        patches[f"wall_rate{patch}"] = (f"{patch}³ a s", ".0f")
    patches["peak_mib"] = ("peak MiB,", ".0f")
    steps = {"steps_cpu": ("a CPU s,", ".2f"), "steps": ("a s,", ".2f"), "peak_mib": ("peak MiB,", ".0f")}
    parts = [table(_of(figures, "load "), patches, "patches", "ct2pet")]
    for precision in PRECISIONS:
        title = f"steps in {precision}, {_steps.FEATURES[size]} features"
        parts.append(table(_of(figures, f"{precision} "), steps, title, "ct2pet"))
    return "\n\n".join(parts)


PRECISIONS = {"bfloat16": True, "float32": False}
ARMS = {f"load {name}": arm for name, arm in _patches.ARMS.items()}
ARMS |= {
    f"{precision} {name}": functools.partial(arm, bfloat16=bfloat16)
    for precision, bfloat16 in PRECISIONS.items()
    for name, arm in _steps.ARMS.items()
}

if __name__ == "__main__":
    benchmark(__file__, __doc__, ARMS, _patches.prepare, report)
