"""Fingerprints made by hand, for the planner's tests."""

from pathlib import Path

from ct2pet.dataset import Description
from ct2pet.dataset.field_parsing import parse_fields
from ct2pet.fingerprint.fingerprint import DistrictFingerprint, Fingerprint
from ct2pet.planning.planner import District
from ct2pet.planning.requirements import INPUTS, TARGETS, NetworkNeed, Requirements

GAN = Requirements(
    networks={
        "generator": NetworkNeed(),
        "discriminator": NetworkNeed("discriminator", inputs=(INPUTS, TARGETS)),
    },
    hyperparameters={"learning_rate": 1e-3, "lambda_l1": 50.0},
)
DISTRICTS = {"head": 1, "trunk": 2}


def district(spacing=(4.0, 4.0, 4.0), box_mm=(400.0, 400.0, 400.0), ct=(-900.0, 700.0), num_cases=3):
    """All cases alike."""
    return DistrictFingerprint(
        cases=[f"case{index}" for index in range(num_cases)],
        spacings=[list(spacing)] * num_cases,
        box_sizes_mm=[list(box_mm)] * num_cases,
        percentiles={"CT": {"0.5": ct[0], "5": ct[0], "50": 40.0, "95": ct[1], "99.5": ct[1]}},
    )


def fingerprint(**districts):
    return Fingerprint("Dataset900_Hand", districts)


def description(districts=DISTRICTS, **more):
    """dataset.json of paired CT and PET, or of what ``more`` says."""
    content = {"numTraining": 3, "file_ending": ".nii.gz", "districts": dict(districts), **more}
    if "channel_names" not in more:
        content |= {"channel_names": {"0": "CT"}, "target": {"name": "PET", "unit": "SUVbw g/ml"}}
    return Description(content, parse_fields(content, Path("dataset.json")))


def hand_district(name="head", seen=None, labels=(1,), **more):
    """A district to be planned."""
    return District(name, list(labels), seen or district(), description(**more).fields)
