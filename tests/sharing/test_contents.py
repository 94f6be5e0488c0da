import pytest
import torch
from hand_models import hand_plans

from ct2pet.errors import Ct2PetError
from ct2pet.planning.plans import Plans
from ct2pet.sharing import shared_checkpoint, shared_dataset_json, shared_plans, shared_provenance

DATASET = {
    "name": "Tiny",
    "channel_names": {"0": "CT"},
    "target": {"name": "PET", "unit": "SUVbw g/ml"},
    "numTraining": 2,
    "file_ending": ".nii.gz",
    "districts": {"low": 1, "high": 2},
    "licence": "CC BY 4.0",
    "reference": "https://example.org/data/set, doi 10.1000/x/y",
}
RUN = {"versions": {"ct2pet": "0.1.0"}, "date": "2026-01-31", "seed": 1}


def test_only_listed_keys_of_dataset_json_are_shared():
    more = {"training": [{"image": "./imagesTr/SMITH_0000.nii.gz"}], "description": "of Dr Jones, Room 5"}
    assert shared_dataset_json({**DATASET, **more}, "dataset.json") == DATASET


def test_commands_cases_and_unknown_keys_of_the_provenance_stay_behind():
    content = {
        "dataset_name": "Dataset001_Tiny",
        "num_training_cases": 2,
        "training_cases": "0123456789abcdef",
        "who": "Jones",
        "runs": [{**RUN, "command": "ct2pet_train 001 pix2pix all", "host": "node1"}],
        "pretrained_weights": {
            "model": "pix2pix",
            "file": "/data/x.pth",
            "training_cases": "fedcba9876543210",
            "training_cases_known": False,
        },
    }
    assert shared_provenance(content, "x") == {
        "dataset_name": "Dataset001_Tiny",
        "num_training_cases": 2,
        "runs": [RUN],
        "pretrained_weights": {"model": "pix2pix", "training_cases_known": False},
    }
    assert shared_provenance(None, "x") == {}


def test_plans_stay_the_same_decisions():
    plans = hand_plans(
        settings={"device": "cpu", "memory_target_gib": 4.0, "sized_for": ["pix2pix"], "note": "for Jones"}
    )
    shared = Plans.from_json(shared_plans(plans.to_json(), "plans.json"))
    assert shared.configurations == plans.configurations
    assert (shared.districts, shared.fields, shared.blend_mm) == (plans.districts, plans.fields, plans.blend_mm)
    assert shared.settings == {"device": "cpu", "memory_target_gib": 4.0, "sized_for": ["pix2pix"]}


def test_a_shared_checkpoint_has_the_weights_and_no_training_state():
    weights = {"w": torch.arange(5.0)}
    content = {
        "format_version": 1,
        "model_name": "scaled",
        "configuration_name": "low",
        "plans": hand_plans().to_json(),
        "epoch": 7,
        "log": [{"epoch": 0, "mae": 0.5}],
        "model": weights,
        "optimizers": {"x": torch.ones(3)},
        "random": torch.get_rng_state(),
        "provenance": {"runs": [{**RUN, "command": "x"}]},
    }
    shared = shared_checkpoint(content, "x")
    assert shared["model"] is weights
    assert {*shared} == {"model_name", "configuration_name", "plans", "epoch", "log", "model", "provenance"}
    assert shared["provenance"] == {"runs": [RUN]}


@pytest.mark.parametrize(
    "path",
    ["/home/jones/weights", "~/weights", "--x=/data/y/z", r"C:\data\x", "D:/data", r"\\server\share", "see '/a/b'"],
)
def test_a_path_anywhere_is_refused_with_the_key(path):
    with pytest.raises(Ct2PetError, match=r"dataset\.json: segmenter\.merge contains a path of this machine"):
        shared_dataset_json({**DATASET, "segmenter": {"name": "x", "merge": [path]}}, "dataset.json")


@pytest.mark.parametrize(
    "text", ["SUVbw g/ml", "https://example.org/a/b", "10.1000/x/y", "and/or", "1/2", "CC BY-NC 4.0"]
)
def test_units_and_addresses_are_no_paths(text):
    assert shared_dataset_json({**DATASET, "reference": text}, "x")["reference"] == text
