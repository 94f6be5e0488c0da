"""The effect of single decisions of MedScanGAN: variants trained with the same CPU time on the same nodule phantoms.

    python benchmarks/medscangan_ablations.py WORK [--seconds N] [--only NAME ...]

WORK is the folder of benchmarks/medscangan.py, whose data and plans are taken. Each variant is trained for --seconds
of CPU time: its steps are counted beforehand from the time of ten of them. Its images, as many as the test patients
have slices, are compared with the test patients' (random network), their classes named by a classifier of the test
patients, and their SUVmax by a Kolmogorov-Smirnov test (the larger of the two classes' statistics). One training each:
differences of a few units can be chance. ``forty`` is trained on 40 of the 250 patients. Finished variants are kept in
WORK/ablations; a second start makes the others and prints the table of all.

--study SEEDS then trains classifiers on the 40 patients alone, with images of the generators of 250 and of 40 patients
(``ours`` and ``forty``, five for each real one), and with the 210 other patients (oracle).
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from _commands import run
from medscangan import NAME, PLANS, make_data, share_confirmed

from ct2pet.api.augmentation_study import GeneratorChoice, load_sampler
from ct2pet.files import read_json, write_json
from ct2pet.models.base import Progress
from ct2pet.models.medscangan import MedScanGAN
from ct2pet.planning.networks import NetworkSize, plan_network
from ct2pet.planning.plans import WHOLE_BODY, Plans
from ct2pet.planning.topology import unet_topology
from ct2pet.study.cases import labelled_cases, read_condition
from ct2pet.study.classification import ClassifierOptions, TrainedClassifier, train_classifier
from ct2pet.study.features import random_features
from ct2pet.study.image_metrics import feature_distances, uptake_tests
from ct2pet.study.privacy import privacy_report
from ct2pet.study.results import text_table
from ct2pet.study.slices import SliceOptions, Slices, read_slices
from ct2pet.study.study import StudyData, StudyOptions, draw_patients, run_study
from ct2pet.study.synthetic_images import sampled_slices
from ct2pet.study.trained_generator import TrainedGenerator
from ct2pet.study.training_set import TrainingSet

OPTIONS, KINDS = SliceOptions(64.0, 32, 3), ("pet", "ct")
FEW, EPOCHS = 40, 10
WGAN_GP = {
    "loss": "wgan_gp",
    "n_critic": 5,
    "lambda_penalty": 10.0,
    "learning_rate": 1e-4,
    "critic_learning_rate": 4e-4,
    "beta2": 0.9,
}
PAPER = {
    **WGAN_GP,
    "class_head": "auxiliary",
    "spectral_norm": True,
    "log_suv": False,
    "augment_critic": False,
    "lambda_diversity": 0.0,
    "ema_decay": 0.0,
}


@dataclass(frozen=True)
class Variant:
    """``numbers``: hyperparameters other than those of the plans; ``patients``: it is trained on (None: all)."""

    title: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    patients: int | None = None


VARIANTS = {
    "ours": Variant("as planned: R3GAN, projection, log(1 + SUV), augmentation"),
    "wgan_gp": Variant("WGAN-GP, 5 critic updates, learning rates of the paper", WGAN_GP),
    "auxiliary": Variant("auxiliary class head", {"class_head": "auxiliary"}),
    "no_augmentation": Variant("critic without augmentation", {"augment_critic": False}),
    "no_log": Variant("SUV without logarithm", {"log_suv": False}),
    "paper": Variant("all decisions of the paper, conditional", PAPER),
    "dcgan": Variant("all decisions of the paper, DCGAN of each class", {**PAPER, "variant": "dcgan"}),
    "forty": Variant("as planned, 40 patients", patients=FEW),
}


def folder_of(work: Path, name: str) -> Path:
    return work / "ablations" / name


def use(work: Path, name: str) -> None:
    """Let the commands work in the folder of a variant, with the raw data of all."""
    folders = {"raw": work, "preprocessed": folder_of(work, name), "results": folder_of(work, name)}
    os.environ |= {f"ct2pet_{kind}": str(folder / kind) for kind, folder in folders.items()}


def prepare(work: Path, name: str) -> Plans:
    """Plans of the variant beside a link to the preprocessed cases of all; fold 0 has its training patients."""
    source, target = work / "preprocessed" / NAME, folder_of(work, name) / "preprocessed" / NAME
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        link = target / path.name
        if path.name not in (f"{PLANS}.json", "splits_final.json") and not link.is_symlink():
            link.symlink_to(path)
    plans = with_numbers(Plans.load(source / f"{PLANS}.json"), VARIANTS[name].numbers)
    plans.save(target / f"{PLANS}.json")
    drawn = few_cases(work)
    rest = [case for split in read_json(source / "splits_final.json")[:1] for case in split["train"] + split["val"]]
    write_json(target / "splits_final.json", [{"train": drawn, "val": sorted(set(rest) - set(drawn))}])
    return plans


def with_numbers(plans: Plans, numbers: Mapping[str, Any]) -> Plans:
    plans = replace(plans, models={"medscangan": {**plans.models["medscangan"], **numbers}})
    if numbers.get("variant") != "dcgan":
        return plans
    configuration = plans.configuration(WHOLE_BODY)
    assert configuration.slices is not None
    topology = unet_topology([32, 32], [1.0, 1.0], 4)
    size = NetworkSize([32, 32], topology, 16, 128)
    roles = {"class_generator": "dcgan_generator", "class_critic": "dcgan_critic"}
    networks = {role: plan_network(recipe, size) for role, recipe in roles.items()}
    changed = replace(configuration, slices=replace(configuration.slices, networks=networks))
    return replace(plans, configurations={WHOLE_BODY: changed})


def steps_in(seconds: float, plans: Plans) -> int:
    """How many training steps take so much CPU time, from ten of them after two that are not counted."""
    torch.manual_seed(0)
    model = MedScanGAN(plans.configuration(WHOLE_BODY), plans.all_fields, plans.hyperparameters("medscangan")).train()
    size = model.planned.batch_size
    batch = {name: torch.rand(size, 1, 32, 32) for name in model.targets}
    batch[model.condition.name] = torch.arange(size) % 2
    optimizers, started = model.optimizers(), 0.0
    for step in range(12):
        if step == 2:
            started = time.process_time()
        for update in model.training_step(batch, Progress(0, step, step / 12)):
            optimizers[update.optimizer].zero_grad()
            update.loss.backward()
            optimizers[update.optimizer].step()
    return max(EPOCHS, round(10 * seconds / (time.process_time() - started)))


def train(work: Path, name: str, seconds: float) -> dict[str, float]:
    steps = steps_in(seconds, prepare(work, name))
    fold = "all" if VARIANTS[name].patients is None else "0"
    started = time.process_time()
    lengths = f"--num_epochs {EPOCHS} --iterations_per_epoch {steps // EPOCHS}"
    run(f"train 104 medscangan {fold} -p {PLANS} -device cpu -num_workers 0 {lengths} --c")
    return {"steps": steps // EPOCHS * EPOCHS, "seconds": time.process_time() - started}


@cache
def real_slices(work: Path) -> tuple[Slices, Slices]:
    raw = work / "raw" / NAME
    classes = read_condition(raw)[1]
    training, test = (read_slices(labelled_cases(raw, split, KINDS), classes, OPTIONS) for split in ("Tr", "Ts"))
    return training, test


def few_slices(work: Path) -> tuple[Slices, Slices]:
    """The slices of FEW training patients, half of each class, and those of the others."""
    first, second, rest = draw_patients(real_slices(work)[0], FEW, 0.25, 0)
    assert rest is not None
    return real_slices(work)[0].of_patients({*first.patients.tolist(), *second.patients.tolist()}), rest


def few_cases(work: Path) -> list[str]:
    drawn = set(few_slices(work)[0].patients.tolist())
    return sorted(one.case for one in labelled_cases(work / "raw" / NAME, "Tr", KINDS) if one.patient in drawn)


@cache
def judge(work: Path) -> TrainedClassifier:
    known, validation, _ = draw_patients(real_slices(work)[1], None, 0.25, 0)
    return train_classifier("small_cnn", TrainingSet(known), validation, ClassifierOptions(steps=400), 0)


def sampler_of(work: Path, name: str) -> tuple[TrainedGenerator, str]:
    use(work, name)
    choice, condition = GeneratorChoice("medscangan", PLANS), read_condition(work / "raw" / NAME)
    return load_sampler(NAME, choice, "cpu", KINDS, condition, OPTIONS)


def measure(work: Path, name: str) -> dict[str, float]:
    training, test = real_slices(work)
    made, features = sampled_slices(sampler_of(work, name)[0], test), random_features(2)
    seen = training if VARIANTS[name].patients is None else few_slices(work)[0]
    distances = feature_distances(made, test, features)
    return {
        "frechet": distances.frechet,
        "precision": distances.precision,
        "recall": distances.recall,
        "coverage": distances.coverage,
        "confirmed": share_confirmed(made, judge(work)),
        "ks": max(own.statistic for own in uptake_tests(made, test)),
        "copies": privacy_report(made, seen, test).share_below,
    }


def study(work: Path, seeds: int) -> None:
    """Classifiers of 40 patients, with images of the two generators. The runs of real images and of the oracle do not
    depend on the generator."""
    few, others = few_slices(work)
    for name in ("ours", "forty"):
        sampler, sampler_name = sampler_of(work, name)
        data = StudyData(few, real_slices(work)[1], others, sampler, sampler_name)
        options = StudyOptions(
            classifiers=("small_cnn",),
            arms=("gan", "oracle"),
            ratios=(5.0,),
            seeds=seeds,
            training=ClassifierOptions(steps=200),
        )
        found = run_study(data, options, work / "ablations" / f"study_{name}")
        print(f"\nimages of {VARIANTS[name].title}:\n{text_table(found)}", flush=True)


def print_table(work: Path) -> None:
    print("variant: steps, CPU s; Frechet distance, precision, recall, coverage, class confirmed, KS, near-copies")
    for name, variant in VARIANTS.items():
        path = folder_of(work, name) / "result.json"
        if path.exists():
            own = read_json(path)
            print(
                f"{variant.title}: {own['steps']} steps, {own['seconds']:.0f} CPU s; {own['frechet']:.1f}, "
                f"{own['precision']:.2f}, {own['recall']:.2f}, {own['coverage']:.2f}, {own['confirmed']:.0%}, "
                f"{own['ks']:.2f}, {own['copies']:.1%}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--seconds", type=float, default=100.0, help="CPU time of each training")
    parser.add_argument("--only", nargs="+", choices=tuple(VARIANTS), default=tuple(VARIANTS), metavar="NAME")
    parser.add_argument("--study", type=int, metavar="SEEDS")
    parsed = parser.parse_args()
    torch.set_num_threads(1)
    work = parsed.work.resolve()
    make_data(work)
    for name in parsed.only:
        path = folder_of(work, name) / "result.json"
        if not path.exists():
            use(work, name)
            trained = train(work, name, parsed.seconds)
            write_json(path, {**trained, **measure(work, name)})
    print_table(work)
    if parsed.study is not None:
        study(work, parsed.study)


if __name__ == "__main__":
    main()
