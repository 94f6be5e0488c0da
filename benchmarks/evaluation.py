"""Time and memory of the full evaluation of one whole-body pair of 400 x 400 x 326 voxels, four baselines included.

Run: python benchmarks/evaluation.py
Prints seconds (by the clock and of the processors), their ratio to scikit-image's SSIM of the same pair, and the peak
memory: of the whole process, and beyond what the images themselves take, in bytes a voxel.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time

import numpy as np

from ct2pet.evaluation import evaluate_case_and_baselines
from ct2pet.volume import Grid, Volume

GRID = Grid((326, 400, 400), (3.0, 2.0, 2.0))
DISTRICTS = {"head": 1, "trunk": 2, "arms": 3, "legs": 4}
NUM_ORGANS = 30


def scene() -> tuple[Volume, Volume, Volume, Volume, Volume]:
    """Fake and real PET, districts, lesions and organs: a body of noise that fills a quarter of the volume, hot spots,
    and 20 lesions."""
    rng = np.random.default_rng(0)
    z, y, x = np.ogrid[:326, :400, :400]
    body = (((y - 200) / 100) ** 2 + ((x - 200) / 130) ** 2 < 1) & (z >= 0)
    districts = (body * (4 - z // 82)).astype(np.uint8)
    organs = (body * (1 + (z // 22) + 15 * (x > 200))).astype(np.uint8)
    real = rng.gamma(16.0, 1 / 16, GRID.shape).astype(np.float32)
    real *= np.where(body, np.float32(1), np.float32(0.02))
    lesions = np.zeros(GRID.shape, np.uint8)
    for number, (k, j, i) in enumerate(rng.integers((10, 130, 110), (310, 260, 280), (60, 3))):
        real[k : k + 6, j : j + 8, i : i + 8] += np.float32(rng.uniform(3, 20))
        if number < 20:
            lesions[k : k + 6, j : j + 8, i : i + 8] = 1
    fake = np.where(body, real * np.float32(0.8) + np.float32(0.1), np.float32(0))
    return tuple(Volume(array, GRID) for array in (fake, real, districts, lesions, organs))  # type: ignore[return-value]


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


def evaluated() -> tuple[float, float, float, float]:
    """Seconds by the clock and of the processors, and peak memory (GiB) before and after."""
    fake, real, districts, lesions, organs = scene()
    before, clock, processors = peak_gib(), time.perf_counter(), time.process_time()
    evaluate_case_and_baselines(fake, real, districts, DISTRICTS, lesions, organs, body_median_suv=1.0)
    return time.perf_counter() - clock, time.process_time() - processors, before, peak_gib()


def peer() -> tuple[float, float]:
    """Seconds by the clock and of the processors of scikit-image's SSIM, with which ``ssim`` agrees."""
    from skimage.metrics import structural_similarity

    fake, real, *_ = scene()
    clock, processors = time.perf_counter(), time.process_time()
    structural_similarity(
        fake.array, real.array, data_range=20, gaussian_weights=True, use_sample_covariance=False, full=True
    )
    return time.perf_counter() - clock, time.process_time() - processors


def main() -> None:
    context = multiprocessing.get_context("spawn")  # a process each: the peak is of one alone
    with context.Pool(1, maxtasksperchild=1) as pool:
        seconds, processors, before, after = pool.apply(evaluated)
    with context.Pool(1) as pool:
        peer_seconds, peer_processors = pool.apply(peer)
    voxels = np.prod(GRID.shape)
    print(f"full evaluation with four baselines: {seconds:.1f} s by the clock, {processors:.1f} s of the processors")
    print(f"scikit-image's SSIM alone: {peer_seconds:.1f} s, {peer_processors:.1f} s")
    print(f"ratio: {seconds / peer_seconds:.2f} by the clock, {processors / peer_processors:.2f} of the processors")
    print(f"peak memory: {after:.2f} GiB, {after * 2**30 / voxels:.0f} bytes a voxel, inputs (12) included")
    print(f"(making the images took up to {before:.2f} GiB)")


if __name__ == "__main__":
    main()
