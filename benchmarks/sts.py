"""All stages on real PET/CT: 28 soft-tissue sarcoma patients, 22 to train, 6 to test.

Run: python benchmarks/sts.py STS_NIFTI_FOLDER WORK_FOLDER
Trains the five folds of Pix2Pix with the default plans, each for a fraction of the plans' length, predicts the test
patients with their mean and prints the minutes of training, the table of ct2pet_evaluate, and how far the mean
absolute error (SUV) inside the body is below that of the body median.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from ct2pet.api.evaluation import evaluate
from ct2pet.api.planning import plan_and_preprocess
from ct2pet.api.prediction import predict
from ct2pet.api.training import train
from ct2pet.evaluation import table
from ct2pet.training import TrainingOptions
from dataset_conversion.Dataset101_STS import convert

DATASET = "Dataset101_STS"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder with STS_xxx/{CT_image,PET_image,PET_mask}.nii.gz")
    parser.add_argument("work", type=Path, help="an empty folder for everything that is made")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--iterations", type=int, default=25)
    arguments = parser.parse_args()
    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"ct2pet_{kind}"] = str(arguments.work / kind)

    convert(arguments.source)
    plan_and_preprocess(DATASET)
    options = TrainingOptions(
        num_epochs=arguments.epochs, iterations_per_epoch=arguments.iterations, final_validation=False
    )
    started = time.monotonic()
    for fold in range(arguments.folds):
        train(DATASET, "pix2pix", fold, configurations=["limbs"], options=options)
    minutes = (time.monotonic() - started) / 60
    predictions = arguments.work / "predictions"
    predict(arguments.work / "raw" / DATASET / "imagesTs", predictions, configurations=["limbs"])
    summary = evaluate(DATASET, predictions, output=arguments.work / "summary.json")

    print(table(summary))
    mae = summary["mean"]["whole_body"]["mae"]["mean"]
    median = summary["baselines"]["body_median"]["whole_body"]["mae"]
    bias = summary["mean"]["lesions"]["suv_mean_bias"]["mean"]
    print(f"\ntraining took {minutes:.1f} min")
    lower = 100 * (1 - mae / median)
    print(f"MAE in the body {mae:.3f} SUV against {median:.3f} SUV of the body median: {lower:.1f}% lower")
    print(f"lesion SUVmean bias {bias:+.1f}%")


if __name__ == "__main__":
    main()
