"""ct2pet's Pix2Pix beside nnU-Net turned to regression and MONAI's U-Net with PatchGAN, on the same phantoms.

Run: python benchmarks/rivals.py WORK [--arms pix2pix regression nnunet monai] [--seconds 300] [--train 100] [--test 24]
Needs benchmarks/requirements.txt. Every arm trains on all training phantoms for the same processor time on one core (of
ct2pet shared by its districts); the same other phantoms are predicted and evaluated by ct2pet_evaluate. nnU-Net and
MONAI see CTs on the grid of the PETs, the whole body at once. What is finished stays in WORK and is not done again.

Prints steps and errors of every arm, and the comparison of ct2pet_compare with the first arm: paired tests, one family.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from comparison import PHANTOM, TRAINING, Benchmark, shares, train_network, write_plans
from lesions import make_phantoms
from variants import DEFAULT

from ct2pet.api.comparison import compare_results
from ct2pet.api.evaluation import evaluate
from ct2pet.api.prediction import predict
from ct2pet.api.preprocessing import preprocess
from ct2pet.dataset import RawDataset
from ct2pet.evaluation.comparing import text
from ct2pet.evaluation.names import mean_text
from ct2pet.evaluation.summary_file import read_summary
from ct2pet.files import read_json, write_json
from ct2pet.imageio import read_volume, write_volume
from ct2pet.layout import SUMMARY
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.resampling import AIR_HU, resample
from ct2pet.volume import Volume

_OWN = {"pix2pix": "default", "regression": "regression"}  # the arm of variants.py of each method of ct2pet
_SHOWN = ((WHOLE_BODY, "mae"), (WHOLE_BODY, "psnr"), (WHOLE_BODY, "ssim"), ("lesions", "suv_mean_bias"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="a folder for everything that is made")
    parser.add_argument("--arms", nargs="*", choices=[*_OWN, *_RIVALS], default=["pix2pix", *_RIVALS])
    parser.add_argument("--seconds", type=float, default=300, help="processor time of each arm's training")
    parser.add_argument("--train", type=int, default=100, help="phantoms to train on")
    parser.add_argument("--test", type=int, default=24, help="phantoms to predict")
    parser.add_argument("--nnunet_memory", type=float, default=2.0, help="GiB for which nnU-Net plans its patches")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    benchmark = Benchmark(work, work / "results", PHANTOM, arguments.seconds, ("all",), None)
    benchmark.use_folders()
    dataset = make_phantoms(benchmark, arguments.train, arguments.test)
    for name in arguments.arms:
        folder = benchmark.folder(name)
        if not (folder / SUMMARY).exists():
            if name in _OWN:
                run_own(benchmark, name)
            else:
                _RIVALS[name](benchmark, dataset, folder, arguments.nnunet_memory)
            evaluate(PHANTOM, folder, num_processes=1)
    finished = [benchmark.folder(name) for name in arguments.arms]
    print(table({folder.name: folder for folder in finished}))
    if len(finished) > 1:
        print(f"\n{text(compare_results(finished, ['mae']))}")


def run_own(benchmark: Benchmark, name: str) -> None:
    """Train a network of ct2pet for each district, and predict."""
    arm, folder = _OWN[name], benchmark.folder(name)
    if not (folder / TRAINING).exists():
        configurations = PreprocessedDataset.find(PHANTOM).plans(DEFAULT).configurations
        districts = {key: one for key, one in configurations.items() if key != WHOLE_BODY}
        preprocess(PHANTOM, plans_name=DEFAULT, configurations=[*districts], num_processes=1)
        write_plans(benchmark, arm)
        trained = [
            train_network(benchmark, arm, district, "all", seconds)
            for district, seconds in shares(benchmark.seconds, districts).items()
        ]
        write_json(folder / TRAINING, trained)
    source = benchmark.work / "raw" / PHANTOM / "imagesTs"
    predict(source, folder, dataset=PHANTOM, model=name, plans_name=arm, device="cpu", continue_prediction=True)


def run_nnunet(benchmark: Benchmark, dataset: RawDataset, folder: Path, memory_gib: float) -> None:
    import _rival_nnunet as rival

    own = benchmark.work / "nnunet"
    rival.use_folders(own)
    if not (folder / TRAINING).exists():
        cases = dataset.cases("Tr")
        for case in cases:
            ct, pet = on_one_grid(dataset, case, "Tr")
            districts = read_volume(dataset.file("districts", case, "Tr"))
            rival.write_case(own, case, ct, pet, resample(districts, pet.grid, labels=True).array > 0)
        rival.prepare(own, len(cases), memory_gib)
        _trained(benchmark, folder, rival.train(own, benchmark.seconds))
    predict_all(dataset, folder, rival.Predictor(own), own)


def run_monai(benchmark: Benchmark, dataset: RawDataset, folder: Path, memory_gib: float) -> None:
    import _rival_monai as rival

    own = benchmark.work / "monai"
    own.mkdir(exist_ok=True)
    if not (folder / TRAINING).exists():
        pairs = [on_one_grid(dataset, case, "Tr") for case in dataset.cases("Tr")]
        _trained(benchmark, folder, rival.train(own, pairs, benchmark.seconds))
    predict_all(dataset, folder, rival.Predictor(own), own)


_RIVALS: dict[str, Callable[..., None]] = {"nnunet": run_nnunet, "monai": run_monai}


def _trained(benchmark: Benchmark, folder: Path, steps: int) -> None:
    write_json(folder / TRAINING, [{"steps": steps, "seconds": benchmark.seconds}])


def on_one_grid(dataset: RawDataset, case: str, split: str) -> tuple[Volume, Volume]:
    """The CT on the grid of the PET, and the PET."""
    ct, pet = (read_volume(dataset.file(name, case, split)) for name in ("CT", "PET"))
    return resample(ct.with_array(ct.array.astype(np.float32)), pet.grid, outside=AIR_HU), pet


def predict_all(dataset: RawDataset, folder: Path, predictor: Callable[[Volume, Path], np.ndarray], own: Path) -> None:
    """Predict the test cases on the grid of their PETs, not below 0."""
    for case in dataset.cases("Ts"):
        path = folder / f"{case}.nii.gz"
        if not path.exists():
            ct, pet = on_one_grid(dataset, case, "Ts")
            write_volume(path, pet.with_array(np.maximum(predictor(ct, own / "ct.nii.gz"), 0)))


def table(folders: Mapping[str, Path]) -> str:
    """Steps, and mean ± standard error of the errors, in Markdown."""
    rows = [["arm", "steps", *(f"{region} {metric}" for region, metric in _SHOWN)]]
    rows.append(["---"] * len(rows[0]))
    for name, folder in folders.items():
        mean, steps = read_summary(folder / SUMMARY)["mean"], sum(one["steps"] for one in read_json(folder / TRAINING))
        rows.append([name, str(steps), *(mean_text(metric, mean[region][metric]) for region, metric in _SHOWN)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
