"""The known fields by which ``benchmarks/regc2p.py`` moves PETs."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from ct2pet.imageio import read_volume, write_volume
from ct2pet.networks import warp
from ct2pet.volume import Grid, Volume

GRID = Grid((40, 50, 60), (4.0, 4.0, 4.0), (-120.0, -100.0, -80.0))


@pytest.fixture
def known_fields(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("known_fields")


@pytest.mark.parametrize("in_plane", [True, False])
@pytest.mark.parametrize("millimetres", [4.0, 8.0])
def test_a_field_is_a_shift_and_waves_of_half_its_length(known_fields, millimetres, in_plane):
    field = known_fields.Field(0, millimetres, in_plane)
    assert np.linalg.norm(field.shift) == pytest.approx(millimetres)
    far = Grid((150, 150, 150), (20.0, 20.0, 20.0), (-1500.0, -1500.0, -1500.0))
    waves = field.at(far) - field.shift[:, None, None, None]
    assert np.sqrt((waves**2).sum(0).mean()) == pytest.approx(millimetres / 2, rel=0.05)


def test_fields_come_in_opposite_pairs_of_their_own(known_fields):
    first, second, third = (known_fields.Field(number, 8.0).at(GRID) for number in range(3))
    np.testing.assert_array_equal(first, -second)
    assert np.abs(first - third).max() > 2


def test_in_the_plane_nothing_moves_along_the_body(known_fields):
    field = known_fields.Field(0, 8.0).at(GRID)
    assert not field[0].any()
    assert np.linalg.norm(known_fields.Field(0, 8.0).shift) == pytest.approx(8.0)
    assert np.abs(known_fields.Field(0, 8.0, in_plane=False).at(GRID)[0]).max() > 1


def test_no_millimetres_move_nothing(known_fields):
    assert not known_fields.Field(3, 0).at(GRID).any()


def test_the_moved_pet_is_what_a_warp_by_the_field_makes(known_fields, tmp_path):
    """In the sense in which a registration finds it."""
    z, y, x = np.indices(GRID.shape)
    array = (3 + np.sin(0.2 * x) + np.sin(0.25 * y) + np.sin(0.3 * z)).astype(np.float32)
    (tmp_path / "targetsTr").mkdir()
    path = tmp_path / "targetsTr" / "case.nii.gz"
    write_volume(path, Volume(array, GRID))
    field = known_fields.Field(5, 8.0, in_plane=False)
    for _ in range(2):  # the second time it lies askew already
        known_fields._make_askew(path, field)
    moved = read_volume(path).array
    expected = warp(torch.from_numpy(array)[None, None], torch.from_numpy(field.at(GRID) / 4)[None].float())[0, 0]
    inner = (slice(6, -6),) * 3
    np.testing.assert_allclose(moved[inner], expected[inner], atol=0.03)
    assert np.abs(moved - array)[inner].max() > 0.3
