"""Error maps: prediction - real PET of each case, as images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ct2pet.errors import DatasetError
from ct2pet.evaluation.references import References
from ct2pet.evaluation.regions import Scene
from ct2pet.imageio import write_volume
from ct2pet.layout import PREDICTION, SUMMARY
from ct2pet.volume import Volume


def check_error_maps(folder: Path, predictions: Path, references: References, output: Path | None) -> None:
    """Error maps need a predicted PET, and have the file names of images and of predictions. Raises DatasetError where
    none is predicted, or where they would overwrite others; a folder with the ``output`` of this evaluation may have
    the error maps of an earlier one."""
    if not references.has_pet:
        raise DatasetError(f"{folder}: no PET is predicted; run without --error_maps")
    inputs = [file for case in references.cases.values() for file in vars(case).values() if isinstance(file, Path)]
    if folder.resolve() in {predictions.resolve(), *(file.parent.resolve() for file in inputs)}:
        raise DatasetError(f"{folder}: error maps would overwrite these images; choose another folder")
    own = None if output is None else output.resolve()
    for path in (folder / PREDICTION, folder / SUMMARY):
        if path.is_file() and path.resolve() != own:
            raise DatasetError(
                f"{folder}: has a {path.name}; error maps would overwrite these predictions; choose another folder"
            )


def write_error_map(path: Path, fake: np.ndarray, scene: Scene, real_pet: Volume) -> None:
    """Write the error (SUV) of the prediction ``fake`` on the scene's grid as an image on the real PET's own grid, 0
    outside the body."""
    error = np.where(scene.labels > 0, fake - scene.real.array, np.float32(0))
    write_volume(path, scene.real.with_array(error).reorient_like(real_pet.grid))
