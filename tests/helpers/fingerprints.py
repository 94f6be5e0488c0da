"""Fingerprints made by hand, for the planner's tests."""

from ct2pet.fingerprint.fingerprint import DistrictFingerprint, Fingerprint
from ct2pet.planning.requirements import Requirements

GAN = Requirements(
    networks={"generator": 1, "discriminator": 1},
    passes={"generator": 1, "discriminator": 1},
    hyperparameters={"learning_rate": 1e-3, "lambda_l1": 50.0},
)
DISTRICTS = {"head": 1, "trunk": 2}


def district(spacing=(4.0, 4.0, 4.0), box_mm=(400.0, 400.0, 400.0), ct=(-900.0, 700.0), num_cases=3):
    """All cases alike."""
    return DistrictFingerprint(
        cases=[f"case{index}" for index in range(num_cases)],
        pet_spacings=[list(spacing)] * num_cases,
        box_sizes_mm=[list(box_mm)] * num_cases,
        volumes_ml=[1000.0] * num_cases,
        ct_percentiles_hu={"0.5": ct[0], "5": ct[0], "50": 40.0, "95": ct[1], "99.5": ct[1]},
        pet_percentiles_suv={"50": 1.0},
    )


def fingerprint(**districts):
    return Fingerprint("Dataset900_Hand", 3, [[3.0, 1.0, 1.0]] * 3, districts)
