"""Rigid moves that are known, and how far a registration is from undoing them."""

import numpy as np
from scipy.spatial.transform import Rotation

from ct2pet.volume import Box, Grid, Volume


def common_corners(ct, pet):
    (low, high), (other_low, other_high) = ct.grid.bounds, pet.grid.bounds
    low, high = np.maximum(low, other_low), np.minimum(high, other_high)
    return np.array([(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])


def within(volume, low, high):
    """The part of an axial volume whose voxels' centres lie between two points (x, y, z, mm)."""
    origin, spacing = np.array(volume.grid.origin)[::-1], np.array(volume.grid.spacing)
    start = np.maximum(np.ceil((np.array(low)[::-1] - origin) / spacing), 0).astype(int)
    stop = np.minimum(np.floor((np.array(high)[::-1] - origin) / spacing) + 1, volume.grid.shape).astype(int)
    return volume.crop(Box(tuple(start.tolist()), tuple(stop.tolist())))


def displacement(degrees, shift, centre):
    """4x4: turn by ``degrees`` about x, y and z through ``centre``, then ``shift`` (mm)."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = centre + np.array(shift) - matrix[:3, :3] @ centre
    return matrix


def displaced(pet, ct, degrees, shift):
    """The PET moved about the centre of what both images show, and the matrix."""
    matrix = displacement(degrees, shift, common_corners(ct, pet).mean(axis=0))
    return Volume(pet.array, Grid.from_affine(pet.grid.shape, matrix @ pet.grid.affine), pet.unit), matrix


def residual(ct, pet, matrix):
    """How far (mm) the corner of the common region that moves most lies from where it belongs."""
    corners = common_corners(ct, pet)
    return float(np.linalg.norm(corners @ matrix[:3, :3].T + matrix[:3, 3] - corners, axis=1).max())
