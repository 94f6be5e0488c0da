"""Raw datasets made by hand: small cases whose numbers are known."""

import numpy as np

from ct2pet.dataset import RawDataset, write_dataset_json
from ct2pet.imageio import write_volume
from ct2pet.volume import Grid, Volume

CT_GRID = Grid((20, 30, 28), (3.0, 2.0, 2.0), (-28.0, -30.0, -100.0))
PET_GRID = Grid((15, 15, 14), (4.0, 4.0, 4.0), (-27.0, -29.0, -99.5))


def smooth(grid, seed, low, high):
    """A smooth field over physical space (so that it looks the same on every grid), between low and high."""
    random = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    points = np.stack([x, y, z, np.ones_like(x)], axis=-1) @ grid.affine.T
    phases = random.uniform(0, 6, 3)
    waves = sum(np.sin(points[..., axis] / 15 + phases[axis]) for axis in range(3)) / 3
    return (low + (high - low) * (waves + 1) / 2).astype(np.float32)


def case_volumes(seed=0):
    """CT, PET, district map (1 in the lower half, 2 above) and lesions; the districts fill a box in the middle."""
    districts = np.zeros(CT_GRID.shape, np.uint8)
    districts[3:10, 6:24, 5:23], districts[10:17, 6:24, 5:23] = 1, 2
    lesions = np.zeros(PET_GRID.shape, np.uint8)
    lesions[4:6, 6:9, 6:8] = 1
    return {
        "ct": Volume(smooth(CT_GRID, seed, -300, 300), CT_GRID, "HU"),
        "pet": Volume(smooth(PET_GRID, seed + 100, 0, 6), PET_GRID, "SUV"),
        "district_map": Volume(districts, CT_GRID, "label"),
        "lesions": Volume(lesions, PET_GRID, "label"),
    }


_FOLDERS = {"ct": "images", "pet": "targets", "district_map": "districts", "lesions": "lesions"}


def write_case(folder, case, volumes):
    for role, volume in volumes.items():
        channel = "_0000" if role == "ct" else ""
        write_volume(folder / f"{_FOLDERS[role]}Tr" / f"{case}{channel}.nii", volume)


def write_raw(root, cases):
    """{case: volumes} as a raw dataset with the districts low (1) and high (2)."""
    folder = root / "Dataset901_Hand"
    for case, volumes in cases.items():
        write_case(folder, case, volumes)
    write_dataset_json(
        folder, name="Hand", districts={"low": 1, "high": 2}, num_training=len(cases), file_ending=".nii"
    )
    return RawDataset(folder)


def permuted(volume):
    """The same voxels stored in another order: axes permuted, two of them flipped."""
    affine = volume.grid.affine
    array = volume.array.transpose(1, 2, 0)[::-1, :, ::-1]  # Y, X, Z from Z, Y, X
    columns = [affine[:3, 2], affine[:3, 0], affine[:3, 1]]  # of the new X, Y, Z index axes: old Z, X, Y
    lengths = [volume.grid.shape[0], volume.grid.shape[2], volume.grid.shape[1]]
    origin, flipped = affine[:3, 3].copy(), [True, False, True]
    for index, flip in enumerate(flipped):
        if flip:
            origin = origin + columns[index] * (lengths[index] - 1)
            columns[index] = -columns[index]
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = np.stack(columns, axis=1), origin
    return Volume(np.ascontiguousarray(array), Grid.from_affine(array.shape, matrix), volume.unit)
