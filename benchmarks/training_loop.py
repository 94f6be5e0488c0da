"""The time of the trainer beyond the bare steps of the same networks on the same tensors.

    python benchmarks/training_loop.py [--device cpu|cuda] [--rounds 40] [--steps 5]

The bare steps are forward passes, losses, backward passes and optimizer steps alone, under the same autocast, on
patches in memory. The trainer's are those of an epoch: reading patches, augmentation, clipping, the guard against
broken numbers, the moving average of the weights. Both are timed in turn in one process; the share is the median over
the rounds. The end of an epoch (validation, log, checkpoints) is timed separately and divided by the plans' steps.
Prints wall time and processor time of the process (which counts the reading threads, too), and the processor time of
each part that the bare steps do not have, measured where it is called: other work of the machine changes it less.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from ct2pet.dataset import Description
from ct2pet.dataset.fields import ct_to_pet
from ct2pet.fingerprint.fingerprint import DistrictFingerprint, Fingerprint
from ct2pet.models import load_model, model_names
from ct2pet.models.base import Batch, Model, Progress
from ct2pet.planning.planner import PlanRequest, plan_experiment
from ct2pet.planning.plans import Plans
from ct2pet.planning.reference import reference_plans
from ct2pet.preprocessing import DistrictStore, PreparedDistrict
from ct2pet.preprocessing.preprocessor import decisions_of
from ct2pet.training import Trainer, TrainingOptions, TrainingRun
from ct2pet.training.mixed_precision import Precision
from ct2pet.volume import Grid

SHAPE, SPACING_MM = (90, 70, 100), 4.0
CT_HU = {"0.5": -900.0, "5": -100.0, "95": 300.0, "99.5": 1000.0}
Optimizers = Mapping[str, torch.optim.Optimizer]
METHOD, DISTRICT = "pix2pix", "trunk"
DESCRIPTION = Description({"districts": {DISTRICT: 1}}, ct_to_pet())


def plans_by_name(device: str) -> dict[str, Plans]:
    """The default plans for the device, without and with a moving average, and those of the paper."""
    box = [[SPACING_MM * n for n in SHAPE]]
    seen = DistrictFingerprint(["case"], [[SPACING_MM] * 3], box, {"CT": CT_HU})
    fingerprint = Fingerprint("Dataset900_Benchmark", {DISTRICT: seen})
    needs = {name: load_model(name).requirements for name in model_names()}
    request = PlanRequest(device=device, memory_target_gib=8, sized_for=(METHOD,))
    default = plan_experiment(fingerprint, DESCRIPTION, needs, request)
    averaged = {METHOD: {**default.models[METHOD], "ema_decay": 0.999}}
    return {
        "default": default,
        "default, ema_decay": replace(default, models=averaged),
        "paper_2503_15555": reference_plans("paper_2503_15555", fingerprint, DESCRIPTION, needs),
    }


def write_store(folder: Path, plans: Plans, num_cases: int = 4) -> DistrictStore:
    """Cases of smooth noise in an ellipsoid."""
    store = DistrictStore(folder)
    folder.mkdir(parents=True)
    mask = sum(axis**2 for axis in np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")) < 0.9
    for number in range(num_cases):
        noise = ndimage.gaussian_filter(np.random.default_rng(number).standard_normal(SHAPE), 2)
        ct = np.where(mask, np.clip(4 * noise, -1, 1), -1).astype(np.float32)
        pet = np.where(mask, (ct + 1) / 4, 0).astype(np.float32)
        prepared = PreparedDistrict({"CT": ct, "PET": pet}, mask, Grid(SHAPE, (SPACING_MM,) * 3))
        store.write(f"case{number}", prepared, "", decisions_of(plans.configuration(DISTRICT)))
    return store


def make_trainer(method: str, plans: Plans, folder: Path, options: TrainingOptions) -> Trainer:
    """A trainer of ``method`` on three cases of noise, with a fourth one to validate."""
    store = write_store(folder / "store", plans)
    cases = store.cases[:3], store.cases[3:]
    run = TrainingRun(method, DISTRICT, plans, store, *cases, folder / "training", options)
    return Trainer(run, run.build())


def bare_steps(model: Model, optimizers: Optimizers, precision: Precision, batches: Sequence[Batch]) -> None:
    """Only forward, backward and optimizer step."""
    for number, batch in enumerate(batches):
        updates = model.training_step(batch, Progress(0, number, 0.0))
        while True:
            with precision.autocast():
                update = next(updates, None)
            if update is None:
                break
            optimizers[update.optimizer].zero_grad(set_to_none=True)
            update.loss.backward()
            optimizers[update.optimizer].step()


class Parts:
    """Processor seconds of what the trainer does beside the bare steps, by part; the optimizers' steps are not part of
    the checks."""

    def __init__(self, trainer: Trainer) -> None:
        loop, optimization = trainer.loop, trainer.optimization
        self.seconds: dict[str, float] = {}
        self._time(loop.loader, "batch", "reading")
        self._time(loop, "_augmented", "augmentation")
        self._time(optimization, "_update", "norms, clipping, checks")
        self._time(loop.average, "update", "average of the weights")
        for optimizer in optimization.optimizers.values():
            self._time(optimizer, "step", "step")

    def _time(self, owner: object, name: str, part: str) -> None:
        function = getattr(owner, name)

        def timed(*arguments, **options):
            started = time.thread_time()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds[part] = self.seconds.get(part, 0.0) + time.thread_time() - started

        setattr(owner, name, timed)

    def added(self) -> dict[str, float]:
        found = dict(self.seconds)
        found["norms, clipping, checks"] -= found.pop("step")
        return found


class Clock:
    """Seconds of wall and of the process's processors for each piece of work, by name."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, list[tuple[float, float]]] = {}
        self.parts: dict[str, float] = {}

    def time(self, name: str, work: Callable[[], object]) -> None:
        self._wait()
        wall, processors = time.perf_counter(), time.process_time()
        work()
        self._wait()
        took = time.perf_counter() - wall, time.process_time() - processors
        self.seconds.setdefault(name, []).append(took)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def median(self, name: str, kind: int) -> float:
        return statistics.median(took[kind] for took in self.seconds[name])

    def added(self, kind: int) -> list[float]:
        """The loop's time over the bare steps' of the same round, less 1."""
        return [loop[kind] / bare[kind] - 1 for loop, bare in zip(self.seconds["loop"], self.seconds["bare"])]


def measure(plans: Plans, folder: Path, device: str, rounds: int, steps: int) -> Clock:
    """Rounds of bare steps and of the trainer's, in turn, and five ends of an epoch."""
    options = TrainingOptions(device=device, show_progress=False, final_validation=False)
    trainer = make_trainer(METHOD, plans, folder, options)
    bare = trainer.settings.build().to(trainer.device)
    optimizers, precision = bare.optimizers(), trainer.optimization.precision
    clock = Clock(trainer.device)
    for number in range(rounds + 1):
        numbers = range(number * steps, (number + 1) * steps)
        batches = [trainer.loop._augmented(trainer.loop.loader.batch(n)) for n in numbers]
        work = {
            "bare": partial(bare_steps, bare, optimizers, precision, batches),
            "loop": partial(trainer.loop.run, numbers),
        }
        for name in sorted(work, reverse=bool(number % 2)):
            clock.time(name, work[name])
    for took in clock.seconds.values():
        del took[0]  # the first round warms up
    parts = Parts(trainer)
    started, count = time.process_time(), 8 * steps
    losses = trainer.loop.run(range(count))
    clock.parts = {name: seconds / count for name, seconds in parts.added().items()}
    clock.parts["all of the step"] = (time.process_time() - started) / count
    trainer.loop.run = lambda steps, bar: losses
    for epoch in range(5):
        clock.time("end", partial(trainer._epoch, epoch))
    return clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--plans", nargs="+", metavar="NAME", help="only these")
    options = parser.parse_args()
    print("| plans | clock | bare step [ms] | steps of the loop | end of an epoch | together | half of the rounds |")
    print("|---|---|---|---|---|---|---|")
    shares = []
    for name, plans in plans_by_name(options.device).items():
        if options.plans and name not in options.plans:
            continue
        with tempfile.TemporaryDirectory() as folder:
            clock = measure(plans, Path(folder), options.device, options.rounds, options.steps)
        iterations = plans.hyperparameters(METHOD)["iterations_per_epoch"]
        for kind, title in enumerate(("wall", "processors")):
            step, added = clock.median("bare", kind) / options.steps, clock.added(kind)
            end, median = clock.median("end", kind), statistics.median(added)
            quarters = statistics.quantiles(added)
            share = end / (iterations * step)
            print(
                f"| {name} | {title} | {1000 * step:.1f} | {median:+.1%} | {end:.2f} s, {share:+.1%} "
                f"| {median + share:+.1%} | {quarters[0]:+.1%} to {quarters[2]:+.1%} |",
                flush=True,
            )
        *parts, (_, whole) = clock.parts.items()
        added = sum(seconds for _, seconds in parts)
        each = ", ".join(f"{title} {1000 * seconds:.2f} ms" for title, seconds in parts)
        shares.append(f"{name}: {each}; together {added / (whole - added):+.1%} of the rest of a step")
    print("\n" + "\n".join(shares))


if __name__ == "__main__":
    main()
