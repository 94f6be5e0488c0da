"""Predictions of lesions that the CT shows and of lesions that it does not show, beside the ceiling, on phantoms.

Run: python benchmarks/lesions.py WORK [--arms default lesions_50] [--seconds 600] [--others NAME=MODEL ...]
Trunks of --train phantoms train each arm (see variants.py) for --seconds of processor time on one core; --test others
are predicted and evaluated. The ceiling is the best prediction from the CT and the rules of the phantom: each
tissue has its mean uptake, each lesion that the CT shows the mean uptake of such lesions, and no other lesion exists.
--others predicts with further models: archives, folders of trained models, or box, the built-in model.
What is finished stays in WORK and is not done again; without arms it prints what is finished.

Prints the share of the shown lesions that an ideal observer of the CT finds on the network's grid with one false
positive per scan, if each voxel of the trunk can be one (_lesion_observer.py). Then the error in the trunk, the SUVmean
bias of both groups of lesions, the share of lesions with an SUV of at least 4, and the hot spots outside lesions, with
95% intervals over cases; every prediction against the default arm, paired; and how much of its error is in lesions.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _lesion_ceiling import patients, uptake_of_shown_lesions, write_ceiling
from _lesion_observer import Observed, Observer
from _lesion_shares import lesion_shares
from comparison import PHANTOM, TRAINING, Benchmark, arm, plan_default, train_network, write_plans
from scipy.stats import bootstrap
from variants import ARMS, DEFAULT, VARIANTS

from ct2pet.api.evaluation import evaluate
from ct2pet.api.prediction import predict
from ct2pet.api.preprocessing import preprocess
from ct2pet.dataset import RawDataset
from ct2pet.evaluation import read_summary
from ct2pet.evaluation.detection import THRESHOLDS_SUV
from ct2pet.evaluation.statistics import LEAST_CASES, SEED, describe, paired_test
from ct2pet.files import write_json
from ct2pet.imageio import read_volume, write_volume
from ct2pet.layout import SUMMARY
from ct2pet.phantom import DEMO, write_dataset
from ct2pet.phantom.scan import LESION_GROUPS
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.resampling import resample
from ct2pet.volume import Triple, Volume

CEILING, DISTRICT = "ceiling", "trunk"
OBSERVER = "ideal_observer.md"
_REFERENCE = "default"
SHOWN, HIDDEN = "lesions_shown_in_CT", "lesions_hidden_in_CT"
_PHANTOM_SEED = 2020
_HOT_SUV = 4.0
_FALSE_POSITIVES = 1.0  # of the ideal observer, per scan
_AT = THRESHOLDS_SUV.index(_HOT_SUV)
Summary = Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="a folder for everything that is made")
    parser.add_argument("--arms", nargs="*", choices={**ARMS, **VARIANTS}, default=[], metavar="ARM")
    parser.add_argument("--others", nargs="*", default=[], metavar="NAME=MODEL", help="models for --model of predict")
    parser.add_argument("--seconds", type=float, default=600, help="processor time of each arm's training")
    parser.add_argument("--train", type=int, default=120, help="phantoms to train on")
    parser.add_argument("--test", type=int, default=30, help="phantoms to predict")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    benchmark = Benchmark(work, work / "results", PHANTOM, arguments.seconds, ("all",), DISTRICT)
    benchmark.use_folders()
    prepare(benchmark, arguments.train, arguments.test)
    ceiling(benchmark)
    for name in arguments.arms:
        run_arm(benchmark, name)
    for other in arguments.others:
        name, _, model = other.partition("=")
        evaluated(benchmark, name, model_paths=[model])
    table = benchmark.work / OBSERVER
    if not table.exists():
        table.write_text(observer_table(benchmark), encoding="utf-8")
    print(f"{table.read_text(encoding='utf-8')}\n")
    folders = sorted((path.parent for path in (work / "predictions").glob(f"*/{SUMMARY}")), key=lambda f: f.name)
    summaries = {folder.name: read_summary(folder / SUMMARY) for folder in folders}
    print(tables(summaries))
    if _REFERENCE in summaries:
        shares = lesion_shares(summaries[_REFERENCE]["cases"], DISTRICT, SHOWN, volumes(benchmark))
        print(f"\n{_REFERENCE}: shown lesions have {shares}")


def make_phantoms(benchmark: Benchmark, num_train: int, num_test: int) -> RawDataset:
    """The raw dataset, its fingerprint and its plans."""
    raw = benchmark.work / "raw" / PHANTOM
    if not (raw / "dataset.json").exists():
        write_dataset(raw, num_train=num_train, num_test=num_test, seed=_PHANTOM_SEED, scanner=DEMO)
    plan_default(benchmark)
    return RawDataset(raw)


def prepare(benchmark: Benchmark, num_train: int, num_test: int) -> None:
    """Phantoms, plans, the trunk's store, and the masks of the lesions in the trunk of the test cases."""
    dataset = make_phantoms(benchmark, num_train, num_test)
    preprocess(PHANTOM, plans_name=DEFAULT, configurations=[DISTRICT], num_processes=1)
    for case in dataset.cases("Ts"):
        path = masks(benchmark) / f"{case}.nii.gz"
        if not path.exists():
            lesions, districts = (read_volume(dataset.file(kind, case, "Ts")) for kind in ("lesions", "districts"))
            inside = resample(districts, lesions.grid, labels=True).array == dataset.districts[DISTRICT]
            write_volume(path, lesions.with_array(np.where(inside, lesions.array, 0).astype(np.uint8)))


def masks(benchmark: Benchmark) -> Path:
    """The folder of the masks of the lesions in the trunk."""
    return benchmark.work / "lesions_of_the_trunk"


def volumes(benchmark: Benchmark) -> dict[str, dict[str, float]]:
    """Of each test case the trunk and its shown lesions (ml)."""
    dataset = RawDataset(benchmark.work / "raw" / PHANTOM)
    labels = {DISTRICT: dataset.districts[DISTRICT], SHOWN: LESION_GROUPS[SHOWN.removeprefix("lesions_")]}
    found = {}
    for case in dataset.cases("Ts"):
        files = {DISTRICT: dataset.file("districts", case, "Ts"), SHOWN: masks(benchmark) / f"{case}.nii.gz"}
        maps = {name: read_volume(path) for name, path in files.items()}
        found[case] = {
            name: float((one.array == labels[name]).sum() * np.prod(one.grid.spacing) / 1000)
            for name, one in maps.items()
        }
    return found


def ceiling(benchmark: Benchmark) -> None:
    raw = benchmark.work / "raw" / PHANTOM
    folder = benchmark.work / "predictions" / CEILING
    if not (folder / SUMMARY).exists():
        known, test = patients(raw), RawDataset(raw).cases("Ts")
        uptake = uptake_of_shown_lesions([patient for case, patient in known.items() if case not in test])
        write_ceiling(folder, {case: known[case] for case in test}, DEMO, uptake)
        only_the_trunk(benchmark, folder)
        evaluate(PHANTOM, folder, lesions=masks(benchmark), num_processes=1)


def observer_table(benchmark: Benchmark) -> str:
    """The shown lesions of the test cases with their centre in the trunk, by tissue, in Markdown."""
    raw = benchmark.work / "raw" / PHANTOM
    dataset, known = RawDataset(raw), patients(raw)
    z, y, x = PreprocessedDataset.find(PHANTOM).plans(DEFAULT).configuration(DISTRICT).spacing
    cases, voxels, found = dataset.cases("Ts"), [], []
    observer = Observer(DEMO, (z, y, x), known[cases[0]])
    for case in cases:
        districts = read_volume(dataset.file("districts", case, "Ts"))
        trunk = districts.with_array(districts.array == dataset.districts[DISTRICT])
        voxels.append(trunk.array.sum() * np.prod(trunk.grid.spacing) / (z * y * x))
        found += [one for one in observer.lesions(known[case]) if _contains(trunk, one.lesion.centre)]
    rows = [["shown lesions in", "number", "contrast with the tissue [HU]", "d'", "found by the ideal observer [%]"]]
    by_host = {
        host: [one for one in found if one.lesion.host == host] for host in sorted({o.lesion.host for o in found})
    }
    rows += [_observed(host, own, np.mean(voxels)) for host, own in by_host.items()]
    return _markdown([*rows, _observed("all tissues", found, np.mean(voxels))])


def _observed(name: str, found: Sequence[Observed], positions: float) -> list[str]:
    shares = [100 * one.found(_FALSE_POSITIVES, positions) for one in found]
    contrasts, d = [abs(one.contrast) for one in found], [one.d for one in found]
    return [name.replace("_", " "), str(len(found)), *map(_range, (contrasts, d)), f"{np.mean(shares):.0f}"]


def _range(values: Sequence[float]) -> str:
    return f"{np.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def _contains(region: Volume, point: Triple) -> bool:
    """Whether the region has the voxel of a point (X, Y, Z, mm)."""
    index = [
        round((at - first) / step) for at, first, step in zip(point, region.grid.origin, region.grid.spacing[::-1])
    ]
    inside = all(0 <= i < n for i, n in zip(index[::-1], region.grid.shape))
    return inside and bool(region.array[tuple(index[::-1])])


def only_the_trunk(benchmark: Benchmark, folder: Path) -> None:
    """Mark the other districts as not predicted, as ct2pet_predict does with districts without a model."""
    dataset = RawDataset(benchmark.work / "raw" / PHANTOM)
    for case in dataset.cases("Ts"):
        districts = read_volume(dataset.file("districts", case, "Ts"))
        others = np.where(districts.array == dataset.districts[DISTRICT], 0, districts.array)
        write_volume(folder / "not_predicted" / f"{case}.nii.gz", districts.with_array(others))


def run_arm(benchmark: Benchmark, name: str) -> None:
    """Train, predict and evaluate one arm; finished parts are not repeated."""
    folder = benchmark.work / "predictions" / name
    if not (folder / TRAINING).exists():
        write_plans(benchmark, name)
        write_json(folder / TRAINING, [train_network(benchmark, name, DISTRICT, "all", benchmark.seconds)])
    evaluated(benchmark, name, dataset=PHANTOM, model=arm(name).model, plans_name=name)


def evaluated(benchmark: Benchmark, name: str, **model: Any) -> None:
    """Predict and evaluate the trunks of the test cases."""
    folder = benchmark.work / "predictions" / name
    if not (folder / SUMMARY).exists():
        source = benchmark.work / "raw" / PHANTOM / "imagesTs"
        predict(source, folder, configurations=[DISTRICT], device="cpu", continue_prediction=True, **model)
        evaluate(PHANTOM, folder, lesions=masks(benchmark), num_processes=1)


def tables(summaries: Mapping[str, Summary]) -> str:
    """Both tables in Markdown: every prediction, and each one against the default arm, where it is finished."""
    first = next(iter(summaries.values()))
    groups = first["detection"]["curves"]["prediction"]["by_group"]
    numbers = ", ".join(f"{of['lesions']} {name.replace('_', ' ')}" for name, of in groups.items())
    header = [
        f"{len(first['cases'])} cases, {DISTRICT}; lesions: {numbers}",
        *("MAE [SUV]", "shown: SUVmean bias [%]", "hidden: SUVmean bias [%]"),
        *(f"shown: SUV ≥ {_HOT_SUV:g} [%]", f"hidden: SUV ≥ {_HOT_SUV:g} [%]"),
        *("hot spots outside lesions, per scan", "of these cold in the real PET"),
    ]
    rows = [_row(name, summary) for name, summary in summaries.items()]
    rows.append(["real PET", "–", "–", "–", *_shares(first, "real"), *_hot_spots(first, "real")])
    shown = [_markdown([header, *rows])]
    if _REFERENCE in summaries:
        shown.append(_markdown(_paired(summaries, [name for name in summaries if name != _REFERENCE])))
    return "\n\n".join(shown)


def _row(name: str, summary: Summary) -> list[str]:
    biases = [_mean(_values(summary, region, "suv_mean_bias"), ".1f") for region in (SHOWN, HIDDEN)]
    found = [*biases, *_shares(summary, "fake"), *_hot_spots(summary, "prediction")]
    return [name, _mean(_values(summary, DISTRICT, "mae"), ".3f"), *found]


def _shares(summary: Summary, role: str) -> list[str]:
    return [_share(summary, region.removeprefix("lesions_"), role) for region in (SHOWN, HIDDEN)]


def _hot_spots(summary: Summary, method: str) -> list[str]:
    curve = summary["detection"]["curves"][method]
    return [f"{curve[kind][_AT]:.2f}" for kind in ("false_positives", "false_hot_spots")]


def _paired(summaries: Mapping[str, Summary], names: Sequence[str]) -> list[list[str]]:
    """Each prediction minus that of the default arm; of a bias its size."""
    rows = [["compared", "in", "difference [95%]", "pairs", "p (t)", "p (Wilcoxon)"]]
    for other in names:
        for region, metric, digits in ((DISTRICT, "mae", ".3f"), (SHOWN, "suv_mean_bias", ".1f")):
            pair = [_values(summaries[name], region, metric) for name in (_REFERENCE, other)]
            test = paired_test(*([None if v is None else abs(v) for v in values] for values in pair))
            found = [f"{p:.4f}" if p is not None else "–" for p in (test.p_t, test.p_wilcoxon)]
            change = _interval(test.mean, test.ci95, f"+{digits}")
            rows.append([f"{other} − {_REFERENCE}", f"{region}, {metric}", change, str(test.pairs), *found])
    return rows


def _values(summary: Summary, region: str, metric: str) -> list[float | None]:
    return [regions.get(region, {}).get(metric) for regions in summary["cases"].values()]


def _mean(values: Sequence[float | None], digits: str) -> str:
    found = describe(values)
    return _interval(found["mean"], found["ci95"], digits)


def _interval(mean: float | None, ends: Sequence[float] | None, digits: str) -> str:
    if mean is None:
        return "–"
    return f"{mean:{digits}}" + ("" if ends is None else f" [{ends[0]:{digits}}, {ends[1]:{digits}}]")


def _share(summary: Summary, group: str, role: str) -> str:
    """The share of the lesions of a group with the SUV of a hot spot; its interval resamples the cases. ``role``:
    "real" or "fake" PET."""
    own = [[one[f"{role}_suv_max"] for one in case if one["group"] == group] for case in summary["lesions"].values()]
    hits = np.array([[sum(value >= _HOT_SUV for value in values), len(values)] for values in own if values]).T
    if not hits.size:
        return "–"
    share = 100 * hits[0].sum() / hits[1].sum()
    if hits.shape[1] < LEAST_CASES:
        return _interval(share, None, ".0f")
    found = bootstrap(
        hits,
        lambda hot, every, axis: 100 * hot.sum(axis=axis) / every.sum(axis=axis),
        paired=True,
        n_resamples=2000,
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    return _interval(share, found.confidence_interval, ".0f")


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])


if __name__ == "__main__":
    main()
