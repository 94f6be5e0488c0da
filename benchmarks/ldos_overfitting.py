"""The denoising of training patients against that of others by an arm of benchmarks/ldos.py.

Run: python benchmarks/ldos_overfitting.py WORK [ARM] [--patches 60]
Prints the mean absolute error (SUV) in random patches of the training and of the validation patients, and that of the
Gaussian that is best on the validation patients (14 mm FWHM) in the same patches.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from ldos import ARMS

from ct2pet.checkpoint import load_checkpoint
from ct2pet.dataset.fields import MASK
from ct2pet.files import read_json
from ct2pet.layout import CHECKPOINT_FINAL, model_folder
from ct2pet.models import build_method
from ct2pet.models.ldos import LDOS
from ct2pet.networks import gaussian_smooth
from ct2pet.planning.plans import WHOLE_BODY, Plans
from ct2pet.preprocessing import DistrictStore
from ct2pet.preprocessing.normalization import from_input, unit_scale
from ct2pet.training.data_loader import BatchPlan, PatchLoader

GAUSSIAN_MM, SEED = 14.0, 77


@torch.inference_mode()
def errors(model: LDOS, loader: PatchLoader, num_patches: int) -> tuple[float, float]:
    """The mean absolute error (SUV) over the voxels of the patches: of the model, and of the Gaussian."""
    window = model.planned.normalization[model.image.name]
    sigmas = [GAUSSIAN_MM / 2.3548 / mm for mm in model.planned.spacing]
    totals, voxels = torch.zeros(2), 0
    for number in range(num_patches):
        batch = loader.batch(number).tensors
        low, real, inside = batch[model.input.name], batch[model.image.name], batch[MASK]
        images = model.predict(batch)[model.image.name], gaussian_smooth(from_input(low, window), sigmas)
        totals += torch.stack([(image - real).abs()[inside].sum() for image in images])
        voxels += int(inside.sum())
    return tuple((unit_scale(window) * totals / voxels).tolist())  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("arm", nargs="?", default="ldos", choices=[a for a in ARMS if ARMS[a].model == "ldos"])
    parser.add_argument("--patches", type=int, default=60, metavar="N")
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset = ARMS[options.arm].dataset
    folder, name = options.work / "preprocessed" / dataset, f"plans.{options.arm}"
    plans = Plans.load(folder / f"{name}.json")
    model = build_method("ldos", plans, WHOLE_BODY, name)
    trained = model_folder(options.work / "results", dataset, "ldos", name, WHOLE_BODY)
    model.load_state_dict(load_checkpoint(trained / "fold_0" / CHECKPOINT_FINAL)["model"])
    model.eval()
    store = DistrictStore(folder / f"{name}_{WHOLE_BODY}")
    for part, cases in read_json(folder / "splits_final.json")[0].items():
        loader = PatchLoader(store, cases, model.planned, model.fields, BatchPlan(1, SEED))
        own, gaussian = errors(model, loader, options.patches)
        print(f"{part}: MAE {own:.4f} SUV, Gaussian {gaussian:.4f} SUV, ratio {own / gaussian:.3f}")


if __name__ == "__main__":
    main()
