"""Preprocessing of one whole-body case, the whole process, against nnU-Net's preprocessor.

Run: python benchmarks/preprocess.py [--size quick|full]
ct2pet reads CT, PET and district map, resamples the CT to the PET's grid, crops, normalises and stores each of four
districts. nnU-Net has no images on two grids: it gets the CT with the map as segmentation, and the PET as a separate
case, whose spacing is not changed. Without start-up: from the end of nnU-Net's imports; those of ct2pet are included.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from _measure import Figures, Stopwatch, benchmark, table, verdict

DISTRICTS = ["head", "trunk", "arms", "legs"]


def prepare(folder: Path, size: str) -> None:
    from _whole_body import NAME, write_case

    from ct2pet.api.planning import extract_fingerprint, plan

    _folders(folder)
    write_case(folder, size)
    extract_fingerprint(NAME, num_processes=1)
    plan(NAME, device="cpu", gpu_memory_target=4.0)


def _folders(folder: Path) -> None:
    os.environ.update({f"ct2pet_{kind}": str(folder / kind) for kind in ("raw", "preprocessed", "results")})


def ct2pet(folder: Path, size: str, configurations: tuple[str, ...] = tuple(DISTRICTS)) -> dict[str, float]:
    from ct2pet.cli.preprocess import main

    _folders(folder)
    for store in (folder / "preprocessed").glob("*/ct2petPlans_*"):
        shutil.rmtree(store)
    chosen = ["-c", *configurations] if configurations else []
    watch = Stopwatch()
    assert main(["-d", "777", "-np", "1", *chosen]) == 0
    return watch.seconds()


def with_whole_body(folder: Path, size: str) -> dict[str, float]:
    return ct2pet(folder, size, ())


def nnunet(folder: Path, size: str, *, torch: bool = False) -> dict[str, float]:
    import _nnunet
    from _whole_body import CASE, NAME, grids

    _nnunet.quietly()
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    raw, target = folder / "raw" / NAME, folder / "nnunet"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    spacing = grids(size)[1].spacing
    watch = Stopwatch()
    for image, seg, scheme in (
        (raw / "imagesTr" / f"{CASE}_0000.nii.gz", str(raw / "districtsTr" / f"{CASE}.nii.gz"), "CTNormalization"),
        (raw / "targetsTr" / f"{CASE}.nii.gz", None, "ZScoreNormalization"),
    ):
        plans = PlansManager(_nnunet.plans(spacing, (96, 96, 96), scheme, torch=torch))
        DefaultPreprocessor(verbose=False).run_case_save(
            str(target / scheme),
            [str(image)],
            seg,
            plans,
            plans.get_configuration("3d_fullres"),
            _nnunet.dataset_json(_nnunet.LABELS),
        )
    return watch.seconds()


def nnunet_torch(folder: Path, size: str) -> dict[str, float]:
    return nnunet(folder, size, torch=True)


def equality(folder: Path, size: str) -> dict[str, float]:
    """Largest differences (HU) of the trunk from SimpleITK's trilinear result for the whole CT: of what is computed,
    and of what is stored, in float16."""
    import numpy as np
    import SimpleITK as sitk
    from _whole_body import CASE, NAME

    from ct2pet.imageio import read_volume
    from ct2pet.planning.plans import Plans
    from ct2pet.preprocessing import DistrictStore, plan_grid, prepare_case
    from ct2pet.preprocessing.normalization import denormalize

    raw = folder / "raw" / NAME
    images = [
        raw / "imagesTr" / f"{CASE}_0000.nii.gz",
        *(raw / kind / f"{CASE}.nii.gz" for kind in ("targetsTr", "districtsTr")),
    ]
    ct, pet, districts = map(read_volume, images)
    plans = Plans.load(folder / "preprocessed" / NAME / "ct2petPlans.json")
    trunk = plans.configuration("trunk")
    grid = plan_grid(pet.grid, trunk.spacing)
    itk = sitk.Cast(sitk.ReadImage(str(images[0])), sitk.sitkFloat32)
    reference = sitk.Image(grid.shape[::-1], sitk.sitkFloat32)
    reference.SetSpacing(grid.spacing[::-1])
    reference.SetOrigin(grid.origin)
    expected = sitk.GetArrayFromImage(sitk.Resample(itk, reference, sitk.Transform(), sitk.sitkLinear, -1024.0))
    window = trunk.normalization["CT"]
    expected = expected.clip(window.lower, window.upper)
    district = prepare_case({"CT": ct, "PET": pet}, districts, trunk, plans.all_fields)
    assert district is not None
    corner = np.linalg.inv(grid.affine) @ np.array([*district.grid.origin, 1.0])
    start = np.rint(corner[2::-1]).astype(int)
    own = expected[tuple(slice(a, a + n) for a, n in zip(start, district.grid.shape))][district.mask]
    stored = DistrictStore(folder / "preprocessed" / NAME / "ct2petPlans_trunk").open(CASE)
    read = stored.read_all()["CT"].astype(np.float64)[district.mask]
    computed = district.images["CT"].astype(np.float64)[district.mask]
    back = [denormalize(values, window) for values in (computed, read)]
    return {"computed": float(abs(back[0] - own).max()), "stored": float(abs(back[1] - own).max())}


def report(figures: dict[str, Figures], size: str) -> str:
    check = figures.pop("equality")
    columns = {
        "seconds": ("seconds,", ".1f"),
        "cpu_seconds": ("CPU seconds,", ".1f"),
        "inner": ("without start-up, s,", ".1f"),
        "inner_cpu": ("CPU s,", ".1f"),
        "peak_mib": ("peak MiB,", ".0f"),
    }
    own, default = "ct2pet, four districts", "nnU-Net, default"
    times = ("seconds", "cpu_seconds", "inner", "inner_cpu")
    verdicts = [
        verdict("Times faster than nnU-Net's default", figures, times, 8, default, own),
        verdict("Times faster than its torch resampling", figures, times, 2, "nnU-Net, torch resampling", own),
        verdict("Times less memory than nnU-Net's default", figures, ["peak_mib"], 3, default, own),
    ]
    return (
        f"{table(figures, columns, 'whole process', own)}\n\n"
        f"Largest difference from SimpleITK's trilinear CT in the trunk: {check.of('computed'):.1e} HU computed, "
        f"{check.of('stored'):.2f} HU stored (float16).\n\n" + "\n".join(verdicts)
    )


ARMS = {
    "ct2pet, four districts": ct2pet,
    "ct2pet, with whole_body": with_whole_body,
    "nnU-Net, default": nnunet,
    "nnU-Net, torch resampling": nnunet_torch,
    "equality": equality,
}

if __name__ == "__main__":
    benchmark(__file__, __doc__, ARMS, prepare, report)
