"""The plans on a GPU: memory against the planner's estimate, steps per second, utilisation.

    python benchmarks/gpu.py                 all of it, on an otherwise idle GPU; at least 15 minutes
    python benchmarks/gpu.py --parts speed   only this part: memory, speed or prediction
    python benchmarks/gpu.py --device cpu    the same code in its smallest form: shows that it runs, measures nothing

Memory: the default plans of a whole body for cards of 8, 24 and 80 GB, each trained for some steps by the trainer in a
separate process: the planner's estimate and the peak of what torch reserved, with the context. Budgets beyond the
memory of the card are left out.
Speed: the paper's plans (32 cubed, batch 1: limited by the launches) and the default plans for 8 GB. Steps per second
of the trainer's whole loop (reading, augmentation, updates) after a warm-up, the utilisation that nvidia-smi reports
meanwhile, and the seconds until the first steps were done, which compiling prolongs. The trainer computes in bfloat16
where the GPU does; also in float32 with and without TensorFloat-32, and with layers in the order channels_last_3d.
Prediction: a volume at clinical resolution, with windows of 32, 96 and 128 cubed, against nnU-Net and MONAI with the
same network and overlap (not installed: the row says so), and the number of windows of 32 cubed at once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import _gpu_prediction
import torch
from training_loop import CT_HU, DESCRIPTION, DISTRICT, SPACING_MM, make_trainer

from ct2pet.fingerprint.fingerprint import DistrictFingerprint, Fingerprint
from ct2pet.models import load_model, model_names
from ct2pet.planning.memory_estimate import estimate_training_gib
from ct2pet.planning.planner import PlanRequest, plan_experiment
from ct2pet.planning.plans import WHOLE_BODY, Plans
from ct2pet.planning.reference import reference_plans
from ct2pet.training import Trainer, TrainingOptions, compilation
from ct2pet.training.mixed_precision import Precision

PAPER, DEFAULT = "paper_2503_15555", "default"
BOXES = {DISTRICT: (160, 80, 110), WHOLE_BODY: (450, 80, 130)}  # voxels of 4 mm
BUDGETS = {8: 8.0, 24: 24.0, 80: 76.0}  # GB of the card: GiB for the training
METHODS = ("pix2pix", "cyclegan")
EAGER, LAST, COMPILE, GRAPHS = "eager", "channels last", "compiled", "CUDA graphs"
FLOAT32, TF32 = "float32", "float32 with TF32"


def plans_for(name: str, method: str, device: str, memory_gib: float | None) -> Plans:
    """The paper's plans, or the default ones for a budget."""
    districts = {
        name: DistrictFingerprint(["case"], [[SPACING_MM] * 3], [[SPACING_MM * n for n in box]], {"CT": CT_HU})
        for name, box in BOXES.items()
    }
    fingerprint = Fingerprint("Dataset900_Benchmark", districts)
    needs = {name: load_model(name).requirements for name in model_names()}
    if name == PAPER:
        return reference_plans(PAPER, fingerprint, DESCRIPTION, needs)
    request = PlanRequest(device=device, memory_target_gib=memory_gib, sized_for=(method,))
    return plan_experiment(fingerprint, DESCRIPTION, needs, request)


def trainer_of(task: dict, plans: Plans, folder: Path) -> Trainer:
    """The trainer of a task: with its district and its options of the networks."""
    mode = task.get("mode", EAGER)
    options = TrainingOptions(device=task["device"], show_progress=False, final_validation=False)
    plans = replace(plans, configurations={DISTRICT: replace(plans.configuration(task["district"]), labels=[1])})
    trainer = make_trainer(task["method"], plans, folder, options)
    if mode == LAST:
        trainer.model.to(memory_format=torch.channels_last_3d)
    if mode in (COMPILE, GRAPHS):  # --compile chooses between the two by the size of a batch
        compilation.compile_mode = lambda device, planned: compilation.GRAPHS if mode == GRAPHS else None
        trainer.optimization.before_step = compilation.compile_networks(trainer.model, trainer.device)
    if mode in (FLOAT32, TF32):
        trainer.optimization.precision = Precision(trainer.device, trainer.optimization.optimizers, None)
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = mode == TF32
    return trainer


def measure_memory(trainer: Trainer, steps: int) -> dict[str, float]:
    """The peak (GiB) of some steps and a look at the validation patches."""
    trainer.loop.run(range(steps))
    trainer.online_validation.metrics(trainer.model, trainer.device)
    if trainer.device.type != "cuda":
        return {"peak": 0.0, "context": 0.0}
    free, total = torch.cuda.mem_get_info()
    context = total - free - torch.cuda.memory_reserved()
    return {"peak": (torch.cuda.max_memory_reserved() + context) / 2**30, "context": context / 2**30}


def measure_speed(trainer: Trainer, steps: int) -> dict[str, float]:
    started = time.perf_counter()
    warm_up = max(1, steps // 10)
    trainer.loop.run(range(warm_up))
    first = time.perf_counter() - started
    with utilisation(trainer.device) as percent:
        started = time.perf_counter()
        trainer.loop.run(range(warm_up, warm_up + steps))  # its end waits for the device: the losses are read
        seconds = time.perf_counter() - started
    used = statistics.mean(percent) if percent else float("nan")
    return {"first": first, "rate": steps / seconds, "utilisation": used, **measure_memory(trainer, 1)}


@contextlib.contextmanager
def utilisation(device: torch.device) -> Iterator[list[float]]:
    """The output of nvidia-smi, five times a second; filled when the block ends."""
    percent: list[float] = []
    if device.type != "cuda":
        yield percent
        return
    identity = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    query = ["nvidia-smi", "-i", identity, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    with subprocess.Popen([*query, "-lms", "200"], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield percent
        finally:
            process.terminate()
            percent += [float(line) for line in process.stdout if line.strip().isdecimal()]


def child(task: dict) -> None:
    """Measure in this process; prints one line of JSON."""
    if task["what"] == "card":
        print(json.dumps({"name": torch.cuda.get_device_name(), "gib": torch.cuda.mem_get_info()[1] / 2**30}))
        return
    if task["what"] == "prediction":
        print(json.dumps(_gpu_prediction.measure(task)))
        return
    torch.manual_seed(0)
    plans = plans_for(task["plans"], task["method"], task["device"], task["memory_gib"])
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(task, plans, Path(folder))
        work = measure_speed if task["what"] == "speed" else measure_memory
        model = trainer.model
        found = work(trainer, task["steps"]) | {
            "patch": "x".join(map(str, model.planned.patch_size)),
            "batch": model.planned.batch_size,
            "estimate": estimate_training_gib(model.configuration, model.fields, model.requirements, task["device"]),
        }
    print(json.dumps(found))


def ask(task: dict) -> dict | str:
    """The measurement of a separate process, or the reason of its failure."""
    command = [sys.executable, __file__, "--child", json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:150]
    return json.loads(done.stdout.splitlines()[-1])


def memory(device: str, tiny: bool, there: float) -> None:
    print("\n| card | method | patch | batch | estimate [GiB] | peak [GiB] | of that context | estimate / peak |")
    print("|---|---|---|---|---|---|---|---|")
    for card, gib in {"tiny": 0.6}.items() if tiny else BUDGETS.items():
        if gib > there:
            print(f"| {card} GB | | | | | | | left out: this one has {there:.1f} GiB |")
            continue
        for method in METHODS:
            task = {"what": "memory", "plans": DEFAULT, "district": WHOLE_BODY, "memory_gib": gib}
            found = ask(task | {"method": method, "device": device, "steps": 1 if tiny else 5})
            if isinstance(found, str):
                print(f"| {card} GB | {method} | | | | | | {found} |", flush=True)
                continue
            ratio = "not measured" if tiny else f"{found['estimate'] / found['peak']:.2f}"
            sizes = f"{found['patch']} | {found['batch']} | {found['estimate']:.2f} | {found['peak']:.2f}"
            print(f"| {card} GB | {method} | {sizes} | {found['context']:.2f} | {ratio} |", flush=True)


def speed(device: str, tiny: bool, there: float) -> None:
    print("\n| plans | patch | batch | how | first steps [s] | steps/s | utilisation [%] | peak [GiB] |")
    print("|---|---|---|---|---|---|---|---|")
    modes = [EAGER] if tiny else [EAGER, LAST, COMPILE, GRAPHS, FLOAT32, TF32]
    for name, steps in {PAPER: 400, DEFAULT: 100}.items():
        for mode in modes:
            task = {"what": "speed", "plans": name, "district": DISTRICT, "method": "pix2pix", "device": device}
            found = ask(task | {"mode": mode, "memory_gib": 0.6 if tiny else 8.0, "steps": 2 if tiny else steps})
            if isinstance(found, str):
                print(f"| {name} | | | {mode} | {found} | | | |", flush=True)
                continue
            numbers = f"{found['first']:.1f} | {found['rate']:.2f} | {found['utilisation']:.0f} | {found['peak']:.2f}"
            print(f"| {name} | {found['patch']} | {found['batch']} | {mode} | {numbers} |", flush=True)


def prediction(device: str, tiny: bool, there: float) -> None:
    print("\n| windows | how | windows at once | seconds | peak [GiB] |")
    print("|---|---|---|---|---|")
    for task in _gpu_prediction.tasks(tiny):
        found = ask(task | {"what": "prediction", "device": device})
        numbers = f"{found} | " if isinstance(found, str) else f"{found['seconds']:.2f} | {found['peak']:.2f}"
        at_once = task.get("at_once", "its own choice")
        print(f"| {task['window']}³ | {task['arm']} | {at_once} | {numbers} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--parts", nargs="+", choices=[*PARTS], default=[*PARTS])
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        child(options.child)
        return
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch finds no GPU here; --device cpu shows that this script runs")
    tiny = options.device == "cpu"
    card = {"name": "a CPU: nothing here is a measurement", "gib": 0.6} if tiny else ask({"what": "card"})
    if isinstance(card, str):
        sys.exit(card)
    print(f"{card['name']}, torch {torch.__version__}, CUDA {torch.version.cuda}")
    for part in options.parts:
        PARTS[part](options.device, tiny, card["gib"])


PARTS = {"memory": memory, "speed": speed, "prediction": prediction}

if __name__ == "__main__":
    main()
