"""Datasets whose training PETs are displaced from their CTs by known fields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy.ndimage import map_coordinates

from ct2pet.api.planning import plan_and_preprocess
from ct2pet.dataset import open_dataset
from ct2pet.imageio import read_volume, write_volume
from ct2pet.phantom import DEMO, write_dataset
from ct2pet.volume import Grid
from dataset_conversion.Dataset101_STS import convert

# Voxels of 4 mm, because displacements of 8 mm have little effect at the demo's 6.5 mm.
SCANNER = replace(
    DEMO,
    name="head",
    ct_spacing=(4.0,) * 3,
    pet_spacing=(4.0,) * 3,
    pet_matrix=(98, 142),
    psf_mm=4.5,
    filter_mm=4.0,
    counts=2000.0,
)


class Field:
    """A known displacement (mm; Z, Y, X) everywhere: the PET at p shows the tissue at p + displacement(p). That of an
    odd number is the opposite of the one before it. ``in_plane``: nothing moves along Z."""

    def __init__(self, number: int, millimetres: float, in_plane: bool = True) -> None:
        random = np.random.default_rng([8, number // 2])
        millimetres *= 1 - 2 * (number % 2)
        axes = np.array([not in_plane, True, True])
        self.shift = random.normal(size=3) * axes
        self.shift *= millimetres / np.linalg.norm(self.shift)
        directions = random.normal(size=(6, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        self.waves = 2 * np.pi * directions / random.uniform(200, 400, (6, 1))
        self.phases = random.uniform(0, 2 * np.pi, 6)
        amplitudes = random.normal(size=(6, 3)) * axes
        self.amplitudes = amplitudes * millimetres / 2 / np.sqrt((amplitudes**2).sum() / 2)

    def at(self, grid: Grid) -> np.ndarray:
        """(3, Z, Y, X) on a grid that is not turned."""
        axes = [np.arange(n) * s + o for n, s, o in zip(grid.shape, grid.spacing, grid.origin[::-1])]
        points = np.meshgrid(*axes, indexing="ij", sparse=True)
        field = np.zeros((3, *grid.shape)) + self.shift[:, None, None, None]
        for wave, phase, amplitude in zip(self.waves, self.phases, self.amplitudes):
            angle = sum(w * p for w, p in zip(wave, points)) + phase
            field += amplitude[:, None, None, None] * np.cos(angle)
        return field


@dataclass(frozen=True)
class Patients(ABC):
    """A dataset before its PETs are moved, and the configuration that is trained."""

    number: ClassVar[int]
    name: ClassVar[str]
    configuration: str
    in_plane: bool

    @abstractmethod
    def write(self, folder: Path) -> None:
        """The raw dataset; ``folder`` lies in $ct2pet_raw."""

    def dataset(self, millimetres: int) -> str:
        directions = "" if self.in_plane else "All"
        return f"Dataset{self.number + 10 * (not self.in_plane) + millimetres}_{self.name}{directions}{millimetres}"

    def field(self, number: int, millimetres: float) -> Field:
        return Field(number, millimetres, self.in_plane)

    def prepare(self, work: Path, millimetres: int) -> str:
        """The name of the dataset whose training PETs are displaced by ``millimetres``, planned and preprocessed."""
        name = self.dataset(millimetres)
        folder = work / "raw" / name
        if not (folder / "dataset.json").exists():
            self.write(folder)
        marker = work / "preprocessed" / name / "ready"
        if not marker.exists():
            if millimetres:
                for number, case in enumerate(open_dataset(name).cases("Tr")):
                    _make_askew(folder / "targetsTr" / f"{case}.nii.gz", self.field(number, millimetres))
            plan_and_preprocess(name, device="cpu", gpu_memory_target=4, num_processes=1)
            marker.touch()
        return name


class Phantoms(Patients):
    """Heads, because patients move them between CT and PET, and because they are small enough for many steps."""

    number, name = 110, "Askew"

    def write(self, folder: Path) -> None:
        write_dataset(folder, num_train=40, num_test=6, seed=7, scanner=SCANNER, num_processes=1)


@dataclass(frozen=True)
class Sarcomas(Patients):
    """The soft-tissue sarcoma patients of ``source``; their PETs are already displaced by some millimetres."""

    number, name = 130, "AskewSTS"
    source: Path

    def write(self, folder: Path) -> None:
        convert(self.source).folder.rename(folder)


def _make_askew(path: Path, field: Field) -> None:
    done = path.parent.with_name("askew") / path.name
    if done.exists():
        return
    pet = read_volume(path)
    oriented = pet.to_canonical()
    steps = np.array(oriented.grid.spacing)[:, None, None, None]
    places = np.indices(oriented.grid.shape) + field.at(oriented.grid) / steps
    moved = np.maximum(map_coordinates(oriented.array, places, order=3, mode="nearest"), 0).astype(np.float32)
    write_volume(path, oriented.with_array(moved).reorient_like(pet.grid))
    done.parent.mkdir(exist_ok=True)
    done.touch()
