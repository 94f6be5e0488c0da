import numpy as np
import pytest
from PIL import Image
from raw_cases import permuted

from ct2pet.dataset.fields import ct_to_pet
from ct2pet.districts.pictures import CORONAL
from ct2pet.imageio import write_volume
from ct2pet.inference.input_files import Case
from ct2pet.inference.pictures import _figure, write_overlay, write_pictures
from ct2pet.volume import Grid, Volume

FIELDS = ct_to_pet()
SPOT = (45, 20, 35)  # a hot voxel: above the middle, at the left of the patient


def case(spacing=(3.0, 2.0, 2.0)):
    """A block of water in air, and a PET of 1 SUV in it with a spot of 20 SUV."""
    grid = Grid((60, 40, 50), spacing)
    ct = np.full(grid.shape, -1000.0, np.float32)
    inner = tuple(slice(n // 4, n - n // 4) for n in grid.shape)
    ct[inner] = 40
    pet = np.where(ct > -500, np.float32(1), np.float32(0))
    z, y, x = SPOT
    pet[z - 2 : z + 3, y - 2 : y + 3, x - 2 : x + 3] = 20
    return Volume(ct, grid, "HU"), Volume(pet, grid, "SUV")


def drawn(path, ct, pet):
    write_overlay(path, ct, FIELDS["CT"], pet)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def coronal_slice(picture):
    """The second of the four panels, without its title and the colour bar: two of 50 voxels width, two of 40."""
    width = picture.shape[1] / (2 + 2 * 40 / 50)
    return picture[33 : int(0.88 * len(picture)), int(1.04 * width) : int(1.96 * width)]


def test_the_hottest_place_is_where_it_is_in_space(tmp_path):
    """Up is the head, and at the right is the patient's left."""
    panel = coronal_slice(drawn(tmp_path / "a.png", *case()))
    rows, columns = np.argwhere(panel.min(axis=-1) > 190).T
    assert len(rows) > 100
    assert columns.mean() / panel.shape[1] == pytest.approx((SPOT[2] + 0.5) / 50, abs=0.04)
    assert 1 - rows.mean() / panel.shape[0] == pytest.approx((SPOT[0] + 0.5) / 60, abs=0.04)


def test_a_stored_orientation_and_another_grid_of_the_pet_change_nothing_that_is_seen(tmp_path):
    ct, pet = case()
    one = drawn(tmp_path / "a.png", ct, pet)
    other = drawn(tmp_path / "b.png", permuted(ct), permuted(pet))
    assert np.abs(one - other).max() <= 1
    padded = Grid((64, 44, 54), pet.grid.spacing, tuple(o - 2 * s for o, s in zip(pet.grid.origin, (2.0, 2.0, 3.0))))
    wider = Volume(np.pad(pet.array, 2), padded, "SUV")
    assert np.abs(one - drawn(tmp_path / "c.png", ct, wider)).max() <= 1


def test_a_pet_without_uptake_leaves_the_ct(tmp_path):
    ct, pet = case()
    panel = coronal_slice(drawn(tmp_path / "a.png", ct, pet.with_array(np.zeros_like(pet.array))))
    assert np.ptp(panel[40:], axis=-1).max() == 0  # grey
    middle = panel[len(panel) // 2, panel.shape[1] // 2]
    assert middle == pytest.approx([127.5] * 3, abs=2)  # 40 HU is the middle of the window


def test_projections_and_slices_have_a_colour_bar_with_their_unit_and_the_window_of_the_ct():
    panels = {"Coronal, projected": (CORONAL, np.zeros((6, 5, 3)))}
    bars = [axes for axes in _figure(panels, (3.0, 2.0, 2.0), 7.5, "CT, -160 to 240 HU").axes if axes.get_xlabel()]
    assert [bar.get_xlabel() for bar in bars] == [
        "synthetic PET [SUV] in the projections",
        "synthetic PET [SUV] in the slices, over CT, -160 to 240 HU",
    ]
    assert [bar.get_xlim() for bar in bars] == [(0, 7.5)] * 2


def test_every_predicted_case_without_a_picture_gets_one(tmp_path):
    ct, pet = case()
    cases = []
    for name in ("a", "b", "missing"):
        write_volume(tmp_path / "in" / f"{name}.nii.gz", ct)
        outputs = {"PET": tmp_path / "out" / f"{name}.nii.gz"}
        cases.append(Case(name, {"CT": tmp_path / "in" / f"{name}.nii.gz"}, outputs))
    for one in cases[:2]:
        write_volume(one.output, pet)
    cases[0].picture.write_bytes(b"there")
    write_pictures(cases, FIELDS)
    assert cases[0].picture.read_bytes() == b"there"
    assert cases[1].picture.stat().st_size > 1000
    assert not cases[2].picture.exists()
