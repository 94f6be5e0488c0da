"""A dataset of four training cases in two folds, and methods that scale the CT by a factor of each fold."""

import json

import numpy as np
from hand_models import Scaled, expected_suv, hand_plans, two_district_case, write_trained

from ct2pet.dataset import write_dataset_json
from ct2pet.imageio import write_volume
from ct2pet.provenance import case_digests
from ct2pet.volume import Volume

DATASET = "Dataset900_Tiny"
FOLDS = {"0": ["A", "B"], "1": ["C", "D"]}
CASES = ["A", "B", "C", "D"]
PLANS = hand_plans()


def ct_of(case):
    """The CT (HU) of a case and its district map."""
    ct, labels = two_district_case()
    return ct.with_array(ct.array + 10 * CASES.index(case)), labels


def real_pet(case):
    """The real PET (SUV): the CT, scaled by 1."""
    ct, _ = ct_of(case)
    return Volume(expected_suv(ct.array).astype(np.float32), ct.grid, "SUV")


def write_crossval(root, monkeypatch):
    """Raw data and folds; the commands work in ``root``."""
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"ct2pet_{kind}", str(root / kind))
    for module in ("models", "api.model_sharing"):
        monkeypatch.setattr(f"ct2pet.{module}.load_model", lambda name: Scaled)
    raw = root / "raw" / DATASET
    for case in CASES:
        ct, labels = ct_of(case)
        write_volume(raw / "imagesTr" / f"{case}_0000.nii.gz", ct)
        write_volume(raw / "districtsTr" / f"{case}.nii.gz", labels)
        write_volume(raw / "targetsTr" / f"{case}.nii.gz", real_pet(case))
    write_dataset_json(raw, name="Tiny", districts=PLANS.districts, num_training=4)
    splits = [{"train": [case for case in CASES if case not in own], "val": own} for own in FOLDS.values()]
    (root / "preprocessed" / DATASET).mkdir(parents=True)
    (root / "preprocessed" / DATASET / "splits_final.json").write_text(json.dumps(splits))


def train_folds(root, factors, model="scaled", **changes):
    """A training of each configuration and fold: ``factors`` is {configuration: (of fold 0, of fold 1)}."""
    for number, own in enumerate(FOLDS.values()):
        seen = [case for case in CASES if case not in own]
        origin = {"training_cases": case_digests(DATASET, seen), "num_training_cases": len(seen)}
        folds = {name: {number: both[number]} for name, both in factors.items()}
        write_trained(root / "results", folds, model=model, plans=hand_plans(**changes), origin=origin)


def expected_prediction(case, low, high):
    """The whole body where the districts are predicted by these factors."""
    ct, labels = ct_of(case)
    found = [expected_suv(ct.array, low), expected_suv(ct.array, high)]
    return np.select([labels.array == 1, labels.array == 2], found, 0)
