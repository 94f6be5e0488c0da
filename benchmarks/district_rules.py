"""How well, how fast and in how much memory the segmenter ``rules`` divides phantoms.

Run: python benchmarks/district_rules.py [--seeds 24] [--num_processes 1]
Prints, for every view of a body (ct2pet.phantom.views), the mean and the worst Dice of the body and of each district
over phantoms whose arms are raised, down, or one of each, in turn; then the user CPU seconds and the peak memory for a
CT of 512 x 512 x 300 voxels. A district of which a view shows less than 50 ml is not counted: its Dice says nothing.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np

from ct2pet.districts.segmenters.rules.segmenter import RulesSegmenter
from ct2pet.errors import DatasetError
from ct2pet.parallel import map_cases
from ct2pet.phantom import CLINICAL, DEMO, DISTRICTS, Scanner, make_patient
from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.imaging import render_ct, smooth_texture
from ct2pet.phantom.patient import Patient
from ct2pet.phantom.views import VIEWS, view
from ct2pet.volume import Volume

POSES = ("raised", "down", "left raised")
LEAST_ML = 50.0
SCANNER = replace(
    DEMO, name="benchmark", ct_spacing=(4.0, 2.5, 2.5), ct_matrix=(168, 224), ct_blur_mm=1.5, ct_noise_hu=16.0
)


def ct_and_truth(patient: Patient, scanner: Scanner) -> tuple[Volume, Volume]:
    """CT (HU) and districts, without the PET that a whole scan would simulate."""
    anatomy = Anatomy(patient)
    organs = anatomy.organs(scanner.ct_grid(patient))
    random = np.random.default_rng(patient.seed)
    lesions = anatomy.lesions(organs)
    ct_hu = render_ct(patient, scanner, organs, lesions.array, smooth_texture(organs.grid, random), random)
    return organs.with_array(ct_hu, "HU"), anatomy.districts(organs)


def dice_of(seed: int) -> dict[str, dict[str, float]]:
    """Dice by view and district (or "body") of one phantom."""
    patient = replace(make_patient(seed), field_of_view="whole", arms=POSES[seed % len(POSES)])
    ct, truth = ct_and_truth(patient, SCANNER)
    rows = {}
    for name in VIEWS:
        try:
            box = view(patient, truth, name)
        except DatasetError:
            continue
        found = RulesSegmenter().segment(name, ct.crop(box), DISTRICTS).district_map.array
        wanted = truth.crop(box).array
        pairs = {"body": (found > 0, wanted > 0)}
        pairs |= {district: (found == label, wanted == label) for district, label in DISTRICTS.items()}
        rows[name] = {
            district: 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))
            for district, (a, b) in pairs.items()
            if max(np.count_nonzero(a), np.count_nonzero(b)) * ct.grid.voxel_ml > LEAST_ML
        }
    return rows


def print_dice(seeds: int, num_processes: int) -> None:
    results = map_cases(
        dice_of, {str(seed): (seed,) for seed in range(seeds)}, num_processes=num_processes, description="phantoms"
    )
    table: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for rows in results.values.values():
        for name, row in rows.items():
            for district, value in row.items():
                table[name][district].append(value)
    columns = ("body", *DISTRICTS)
    print(f"Dice, mean / worst of {len(results.values)} phantoms; failed: {sorted(results.failures) or 'none'}")
    print(f"{'':24}" + "".join(f"{name:>16}" for name in columns))
    everything = defaultdict(list)
    for name, row in table.items():
        print(f"{name:24}" + "".join(_cell(row[district]) for district in columns))
        for district in columns:
            everything[district] += row[district]
    print(f"{'all':24}" + "".join(_cell(everything[district]) for district in columns))


def _cell(values: list[float]) -> str:
    return f"{np.mean(values):8.3f} /{min(values):6.3f}" if values else f"{'-':>16}"


def print_speed() -> None:
    patient = replace(make_patient(0), field_of_view="thigh", arms="down")
    ct, _ = ct_and_truth(patient, CLINICAL)
    repeated = np.concatenate([ct.array, ct.array[-1:].repeat(max(0, 300 - len(ct.array)), axis=0)])[:300]
    ct = Volume(repeated, replace(ct.grid, shape=repeated.shape), "HU")
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    RulesSegmenter().segment("speed", ct, DISTRICTS)
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime - before.ru_utime
    print(
        f"{' x '.join(map(str, ct.array.shape[::-1]))} voxels: {seconds:.1f} s of user CPU, "
        f"{time.monotonic() - started:.1f} s, peak {after.ru_maxrss / 2**20:.2f} GiB (the phantom's making included)"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--num_processes", type=int, default=1)
    parser.add_argument("--speed", action="store_true", help="time and memory only, in this process")
    arguments = parser.parse_args()
    if arguments.speed:
        print_speed()
    else:
        print_dice(arguments.seeds, arguments.num_processes)
        subprocess.run([sys.executable, __file__, "--speed"], check=True)
