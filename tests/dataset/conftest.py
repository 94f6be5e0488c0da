"""A small raw dataset that is right in every point, for the tests to break."""

import numpy as np
import pytest

from ct2pet.dataset import RawDataset, write_dataset_json
from ct2pet.imageio import write_volume
from ct2pet.volume import Grid, Volume

CT_GRID = Grid((10, 12, 12), (3.0, 4.0, 4.0), (-24.0, -24.0, 0.0))
PET_GRID = Grid((6, 8, 8), (5.0, 6.0, 6.0), (-24.0, -24.0, 0.0))


def _write_case(folder, case, split, seed, file_ending):
    generator = np.random.default_rng(seed)
    ct = np.full(CT_GRID.shape, -1000, np.int16)
    ct[:, 3:9, 3:9] = generator.integers(-100, 100, (10, 6, 6))
    pet = np.zeros(PET_GRID.shape, np.float32)
    pet[:, 2:6, 2:6] = generator.uniform(0.2, 5, (6, 4, 4))
    districts = np.zeros(CT_GRID.shape, np.uint8)
    districts[:5, 3:9, 3:9], districts[5:, 3:9, 3:9] = 1, 2
    write_volume(folder / f"images{split}" / f"{case}_0000{file_ending}", Volume(ct, CT_GRID))
    write_volume(folder / f"targets{split}" / f"{case}{file_ending}", Volume(pet, PET_GRID))
    write_volume(folder / f"districts{split}" / f"{case}{file_ending}", Volume(districts, CT_GRID))
    write_volume(folder / f"lesions{split}" / f"{case}{file_ending}", Volume(pet > 4, PET_GRID))


@pytest.fixture
def make_dataset(tmp_path):
    """make_dataset(train, test, file_ending, name) -> RawDataset in tmp_path/raw."""

    def make(train=("a", "b", "c"), test=("t",), file_ending=".nii.gz", name="Dataset007_Small"):
        folder = tmp_path / "raw" / name
        for seed, (case, split) in enumerate([*((c, "Tr") for c in train), *((c, "Ts") for c in test)]):
            _write_case(folder, case, split, seed, file_ending)
        districts = {"head": 1, "trunk": 2}
        write_dataset_json(folder, name="Small", districts=districts, num_training=len(train), file_ending=file_ending)
        return RawDataset(folder)

    return make
