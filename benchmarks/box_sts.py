"""The built-in model on real PET/CT of 28 sarcoma patients: without training on them, and as a start of training.

    python benchmarks/box_sts.py STS_NIFTI_FOLDER WORK zero_shot [--model PATH]
    python benchmarks/box_sts.py STS_NIFTI_FOLDER WORK train box|scratch N|PILOT [--epochs 4] [--set KEY=NUMBER]
    python benchmarks/box_sts.py STS_NIFTI_FOLDER WORK compare [--epochs 4]
    python benchmarks/box_sts.py STS_NIFTI_FOLDER WORK table

The body of every patient is called legs. ``zero_shot`` compares the mean absolute error (MAE, SUV) in the body with
that of the median SUV of the other patients, and with a table from HU to SUV of the other patients (the median of each
bin), and prints the mean SUV in the tumours. ``train`` trains on N patients with the plans of the built-in model
(regression, as many steps from either start: networks and batches are the same, so times are equal); patients that are
not trained with are predicted: with N = 22 the six test patients of Dataset101_STS. ``pilot`` and ``pilot2`` to
``pilot6`` are for the choice of parameters (``--set``, of the plans): 5 patients train and 7 are predicted, the same 12
of the 22 in all, of which none is among the 10 of N = 10; ``pilot8_1`` to ``pilot8_3`` train with 8 of them and predict
4. ``compare`` prints the differences, with 95% intervals over patients (bootstrap); the untrained model is that of
``zero_shot``. ``table`` does everything for 5, 10 and 22 patients, 100 and 400 steps: from the built-in model with the
rates of its plans, from scratch with the rates that were chosen in the pilots.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from ct2pet.imageio import read_volume
from ct2pet.phantom import DISTRICTS
from ct2pet.resampling import resample
from ct2pet.sharing.box import BOX, box_file
from ct2pet.volume import Volume
from dataset_conversion import Dataset101_STS as sts

DATASET, PLANS, LEGS = "Dataset102_STSLegs", "box", "legs"
BINS_HU = (-2000, -600, -250, -130, -110, -90, -60, -20, 0, 20, 40, 60, 80, 120, 200, 400, 4000)
METHOD, ITERATIONS, SEED = "regression", 25, 20
SIZES = ("5", "10", "22")
PILOTS = ("pilot", *(f"pilot{number}" for number in range(2, 7)), *(f"pilot8_{number}" for number in range(1, 4)))
SCRATCH_RATES = {4: 1e-3, 16: 1e-3}  # learning rates by epochs: 1e-3 is the best in pilots of 4


def prepare(source: Path, work: Path) -> list[str]:
    """All patients as training cases of one dataset, their bodies with the label of the legs; their names."""
    from ct2pet.dataset import write_dataset_json
    from ct2pet.imageio import write_volume

    folder = work / "raw" / DATASET
    names = sorted(path.name for path in source.glob("STS_*") if path.is_dir())
    if not (folder / "dataset.json").exists():
        for name in names:
            sts.convert_patient(source / name, folder, "Tr")
            path = folder / "districtsTr" / f"{name}.nii.gz"
            body = read_volume(path, "label")
            write_volume(path, body.with_array((body.array > 0) * np.uint8(DISTRICTS[LEGS])))
        write_dataset_json(folder, name="STS", districts=DISTRICTS, num_training=len(names), **sts.CITATION)
    return names


def on_pet(work: Path, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """PET (SUV), CT at about the PET's resolution (HU), and body of a patient, on the PET's grid."""
    folder = work / "raw" / DATASET
    pet = read_volume(folder / "targetsTr" / f"{name}.nii.gz", "SUV")
    ct = read_volume(folder / "imagesTr" / f"{name}_0000.nii.gz", "HU")
    body = resample(read_volume(folder / "districtsTr" / f"{name}.nii.gz", "label"), pet.grid, labels=True)
    smooth = ct.with_array(gaussian_filter(ct.array.astype(np.float32), [2.5 / mm for mm in ct.grid.spacing]))
    return pet.array, resample(smooth, pet.grid).array, body.array > 0


def mae(work: Path, name: str, predicted: Volume) -> float:
    """The mean absolute error (SUV) in the body."""
    pet = read_volume(work / "raw" / DATASET / "targetsTr" / f"{name}.nii.gz", "SUV")
    _, _, body = on_pet(work, name)
    return float(np.abs(resample(predicted, pet.grid).array - pet.array)[body].mean())


def baselines(work: Path, names: list[str]) -> dict[str, dict[str, float]]:
    """The MAE (SUV) of each patient by the median, and by the table from HU to SUV, of all other patients."""
    seen = {name: [values[body] for values in (pet, ct)] for name in names for pet, ct, body in [on_pet(work, name)]}
    found: dict[str, dict[str, float]] = {"median": {}, "table": {}}
    for name in names:
        pet, hu = (np.concatenate([seen[other][k] for other in names if other != name]) for k in range(2))
        bins = np.digitize(hu, BINS_HU)
        middle = float(np.median(pet))
        table = np.array([np.median(pet[bins == k]) if (bins == k).any() else middle for k in range(len(BINS_HU) + 1)])
        own_pet, own_hu = seen[name]
        found["median"][name] = float(np.abs(own_pet - middle).mean())
        found["table"][name] = float(np.abs(own_pet - table[np.digitize(own_hu, BINS_HU)]).mean())
    return found


def compare(title: str, ours: dict[str, float], theirs: dict[str, float]) -> str:
    """By how much the mean of ``ours`` is below that of ``theirs`` over the same patients, with its interval."""
    names = sorted({*ours} & {*theirs})
    one, other = (np.array([values[name] for name in names]) for values in (ours, theirs))
    drawn = np.random.default_rng(SEED).integers(len(names), size=(10_000, len(names)))
    low, high = np.percentile(100 * (one[drawn].mean(1) / other[drawn].mean(1) - 1), [2.5, 97.5])
    change = 100 * (one.mean() / other.mean() - 1)
    return (
        f"{title}: {one.mean():.3f} against {other.mean():.3f} SUV, {change:+.1f}% [{low:+.1f}, {high:+.1f}], "
        f"lower in {(one < other).sum()} of {len(names)} patients"
    )


def zero_shot(work: Path, names: list[str], model: str = BOX) -> None:
    from ct2pet.api.prediction import predict

    raw, blind = work / "raw" / DATASET, baselines(work, names)
    print(compare("table from HU to SUV against the median", blind["table"], blind["median"]))
    for title, options in (("legs", {"districts": raw / "districtsTr"}), ("rules", {"segmenter": "rules"})):
        folder = work / "_".join(["zero_shot", *([] if model == BOX else [Path(model).stem]), title])
        predict(
            raw / "imagesTr",
            folder,
            model_paths=[model],
            device="cpu",
            like=raw / "targetsTr",
            continue_prediction=True,
            **options,
        )
        print(f"districts {title}, {uptake_in_tumours(work, folder)}")
        errors = errors_of(work, folder)
        for name, values in blind.items():
            print(compare(f"{model}, districts {title}, against the {name} of the other patients", errors, values))


def uptake_in_tumours(work: Path, folder: Path) -> str:
    """The mean SUV in each patient's tumour: median and mean over the patients, predicted and real."""
    raw, means = work / "raw" / DATASET, []
    for path in sorted(folder.glob("*.nii.gz")):
        pet = read_volume(raw / "targetsTr" / path.name, "SUV")
        tumour = resample(read_volume(raw / "lesionsTr" / path.name, "label"), pet.grid, labels=True).array > 0
        means.append([one.array[tumour].mean() for one in (resample(read_volume(path, "SUV"), pet.grid), pet)])
    (fake, real), (mean_fake, mean_real) = np.median(means, axis=0), np.mean(means, axis=0)
    return f"SUV in tumours: median {fake:.2f} (real {real:.2f}), mean {mean_fake:.2f} (real {mean_real:.2f})"


def train(work: Path, names: list[str], start: str, cases: str, epochs: int, numbers: dict[str, float]) -> None:
    from ct2pet.api.planning import plan_and_preprocess
    from ct2pet.api.training import train as train_network
    from ct2pet.planning.plans import Plans
    from ct2pet.training import TrainingOptions

    preprocessed, planned = work / "preprocessed" / DATASET, work / f"{PLANS}.json"
    if not planned.exists():
        plans = plan_and_preprocess(DATASET, plans_name=PLANS, configurations=[LEGS], device="cpu", num_processes=1)
        plans.save(planned)
    splits = [{"train": chosen, "val": predicted} for chosen, predicted in folds(names).values()]
    (preprocessed / "splits_final.json").write_text(json.dumps(splits))
    plans = Plans.load(planned)
    own = {name: number for name, number in numbers.items() if name != "seed"}
    models = {**plans.models, METHOD: {**plans.hyperparameters(METHOD), **own}}
    replace(plans, models=models).save(preprocessed / f"{PLANS}.json")
    use_folders(work, results(work, start, epochs, numbers))
    train_network(
        DATASET,
        METHOD,
        [*folds(names)].index(cases),
        configurations=[LEGS],
        plans_name=PLANS,
        device="cpu",
        num_epochs=epochs,
        iterations_per_epoch=ITERATIONS,
        num_workers=0,
        resume=True,
        seed=int(numbers.get("seed", TrainingOptions().seed)),
        pretrained_weights=Path("box") if start == "box" else None,
    )


def folds(names: list[str]) -> dict[str, tuple[list[str], list[str]]]:
    """The patients to train with and to predict: all but the six test patients, 5 and 10 of these, and two pilots."""
    most = [name for name in names if name not in sts.TEST_CASES]
    drawn = np.random.default_rng(SEED).permutation(most).tolist()
    trained = {"22": most, "5": sorted(drawn[:5]), "10": sorted(drawn[:10])}
    found = {cases: (chosen, [name for name in names if name not in chosen]) for cases, chosen in trained.items()}
    return {**found, **{name: (sorted(chosen), sorted(others)) for name, (chosen, others) in pilots(drawn).items()}}


def pilots(drawn: list[str]) -> dict[str, tuple[list[str], list[str]]]:
    """Divisions of the 12 patients that are in neither of the trainings with 5 and 10: 5 and 7 of them, or 8 and 4."""
    parts = [(drawn[10:15], drawn[15:]), (drawn[15:20], drawn[10:15] + drawn[20:])]
    random, twelve = np.random.default_rng(7), sorted(drawn[10:])
    orders = [random.permutation(twelve).tolist() for _ in range(5)]
    parts += [(order[:5], order[5:]) for order in orders[:4]]
    last = orders[4]
    parts += [(last[:first] + last[first + 4 :], last[first : first + 4]) for first in (0, 4, 8)]
    return dict(zip(PILOTS, parts, strict=True))


def use_folders(work: Path, trained: Path) -> None:
    folders = {"raw": work / "raw", "preprocessed": work / "preprocessed", "results": trained}
    os.environ.update({f"ct2pet_{kind}": str(folder) for kind, folder in folders.items()})


def results(work: Path, start: str, epochs: int, numbers: dict[str, float]) -> Path:
    return work / "_".join([f"results_{start}_{epochs}", *(f"{name}_{value:g}" for name, value in numbers.items())])


def table(work: Path, names: list[str]) -> None:
    """All trainings from the built-in model with its plans' numbers, and from scratch at its best rates."""
    zero_shot(work, names)
    print(f"built-in model: SHA-256 {hashlib.sha256(box_file().read_bytes()).hexdigest()[:8]}")
    for epochs, rate in SCRATCH_RATES.items():
        for cases in SIZES:
            train(work, names, "box", cases, epochs, {})
            train(work, names, "scratch", cases, epochs, {"learning_rate": rate})
        print(f"{epochs * ITERATIONS} steps, from scratch with a learning rate of {rate:g}")
        compare_starts(work, names, epochs, {}, {"learning_rate": rate})


def compare_starts(
    work: Path, names: list[str], epochs: int, numbers: dict[str, float], of_scratch: dict[str, float]
) -> None:
    blind = baselines(work, names)["median"]
    untrained = errors_of(work, work / "zero_shot_legs")
    pilot = {name for part in folds(names)[PILOTS[0]] for name in part}
    for fold, cases in enumerate(folds(names)):
        trained = Path(DATASET) / f"{METHOD}__{PLANS}__{LEGS}" / f"fold_{fold}" / "validation"
        used = {"box": numbers, "scratch": of_scratch}
        errors = {start: errors_of(work, results(work, start, epochs, used[start]) / trained) for start in used}
        for start, found in errors.items():
            if found:
                print(compare(f"{cases} patients, from {start}, against the median", found, blind))
                print(compare(f"{cases} patients, from {start}, against the untrained box", found, untrained))
        if all(errors.values()):
            title = f"{cases} patients, from the box against from scratch"
            print(compare(title, *errors.values()))
            without = [{name: error for name, error in found.items() if name not in pilot} for found in errors.values()]
            if any(without) and without[0] != errors["box"]:
                print(compare(f"{title}, without those of the pilot", *without))


def errors_of(work: Path, folder: Path) -> dict[str, float]:
    """The MAE (SUV) of each patient with a prediction in a folder."""
    paths = {path.name.removesuffix(".nii.gz"): path for path in sorted(folder.glob("STS_*.nii.gz"))}
    return {name: mae(work, name, read_volume(path, "SUV")) for name, path in paths.items()}


def setting(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    return name, float(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder with STS_xxx/{CT_image,PET_image,PET_mask}.nii.gz")
    parser.add_argument("work", type=Path, help="a folder for everything that is made")
    parser.add_argument("what", choices=("zero_shot", "train", "compare", "table"))
    parser.add_argument("start", nargs="?", choices=("box", "scratch"))
    parser.add_argument("cases", nargs="?", choices=(*SIZES, *PILOTS))
    parser.add_argument("--model", default=BOX, help="of zero_shot: a folder or archive (legs alone: no rules)")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument(
        "--set", nargs="+", type=setting, default=[], help="numbers of the method in the plans, or the seed"
    )
    arguments = parser.parse_args()
    use_folders(arguments.work, arguments.work / "results")
    names = prepare(arguments.source, arguments.work)
    if arguments.what == "zero_shot":
        zero_shot(arguments.work, names, arguments.model)
    elif arguments.what == "train":
        train(arguments.work, names, arguments.start, arguments.cases, arguments.epochs, dict(arguments.set))
    elif arguments.what == "table":
        table(arguments.work, names)
    else:
        numbers = dict(arguments.set)
        compare_starts(arguments.work, names, arguments.epochs, numbers, numbers)


if __name__ == "__main__":
    main()
