"""The augmentation study on real images: slices with and without a lesion of the soft-tissue sarcoma patients.

    python benchmarks/medscangan_sts.py FOLDER WORK [--seeds N]

FOLDER contains STS_xxx/{CT_image,PET_image,PET_mask}.nii.gz (see Dataset101_STS). Every second patient gives the slices
through the tumour, the others slices of the body as far from the tumour as the images reach. This is not a study of a
disease; it tests the study on real scans. 16 patients train, the others test; prints the AUC of SUVmax without any
training, and the table of the study without a generator.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

from ct2pet.imageio import read_volume
from ct2pet.resampling import resample
from ct2pet.study.classification import ClassifierOptions
from ct2pet.study.results import text_table
from ct2pet.study.slices import SliceOptions, Slices, lesion_slices
from ct2pet.study.statistics import auc
from ct2pet.study.study import StudyData, StudyOptions, run_study
from ct2pet.volume import Volume

CLASSES = ("no_lesion", "lesion")
OPTIONS = SliceOptions(size_mm=64.0, pixels=32, per_case=3)
_TRAIN, _MUSCLE_HU, _MARK = 16, -200.0, 2


def slices_of(folder: Path, label: int) -> np.ndarray:
    """float32 (3, 2, 32, 32): PET and CT through the tumour (label 1), or far from it (0)."""
    pet, ct = read_volume(folder / "PET_image.nii.gz", "SUV"), read_volume(folder / "CT_image.nii.gz", "HU")
    lesion = read_volume(folder / "PET_mask.nii.gz", "label")
    if label == 0:
        lesion = far_from(lesion, resample(ct, lesion.grid, outside=-1024.0))
    return lesion_slices({"pet": pet, "ct": ct}, lesion, OPTIONS)


def far_from(lesion: Volume, ct: Volume) -> Volume:
    """A mark of a few voxels inside the body, as far from the lesion as possible."""
    away = distance_transform_edt(lesion.array == 0, sampling=lesion.grid.spacing)
    inside = distance_transform_edt(ct.array > _MUSCLE_HU, sampling=lesion.grid.spacing)
    score = np.where(inside >= 10.0, away, -1.0)  # 10 mm of soft tissue around it
    z, y, x = np.unravel_index(int(score.argmax()), score.shape)
    mark = np.zeros(lesion.array.shape, np.uint8)
    mark[max(0, z - 1) : z + _MARK, max(0, y - 1) : y + _MARK, max(0, x - 1) : x + _MARK] = 1
    return lesion.with_array(mark)


def all_slices(folder: Path) -> Slices:
    patients = sorted(path.name for path in folder.iterdir() if (path / "PET_mask.nii.gz").is_file())
    images = [slices_of(folder / patient, index % 2) for index, patient in enumerate(patients)]
    labels = np.repeat(np.arange(len(patients)) % 2, OPTIONS.per_case).astype(np.int64)
    names = np.repeat([f"P{index:02d}" for index in range(len(patients))], OPTIONS.per_case)
    return Slices(np.concatenate(images), labels, names, ("pet", "ct"), CLASSES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--seeds", type=int, default=3)
    parsed = parser.parse_args()
    everything = all_slices(parsed.folder)
    labels = np.array(list(everything.patient_labels().values()))
    hottest = everything.images[:, 0].max(axis=(1, 2)).reshape(-1, OPTIONS.per_case).max(axis=1)
    print(f"{(labels == 1).sum()} + {(labels == 0).sum()} patients; AUC of SUVmax {auc(labels, hottest):.3f}")
    names = sorted(everything.patient_labels())
    data = StudyData(everything.of_patients(names[:_TRAIN]), everything.of_patients(names[_TRAIN:]))
    options = StudyOptions(
        classifiers=("small_cnn",),
        arms=("classical", "pca_gaussian", "random_labels"),
        seeds=parsed.seeds,
        few_patients=True,
        training=ClassifierOptions(steps=100),
    )
    print(text_table(run_study(data, options, parsed.work)))


if __name__ == "__main__":
    main()
