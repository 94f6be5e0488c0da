"""A network's windows on a CPU: plain torch against torch.compile and OpenVINO, one process, one thread, in turns.

Run: python benchmarks/compiled_inference.py [--rounds 7]
The networks and windows of predict.py at the quick size (8 features, random weights). Prints windows a second, the
seconds until the first result (compilation), and the largest difference from float32 in units of the network's output.
OpenVINO (pip install openvino) is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from _pix2pix import configuration
from predict import FEATURES, MONAI_BATCH, WINDOWS

from ct2pet.dataset.fields import ct_to_pet
from ct2pet.models.pix2pix import Pix2Pix

Run = Callable[[torch.Tensor], torch.Tensor]
FLOAT32, BFLOAT16 = "torch, float32", "torch, bfloat16 (ct2pet)"


def network(window: int) -> torch.nn.Module:
    torch.manual_seed(0)
    planned = configuration(window, FEATURES["quick"], [3.0] * 3, WINDOWS[window])
    generator = Pix2Pix(planned, ct_to_pet()).generator.eval()
    last = [module for module in generator.modules() if isinstance(module, torch.nn.Conv3d)][-1]
    torch.nn.init.normal_(last.weight, std=1 / math.sqrt(FEATURES["quick"]))  # it starts at 0
    return generator


def in_bfloat16(run: Run) -> Run:
    def compute(images: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return run(images).float()

    return compute


def by_openvino(module: torch.nn.Module, images: torch.Tensor, precision: str) -> Run:
    import openvino

    converted = openvino.convert_model(module, example_input=images, input=list(images.shape))
    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision}
    compiled = openvino.Core().compile_model(converted, "CPU", settings)
    return lambda given: torch.from_numpy(compiled(given.numpy())[0])


def arms(module: torch.nn.Module, images: torch.Tensor) -> dict[str, Callable[[], Run]]:
    """How each arm is made: the time that this takes is that of the compilation."""
    made = {
        FLOAT32: lambda: module,
        BFLOAT16: lambda: in_bfloat16(module),
        "torch.compile, float32": lambda: torch.compile(module, dynamic=False),
        "torch.compile, bfloat16": lambda: in_bfloat16(torch.compile(module, dynamic=False)),
    }
    try:
        import openvino  # noqa: F401
    except ImportError:
        return made
    openvino_arms = {
        f"OpenVINO, {name}": lambda hint=hint: by_openvino(module, images, hint)
        for name, hint in (("float32", "f32"), ("bfloat16", "bf16"))
    }
    return made | openvino_arms


def measure(window: int, rounds: int) -> None:
    torch.compiler.reset()
    batch = MONAI_BATCH[window]
    module, images = network(window), torch.randn(batch, 1, window, window, window)
    ready, first, seconds = {}, {}, {}
    for name, make in arms(module, images).items():
        started = time.process_time()
        ready[name] = make()
        output = ready[name](images)
        first[name], seconds[name] = (time.process_time() - started, output), []
    for _ in range(rounds):
        for name, run in ready.items():
            started = time.process_time()
            run(images)
            seconds[name].append(time.process_time() - started)
    print(f"\n| {window}³ voxels, batches of {batch} | windows a CPU s | ratio | first result, CPU s | difference |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, values in seconds.items():
        duration, output = first[name]
        difference = float((output - first[FLOAT32][1]).abs().max())
        ratio = min(seconds[BFLOAT16]) / min(values)
        print(f"| {name} | {batch / min(values):.1f} | {ratio:.2f} | {duration:.1f} | {difference:.1g} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with torch.inference_mode():
        for window in WINDOWS:
            measure(window, arguments.rounds)


if __name__ == "__main__":
    main()
