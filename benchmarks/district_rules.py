"""Accuracy, time and memory of the segmenter ``rules`` on phantoms, and whether its confidence is right.

Run: python benchmarks/district_rules.py [--seeds 14] [--num_processes 1] [--keep FOLDER]
Prints, as tables in Markdown, the mean and the worst Dice of the body and of each district over phantoms in the
postures of POSTURES, one after the other, by view (ct2pet.phantom.views) and by posture: of those districts whose
confidence is at least 0.5, and how many have less; how often districts of each confidence are right; the worst
districts and bodies; then the user CPU seconds and the peak memory for a CT of 512 x 512 x 300 voxels. A district of
which view and map show less than 50 ml is not counted, because its Dice has no meaning. A district that was not found
and has no confidence of its own has that of the least sure district of its map. ``--keep``: phantoms whose results are
there are not measured again.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from ct2pet.districts.segmenters.rules.segmenter import RulesSegmenter
from ct2pet.errors import DatasetError
from ct2pet.files import read_json, write_json
from ct2pet.parallel import map_cases
from ct2pet.phantom import CLINICAL, DEMO, DISTRICTS, Scanner, make_patient
from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.imaging import couch_top, render_ct, smooth_texture
from ct2pet.phantom.patient import Patient
from ct2pet.phantom.posture import lying_on_the_side
from ct2pet.phantom.views import VIEWS, view
from ct2pet.volume import Box, Volume

POSTURES: dict[str, dict] = {
    "raised": {"arms": "raised"},
    "down": {"arms": "down"},
    "left raised": {"arms": "left raised"},
    "forward": {"arms": "forward"},
    "elbows out": {"arms": "elbows out"},
    "folded": {"arms": "folded"},
    "left across": {"arms": "left across"},
    "scoliosis": {"arms": "raised", "scoliosis_mm": 40.0},
    "kyphosis": {"arms": "down", "kyphosis_mm": 50.0},
    "obese": {"arms": "down", "fat": 55.0, "width": 1.15, "depth": 1.1, "weight_kg": 150.0},
    "prosthesis": {"arms": "raised", "hip_prosthesis": True},
    "amputated thigh": {"arms": "down", "amputated": "left thigh"},
    "amputated forearm": {"arms": "down", "amputated": "left forearm"},
    "decubitus": {"arms": "forward"},
}
LEAST_ML, GOOD, SURE = 50.0, 0.85, 0.5
BINS = (0.0, 0.5, 0.65, 0.8, 0.9, 1.01)
CIRCLE_MM = 500.0  # the field of view of most scanners; wider bodies end there
SCANNER = replace(
    DEMO, name="benchmark", ct_spacing=(4.0, 2.5, 2.5), ct_matrix=(224, 224), ct_blur_mm=1.5, ct_noise_hu=16.0
)


@dataclass(frozen=True)
class Score:
    """The Dice of a district (or of the "body", without ``confidence``) in a view of a phantom."""

    seed: int
    posture: str
    view: str
    district: str
    dice: float
    confidence: float | None = None


def ct_and_truth(patient: Patient, scanner: Scanner, *, on_side: bool = False) -> tuple[Volume, Volume]:
    """CT (HU) and districts, without the PET that a whole scan would simulate."""
    anatomy = Anatomy(patient)
    organs = anatomy.organs(scanner.ct_grid(patient))
    districts, lesions = anatomy.districts(organs), anatomy.lesions(organs)
    if on_side:
        trunk = (districts.array == DISTRICTS["trunk"]).any(axis=(0, 1))
        bottom = float(np.flatnonzero(trunk)[0])  # the right side, which turns down
        reach = organs.grid.shape[2] / 2 - bottom
        drop = couch_top(patient) - organs.grid.origin[1] - (organs.grid.shape[1] / 2 + reach) * organs.grid.spacing[1]
        organs, districts, lesions = (lying_on_the_side(volume, drop) for volume in (organs, districts, lesions))
    random = np.random.default_rng(patient.seed)
    ct_hu = render_ct(patient, scanner, organs, lesions.array, smooth_texture(organs.grid, random), random)
    return organs.with_array(ct_hu, "HU"), districts


def scores_of(seed: int) -> list[Score]:
    """The scores of all views of one phantom."""
    posture, changes = list(POSTURES.items())[seed % len(POSTURES)]
    patient = replace(make_patient(seed), field_of_view="whole", **changes)
    ct, truth = ct_and_truth(patient, SCANNER, on_side=posture == "decubitus")
    ct, truth = _within_circle(ct, -1000), _within_circle(truth, 0)
    rows = []
    for name in VIEWS:
        try:
            box = view(patient, truth, name)
        except DatasetError:
            continue
        if np.count_nonzero(truth.crop(box).array) * truth.grid.voxel_ml < LEAST_ML:  # the knee of a lost leg
            continue
        rows += _scores(ct, truth, box, Score(seed, posture, name, "", 0.0))
    return rows


def _within_circle(volume: Volume, outside: int) -> Volume:
    y, x = (volume.grid.origin[i] + np.arange(volume.grid.shape[2 - i]) * volume.grid.spacing[2 - i] for i in (1, 0))
    inside = np.hypot(y[:, None] - y.mean(), x[None] - x.mean()) < CIRCLE_MM / 2
    return volume.with_array(np.where(inside, volume.array, outside).astype(volume.array.dtype))


def _scores(ct: Volume, truth: Volume, box: Box, row: Score) -> list[Score]:
    segmentation = RulesSegmenter().segment(row.view, ct.crop(box), DISTRICTS)
    found, wanted = segmentation.district_map.array, truth.crop(box).array
    pairs = {"body": (found > 0, wanted > 0)}
    pairs |= {district: (found == label, wanted == label) for district, label in DISTRICTS.items()}
    rows, confidence = [], segmentation.confidence
    for district, (a, b) in pairs.items():
        counts = np.count_nonzero(a), np.count_nonzero(b)
        if max(counts) * ct.grid.voxel_ml > LEAST_ML:
            sure = None if district == "body" else confidence.get(district, min(confidence.values()))
            dice = 2 * np.count_nonzero(a & b) / sum(counts)
            rows.append(replace(row, district=district, dice=dice, confidence=sure))
    return rows


def kept_scores(seed: int, keep: Path | None) -> list[Score]:
    """The scores of a phantom, from the folder ``keep`` where they are there."""
    if keep is None:
        return scores_of(seed)
    path = keep / f"phantom_{seed:03d}.json"
    if not path.exists():
        write_json(path, {"rules": RulesSegmenter().settings(), "scores": [asdict(row) for row in scores_of(seed)]})
    content = read_json(path)
    if content["rules"] != RulesSegmenter().settings():
        raise DatasetError(f"{path}: was measured with {content['rules']}, the rules are {RulesSegmenter().settings()}")
    return [Score(**row) for row in content["scores"]]


def print_dice(seeds: int, num_processes: int, keep: Path | None) -> None:
    results = map_cases(
        kept_scores,
        {str(seed): (seed, keep) for seed in range(seeds)},
        num_processes=num_processes,
        description="phantoms",
    )
    rows = [row for part in results.values.values() for row in part]
    print(
        f"{len(results.values)} phantoms, {RulesSegmenter().settings()}; failed: {sorted(results.failures) or 'none'}"
    )
    _print_table("view", rows, lambda row: row.view)
    _print_table("posture", rows, lambda row: row.posture)
    _print_reliability(rows)
    sure = [row for row in rows if row.confidence is not None and row.confidence >= SURE]
    print(f"\nthe worst districts of a confidence of at least {SURE}, and the worst bodies")
    for row in sorted(sure, key=lambda row: row.dice)[:25]:
        print(
            f"{row.dice:6.3f}  confidence {row.confidence:.2f}  {row.district}, {row.view}, {row.posture} ({row.seed})"
        )
    for row in sorted((row for row in rows if row.confidence is None), key=lambda row: row.dice)[:5]:
        print(f"{row.dice:6.3f}  body, {row.view}, {row.posture} ({row.seed})")


def _print_table(title: str, rows: list[Score], key: Callable[[Score], str]) -> None:
    """Of bodies and sure districts; the last column counts the districts that are not sure."""
    columns = ("body", *DISTRICTS)
    print(f"\n| {title} | {' | '.join(columns)} | confidence below {SURE} |\n|{'---|' * (len(columns) + 2)}")
    for name in (*dict.fromkeys(map(key, rows)), "all"):
        mine = [row for row in rows if name in ("all", key(row))]
        sure = [row for row in mine if row.confidence is None or row.confidence >= SURE]
        cells = [_cell(row.dice for row in sure if row.district == column) for column in columns]
        known = [row for row in mine if row.confidence is not None]
        print(f"| {name} | {' | '.join(cells)} | {len(mine) - len(sure)} of {len(known)} |")


def _cell(dice: Iterable[float]) -> str:
    values = list(dice)
    return f"{np.mean(values):.3f} / {min(values):.3f}" if values else "–"


def _print_reliability(rows: list[Score]) -> None:
    print(f"\n| confidence | districts | mean Dice | worst | Dice of at least {GOOD} |\n|---|---|---|---|---|")
    for low, high in pairwise(BINS):
        dice = np.array([row.dice for row in rows if row.confidence is not None and low <= row.confidence < high])
        numbers = f"{dice.mean():.3f} | {dice.min():.3f} | {np.mean(dice >= GOOD):.0%}" if dice.size else "– | – | –"
        print(f"| {low:.2f} to {min(high, 1):.2f} | {dice.size} | {numbers} |")


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
    parser.add_argument("--seeds", type=int, default=len(POSTURES))
    parser.add_argument("--num_processes", type=int, default=1)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="of results by phantom, which are not made again")
    parser.add_argument("--speed", action="store_true", help="time and memory only, in this process")
    arguments = parser.parse_args()
    if arguments.speed:
        print_speed()
    else:
        print_dice(arguments.seeds, arguments.num_processes, arguments.keep)
        subprocess.run([sys.executable, __file__, "--speed"], check=True)
