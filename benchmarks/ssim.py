"""SSIM, PSNR and MAE of a whole-body pair of PETs against scikit-image, torchmetrics and MONAI.

Run: python benchmarks/ssim.py [--size quick|full]
All with a Gaussian window of sigma 1.5 voxels and a range of 20 SUV. Extra memory is the peak beyond what it was with
both images read. SSIM is the mean over the volume without its outermost five voxels, which the others leave out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from _measure import Figures, benchmark, clocked, peak_mib, table

SUV_RANGE = 20.0
EDGE = 5
# torchmetrics takes 350 bytes a voxel: 18 GiB at the full size.
PEERS = {"full": ["scikit-image", "MONAI"], "quick": ["scikit-image", "MONAI", "torchmetrics"]}


def prepare(folder: Path, size: str) -> None:
    import numpy as np
    from _whole_body import make_case

    real = make_case(size)["pet"].array
    np.save(folder / "real.npy", real)
    noise = np.random.default_rng(1).normal(1.0, 0.1, real.shape).astype(np.float32)
    np.save(folder / "fake.npy", 0.9 * real * noise)


def _measured(folder: Path, function: Any) -> dict[str, float]:
    """``function`` of fake and real gives SSIM; MAE and PSNR are timed with it."""
    import numpy as np

    fake, real = (np.load(folder / f"{name}.npy") for name in ("fake", "real"))
    before = peak_mib()
    seconds, ssim = clocked(lambda: function(fake, real))
    return {**seconds, "extra_mib": peak_mib() - before, "ssim": float(ssim)}


def ct2pet(folder: Path, size: str) -> dict[str, float]:
    import numpy as np

    from ct2pet.evaluation.metrics import Sums, error_metrics
    from ct2pet.evaluation.similarity import one_blas_thread, ssim_map

    def measure(fake: np.ndarray, real: np.ndarray) -> float:
        with one_blas_thread():
            similarity = ssim_map(fake, real)
        error_metrics(Sums.together(Sums.of(*pair) for pair in zip(real, fake)))
        return float(similarity[(slice(EDGE, -EDGE),) * 3].mean(dtype=np.float64))

    return _measured(folder, measure)


def scikit_image(folder: Path, size: str) -> dict[str, float]:
    import numpy as np
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    def measure(fake: np.ndarray, real: np.ndarray) -> float:
        peak_signal_noise_ratio(real, fake, data_range=SUV_RANGE)
        np.abs(fake - real).mean()
        return structural_similarity(
            fake, real, data_range=SUV_RANGE, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )

    return _measured(folder, measure)


def monai(folder: Path, size: str) -> dict[str, float]:
    import torch
    from monai.metrics import MAEMetric, PSNRMetric, SSIMMetric

    def measure(fake: Any, real: Any) -> float:
        pair = [torch.from_numpy(image)[None, None] for image in (fake, real)]
        MAEMetric()(*pair)
        PSNRMetric(SUV_RANGE)(*pair)
        return float(SSIMMetric(3, data_range=SUV_RANGE, win_size=11, kernel_sigma=1.5)(*pair))

    return _measured(folder, measure)


def torchmetrics(folder: Path, size: str) -> dict[str, float]:
    import torch
    from lightning_utilities.core.imports import RequirementCache

    # torchmetrics loads torchvision where it is there, and needs none of it here; it may be built for another torch.
    available = RequirementCache.__bool__
    RequirementCache.__bool__ = lambda self: "torchvision" not in str(self.requirement) and available(self)
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
    from torchmetrics.functional.regression import mean_absolute_error

    def measure(fake: Any, real: Any) -> float:
        pair = [torch.from_numpy(image)[None, None] for image in (fake, real)]
        mean_absolute_error(*pair)
        peak_signal_noise_ratio(*pair, data_range=SUV_RANGE)
        return float(structural_similarity_index_measure(*pair, sigma=1.5, data_range=SUV_RANGE))

    return _measured(folder, measure)


def report(figures: dict[str, Figures], size: str) -> str:
    columns = {
        "inner": ("seconds,", ".2f"),
        "inner_cpu": ("CPU s,", ".2f"),
        "extra_mib": ("extra MiB,", ".0f"),
        "peak_mib": ("peak MiB of the process,", ".0f"),
        "ssim": ("SSIM", ".6f"),
    }
    return table(figures, columns, "SSIM, PSNR and MAE", "ct2pet")


ARMS = {"ct2pet": ct2pet, "scikit-image": scikit_image, "MONAI": monai, "torchmetrics": torchmetrics}

if __name__ == "__main__":
    benchmark(__file__, __doc__, ARMS, prepare, report, lambda size: ["ct2pet", *PEERS[size]])
