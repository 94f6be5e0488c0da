"""The converted DICOM of two sarcoma patients against the published NIfTI files of the same images.

Prints for each patient the largest difference of CT (HU) and PET (SUV), of any corner of both grids (mm), and of the
lesion mask (voxels that differ, and the Dice coefficient).
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from ct2pet.conversion import convert_dicom
from ct2pet.conversion.patient_map import read_map
from ct2pet.imageio import read_volume

DATA = Path(__file__).parents[1] / ".." / "shared" / "data" / "sts"


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    with tempfile.TemporaryDirectory() as name:
        os.environ.update(ct2pet_raw=name)
        map_file = Path(name, "map.csv")
        conversion = convert_dicom(data / "dicom", 1, "STS", patient_map=map_file)
        for row in read_map(map_file):
            compare(conversion.dataset, row.case, data / "nifti" / row.patient_id)


def compare(dataset: Path, case: str, nifti: Path) -> None:
    pairs = {
        "CT (HU)": (dataset / "imagesTr" / f"{case}_0000.nii.gz", "CT_image.nii.gz"),
        "PET (SUV)": (dataset / "targetsTr" / f"{case}.nii.gz", "PET_image.nii.gz"),
        "lesion": (dataset / "lesionsTr" / f"{case}.nii.gz", "PET_mask.nii.gz"),
    }
    for what, (path, name) in pairs.items():
        ours, theirs = read_volume(path).to_canonical(), read_volume(nifti / name).to_canonical()
        place = np.abs(ours.grid.corners - theirs.grid.corners).max()
        if what == "lesion":
            a, b = ours.array > 0, theirs.array > 0
            values = f"{np.count_nonzero(a ^ b)} of {np.count_nonzero(b)} voxels differ, "
            values += f"Dice {2 * np.count_nonzero(a & b) / (a.sum() + b.sum()):.4f}"
        else:
            values = f"largest difference {np.abs(ours.array - theirs.array).max():.2g}"
        print(f"{nifti.name} {what}: {values}; corners differ by {place:.1e} mm")


if __name__ == "__main__":
    main()
