"""Reading and writing .nii.gz: a CT (int16) and a PET (float32), against nibabel and SimpleITK.

Run: python benchmarks/compressed_files.py [--size quick|full]
Each with its default level of compression; the sizes of the files are in the table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from _measure import Figures, benchmark, clocked, peak_mib, table

IMAGES = ("ct", "pet")


def prepare(folder: Path, size: str) -> None:
    from _whole_body import make_case

    from ct2pet.imageio import write_volume

    case = make_case(size)
    for name in IMAGES:
        write_volume(folder / f"{name}.nii.gz", case[name])


def _measured(folder: Path, read: Any, write: Any) -> dict[str, float]:
    told: dict[str, float] = {}
    before = peak_mib()
    for name in IMAGES:
        path, copy = folder / f"{name}.nii.gz", folder / f"copy_{name}.nii.gz"
        seconds, image = clocked(lambda path=path: read(path))
        told |= {f"read_{name}": seconds["inner"], f"read_{name}_cpu": seconds["inner_cpu"]}
        seconds, _ = clocked(lambda image=image, copy=copy: write(image, copy))
        told |= {f"write_{name}": seconds["inner"], f"write_{name}_cpu": seconds["inner_cpu"]}
        told[f"{name}_mb"] = copy.stat().st_size / 1e6
    return {**told, "extra_mib": peak_mib() - before}


def ct2pet(folder: Path, size: str) -> dict[str, float]:
    from ct2pet.imageio import image_suffixes, read_volume, write_volume

    image_suffixes()  # loads the readers
    return _measured(folder, read_volume, lambda volume, path: write_volume(path, volume))


def nibabel(folder: Path, size: str) -> dict[str, float]:
    import nibabel as nib
    import numpy as np

    def read(path: Path) -> Any:
        image = nib.load(path)
        return nib.Nifti1Image(np.asarray(image.dataobj), image.affine)

    return _measured(folder, read, nib.save)


def simpleitk(folder: Path, size: str) -> dict[str, float]:
    import SimpleITK as sitk

    return _measured(
        folder, lambda path: sitk.ReadImage(str(path)), lambda image, path: sitk.WriteImage(image, str(path))
    )


def report(figures: dict[str, Figures], size: str) -> str:
    columns: dict[str, tuple[str, str]] = {}
    for name in IMAGES:
        for what in ("read", "write"):
            columns[f"{what}_{name}_cpu"] = (f"{what} {name.upper()}, CPU s,", ".2f")
        columns[f"{name}_mb"] = (f"{name.upper()}, MB", ".0f")
    columns["extra_mib"] = ("extra MiB,", ".0f")
    return table(figures, columns, "one thread", "ct2pet")


ARMS = {"ct2pet": ct2pet, "nibabel": nibabel, "SimpleITK": simpleitk}

if __name__ == "__main__":
    benchmark(__file__, __doc__, ARMS, prepare, report)
