"""The noise of the phantom's low-dose PETs, and how well the body's outline is found in them.

Run: python benchmarks/low_dose.py [--scanners demo coarse ...] [--patients 12] [--sts ../shared/data/sts/nifti]

Prints, for each scanner and dose fraction, the coefficient of variation (SD over mean of SUV) in the liver without its
outer 12 mm and without its lesions, and the Dice coefficient of ``pet_outline`` and the body that was scanned. With
``--sts``, that of the outline and the body in the CT of the soft-tissue sarcoma patients (parts of limbs and trunks),
where CT and PET both have values.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_erosion

from ct2pet.districts.body import body_mask
from ct2pet.districts.pet_outline import pet_outline
from ct2pet.imageio import read_volume
from ct2pet.phantom import CLINICAL, COARSE, DEMO, DEMO_LOW_COUNTS, LABELS, CaseVolumes, make_patient, scan
from ct2pet.resampling import resample
from ct2pet.volume import Volume

SCANNERS = {scanner.name: scanner for scanner in (DEMO, DEMO_LOW_COUNTS, COARSE, CLINICAL)}
DOSES = (1.0, 0.25, 0.05, 0.02)
_RIM_MM = 12.0
_FEWEST_VOXELS = 30


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


def share_on(mask: Volume, like: Volume) -> np.ndarray:
    """Which share of each voxel of ``like`` a mask fills, by trilinear interpolation."""
    return resample(mask.with_array((mask.array > 0).astype(np.float32)), like.grid).array


def liver(case: CaseVolumes) -> np.ndarray:
    organs = resample(case.organs, case.pet.grid, labels=True).array
    steps = max(1, round(_RIM_MM / case.pet.grid.spacing[1]))
    return binary_erosion(organs == LABELS["liver"], iterations=steps)


def measure(name: str, num_patients: int) -> None:
    variation: dict[float, list[float]] = {dose: [] for dose in DOSES}
    overlap: dict[float, list[float]] = {dose: [] for dose in DOSES}
    for seed in range(num_patients):
        patient = make_patient(seed)
        patient = replace(patient, lesions=tuple(lesion for lesion in patient.lesions if lesion.host != "liver"))
        case = scan(patient, SCANNERS[name], DOSES)
        inside, body = liver(case), share_on(case.organs, case.pet) >= 0.5
        for dose, pet in case.low_dose.items():
            overlap[dose].append(dice(pet_outline(pet).array > 0, body))
            if np.count_nonzero(inside) >= _FEWEST_VOXELS:
                variation[dose].append(float(pet.array[inside].std() / pet.array[inside].mean()))
    for dose in DOSES:
        cov, found = variation[dose], overlap[dose]
        print(
            f"| {name} | {dose:g} | {np.mean(cov):.3f} ({min(cov):.3f} to {max(cov):.3f}), n = {len(cov)} | "
            f"{np.mean(found):.3f}, worst {min(found):.3f}, n = {len(found)} |",
            flush=True,
        )


def measure_sts(source: Path) -> None:
    found = {}
    for folder in sorted(source.glob("STS_*")):
        pet, ct = read_volume(folder / "PET_image.nii.gz", "SUV"), read_volume(folder / "CT_image.nii.gz", "HU")
        seen = share_on(ct.with_array(np.ones(ct.array.shape, np.uint8)), pet) > 0.5
        body = share_on(ct.with_array(body_mask(ct)), pet) >= 0.5
        found[folder.name] = dice((pet_outline(pet).array > 0) & seen, body & seen)
    worst = min(found, key=found.__getitem__)
    print(f"{len(found)} patients: Dice {np.mean([*found.values()]):.3f}, worst {found[worst]:.3f} ({worst})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scanners", nargs="*", choices=SCANNERS, default=[*SCANNERS])
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--sts", type=Path)
    arguments = parser.parse_args()
    print("| scanner | dose | CoV of SUV in the liver: mean (range) | Dice of the outline: mean, worst |")
    print("|---|---|---|---|")
    for name in arguments.scanners:
        measure(name, arguments.patients)
    if arguments.sts is not None:
        measure_sts(arguments.sts)


if __name__ == "__main__":
    main()
