"""A folder of synthetic images, from whatever generator, as the sampler of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ct2pet.errors import Ct2PetError, ImageError
from ct2pet.imageio import image_suffixes, read_volume
from ct2pet.study.slices import KINDS, UNITS, SliceOptions, Slices, lesion_slices
from ct2pet.volume import Volume

_ROUNDING_MM = 1e-3


@dataclass(frozen=True)
class ImageFolder:
    """A Sampler: draws from given synthetic ``slices``, each at most once."""

    slices: Slices

    def sample(self, label: int, number: int, seed: int) -> np.ndarray:
        """float32 (number, C, Y, X) of the class ``label``, in SUV or HU. Raises Ct2PetError where there are fewer."""
        own = np.flatnonzero(self.slices.labels == label)
        if number > len(own):
            raise Ct2PetError(
                f"there are {len(own)} synthetic images of the class {self.slices.classes[label]}, {number} are "
                "needed; make more, or lower --ratios or --patients"
            )
        return self.slices.images[np.random.default_rng([seed, label]).permutation(own)[:number]]

    def limited(self, labels: np.ndarray) -> np.ndarray:
        """``labels`` without those beyond the number of images of their class."""
        kept = [np.flatnonzero(labels == one)[: int((self.slices.labels == one).sum())] for one in np.unique(labels)]
        return labels[np.sort(np.concatenate(kept))]


def read_image_folder(
    folder: Path, targets: Mapping[str, str], classes: Sequence[str], options: SliceOptions
) -> ImageFolder:
    """The synthetic images of ``folder``, which has a folder for each class with one volume for each image.

    ``targets``: the name of the target of each kind. Files are called NAME_TARGET, as ct2pet_synthesize does; of a
    single kind all images are taken where no file has such a name. PETs are in SUV, CTs in HU. The middle axial slice
    is resampled like the real slices of a study. Raises Ct2PetError or ImageError, naming the file or folder, where
    something is missing or an image is smaller than a slice.
    """
    channels = tuple(kind for kind in KINDS if kind in targets)
    images, labels = [], []
    for label, name in enumerate(classes):
        own = folder / name
        if not own.is_dir():
            raise Ct2PetError(f"{own}: no such folder; synthetic images are in a folder for each class ({name})")
        for files in _files(own, {kind: targets[kind] for kind in channels}):
            images.append(_slice(files, options))
            labels.append(label)
    slices = np.stack(images)
    return ImageFolder(
        Slices(slices, np.array(labels, np.int64), np.full(len(slices), "synthetic"), channels, tuple(classes))
    )


def _files(folder: Path, targets: Mapping[str, str]) -> list[dict[str, Path]]:
    """The files of each image by kind, sorted by name."""
    endings = image_suffixes()
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name.endswith(endings))
    first = next(iter(targets.values()))
    marked = [(name, end) for name in names for end in endings if name.endswith(f"_{first}{end}")]
    if not marked and len(targets) == 1:
        kind = next(iter(targets))
        found = [{kind: folder / name} for name in names]
    else:
        found = [
            {kind: folder / f"{name.removesuffix(f'_{first}{end}')}_{target}{end}" for kind, target in targets.items()}
            for name, end in marked
        ]
    if not found:
        raise Ct2PetError(f"{folder}: no images (*_{first}.nii.gz)")
    return found


def _slice(files: Mapping[str, Path], options: SliceOptions) -> np.ndarray:
    """float32 (C, Y, X) in SUV or HU."""
    volumes = {kind: _read(path, kind, options.size_mm) for kind, path in files.items()}
    return lesion_slices(volumes, None, SliceOptions(options.size_mm, options.pixels, 1))[0]


def _read(path: Path, kind: str, size_mm: float) -> Volume:
    if not path.is_file():
        raise ImageError(f"{path}: no such file; each synthetic image needs one of each kind (see --kinds)")
    volume = read_volume(path, UNITS[kind])
    grid = volume.to_canonical().grid
    extent = min(n * mm for n, mm in zip(grid.shape[1:], grid.spacing[1:]))
    if extent < size_mm - _ROUNDING_MM:
        raise ImageError(f"{path}: {extent:g} mm wide, slices have {size_mm:g} mm; see --size_mm")
    return volume
