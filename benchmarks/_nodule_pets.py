"""Nodule phantoms whose CT does not always show the nodule, a generator of their PETs, and slices of all their PETs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from _commands import run

from ct2pet.dataset import write_dataset_json
from ct2pet.files import atomic_path
from ct2pet.imageio import write_volume
from ct2pet.layout import CHECKPOINT_FINAL
from ct2pet.phantom import DISTRICTS
from ct2pet.phantom.nodules import CLASSES, NodulePatient, make_nodule_patient, scan_nodule
from ct2pet.study.slices import SliceOptions, lesion_slices
from ct2pet.volume import Volume

SLICES = SliceOptions(size_mm=64.0, pixels=32, per_case=3)
BOX, GENERATOR, REAL, CT = "box", "generator", "real", "ct"
DATASET, TRUNK, METHOD = "Dataset994_NodulePairs", "trunk", "regression"
_FIRST_SEED, _HIDDEN_EVERY = 410_000, 3
_EPOCHS = 10


def is_hidden(number: int) -> bool:
    """Whether the CT of the patient ``number`` does not show the nodule."""
    return number % _HIDDEN_EVERY == _HIDDEN_EVERY - 1


def label_of(number: int) -> int:
    """The class of the patient ``number``, an index of CLASSES."""
    return number % len(CLASSES)


def patient_of(number: int) -> NodulePatient:
    """The patient ``number``: always the same one.

    A nodule that the CT does not show has the CT numbers of the lung. It is at the place of the benign nodule of its
    seed, whatever its class: the distance of nodules from the chest wall depends on their size, so that the CT would
    show the class.
    """
    seed, diagnosis = _FIRST_SEED + number, CLASSES[label_of(number)]
    case = make_nodule_patient(seed, diagnosis)
    if not is_hidden(number):
        return case
    centre = make_nodule_patient(seed, CLASSES[0]).centre
    shift = np.subtract(centre, case.centre)
    lesions = tuple(
        replace(part, hu=None, centre=tuple(np.add(part.centre, shift).tolist())) for part in case.patient.lesions
    )
    return replace(case, patient=replace(case.patient, lesions=lesions), centre=centre)


def name_of(number: int) -> str:
    """The name of the patient ``number``."""
    return f"patient_{number:05d}"


def use_folders(work: Path) -> None:
    """Let the commands of ct2pet read and write in ``work``."""
    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"ct2pet_{kind}"] = str(work / kind)


def train_generator(work: Path, patients: Iterable[int], steps: int) -> None:
    """Train a regression from CT to PET with these patients, without their classes, where that is not done yet."""
    raw, numbers = work / "raw" / DATASET, list(patients)
    if not (raw / "dataset.json").exists():
        for number in numbers:
            scanned = scan_nodule(patient_of(number))
            name, everywhere = f"{name_of(number)}.nii.gz", whole(scanned.ct, DISTRICTS[TRUNK])
            write_volume(raw / "imagesTr" / name.replace(".", "_0000.", 1), scanned.ct)
            write_volume(raw / "targetsTr" / name, scanned.pet)
            write_volume(raw / "districtsTr" / name, everywhere)
        write_dataset_json(raw, name="NodulePairs", districts={TRUNK: DISTRICTS[TRUNK]}, num_training=len(numbers))
    if not any((work / "results").glob(f"*/{METHOD}__*/fold_all/{CHECKPOINT_FINAL}")):
        run(f"plan_and_preprocess -d {DATASET} -m {METHOD} -c {TRUNK} -device cpu -gpu_memory_target 4 -np 1")
        length = f"--num_epochs {_EPOCHS} --iterations_per_epoch {max(1, steps // _EPOCHS)}"
        run(f"train {DATASET} {METHOD} all -c {TRUNK} {length} -device cpu -num_workers 0 --c")


def whole(volume: Volume, label: int) -> Volume:
    """A district map that has one label everywhere."""
    return Volume(np.full(volume.array.shape, label, np.uint8), volume.grid, "label")


def write_slices(folder: Path, patients: Iterable[int]) -> None:
    """Write the slices of these patients: float32 (slices, Y, X) in HU of the CT, in SUV of the real PET and of the
    PETs that the built-in model and the generator predict. Existing ones are not made again."""
    from ct2pet.inference.choice import chosen_members
    from ct2pet.inference.options import PredictionOptions
    from ct2pet.inference.predictor import Predictor

    waiting = {number: path for number in patients if not (path := folder / f"{name_of(number)}.npz").exists()}
    if not waiting:
        return
    predictors = {}
    chosen = {BOX: {"model_paths": [BOX], "configurations": [TRUNK]}, GENERATOR: {"dataset": DATASET, "model": METHOD}}
    for name, choice in chosen.items():
        with chosen_members(PredictionOptions(**choice)) as (member,):
            plans = member.loaded.plans
            predictors[name] = Predictor(member.loaded.districts, plans.all_fields), plans.districts[TRUNK]
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in waiting.items():
        scanned = scan_nodule(patient_of(number))
        pets = {REAL: scanned.pet}
        for name, (predictor, label) in predictors.items():
            found = predictor.predict({"CT": scanned.ct}, whole(scanned.ct, label), scanned.pet.grid)
            pets[name] = found["PET"]
        made = {name: lesion_slices({"pet": pet}, scanned.lesion, SLICES)[:, 0] for name, pet in pets.items()}
        made[CT] = lesion_slices({"ct": scanned.ct}, scanned.lesion, SLICES)[:, 0]
        with atomic_path(path) as partial:
            np.savez_compressed(partial, **made)


def read_slices(folder: Path, number: int) -> dict[str, np.ndarray]:
    """The slices of a patient by kind."""
    with np.load(folder / f"{name_of(number)}.npz") as stored:
        return dict(stored)
