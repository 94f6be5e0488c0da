from pathlib import Path

import numpy as np
import pytest

from ct2pet.dataset import open_dataset, verify_dataset
from ct2pet.dataset.splits import create_splits
from ct2pet.districts import make_segmenter
from ct2pet.errors import CasesFailed
from ct2pet.imageio import read_volume, write_volume
from ct2pet.volume import Grid, Volume
from dataset_conversion import Dataset101_STS as sts

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "sts" / "nifti"
real_data = pytest.mark.skipif(not REAL.is_dir(), reason="the sarcoma images (../shared/data/sts) are not here")

# the array runs to the front and to the right, as in files from a scanner: not canonical
FLIPPED = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
CT_GRID = Grid((12, 40, 40), (3.0, 2.0, 2.0), (40.0, 40.0, 0.0), FLIPPED)
PET_GRID = Grid((11, 16, 20), (3.0, 5.0, 4.0), (38.5, 38.5, 0.0), FLIPPED)  # one slice less than the CT


def write_patient(folder, seed):
    """A block of fat, 56 x 40 mm wide, over all slices; the CT reaches one slice beyond the PET."""
    generator = np.random.default_rng(seed)
    ct = np.full(CT_GRID.shape, -1000, np.float32)
    ct[:, 10:30, 6:34] = generator.integers(-110, -90, (12, 20, 28))
    pet = generator.uniform(0.1, 1, PET_GRID.shape).astype(np.float32)
    mask = np.zeros(PET_GRID.shape, np.uint8)
    mask[3:6, 6:9, 8:12] = 1
    for name, array, grid in (("CT_image", ct, CT_GRID), ("PET_image", pet, PET_GRID), ("PET_mask", mask, PET_GRID)):
        write_volume(folder / f"{name}.nii.gz", Volume(array, grid))


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Two training patients and one of the test list."""
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    for seed, case in enumerate(("STS_001", "STS_002", "STS_003")):
        write_patient(tmp_path / "nifti" / case, seed)
    (tmp_path / "nifti" / "notes.txt").touch()
    return tmp_path / "nifti"


def test_patients_become_a_dataset_without_problems(source, capsys):
    assert sts.main(["-i", str(source)]) == 0
    assert "2 training and 1 test cases" in capsys.readouterr().out
    dataset = open_dataset("101")
    assert verify_dataset(dataset) == []
    assert dataset.cases("Tr") == ["STS_001", "STS_002"]
    assert dataset.cases("Ts") == ["STS_003"]
    assert dataset.districts == {"limbs": 1}
    assert dataset.table["STS_003"]["split"] == "Ts"
    assert dataset.diagnoses()["STS_001"] == "soft-tissue sarcoma"


def test_values_and_grids_stay_and_the_district_is_the_body_that_the_pet_shows(source):
    dataset = sts.convert(source)
    ct = read_volume(dataset.file("CT", "STS_001"))
    original = read_volume(source / "STS_001" / "CT_image.nii.gz")
    assert ct.array.dtype == np.int16
    np.testing.assert_array_equal(ct.array, original.array)
    assert ct.grid.matches(original.grid)
    pet = read_volume(dataset.file("PET", "STS_001"))
    np.testing.assert_array_equal(pet.array, read_volume(source / "STS_001" / "PET_image.nii.gz").array)
    assert pet.grid.matches(PET_GRID)
    np.testing.assert_array_equal(
        read_volume(dataset.file("lesions", "STS_001")).array, read_volume(source / "STS_001" / "PET_mask.nii.gz").array
    )
    districts = read_volume(dataset.file("districts", "STS_001"))
    body = (original.array > -500).astype(np.uint8)
    body[11] = 0  # beyond the PET
    np.testing.assert_array_equal(districts.array, Volume(body, CT_GRID).to_canonical().array)
    assert districts.grid.matches(CT_GRID.to_canonical())


def test_the_map_of_a_new_ct_is_that_of_the_training(source):
    dataset = sts.convert(source)
    name = dataset.description.segmenter
    path = dataset.file("CT", "STS_001")
    found = make_segmenter(name).segment("STS_001", read_volume(path).to_canonical(), dataset.districts).district_map
    stored = read_volume(dataset.file("districts", "STS_001")).array
    beyond_the_pet = found.array.astype(bool) & ~stored.astype(bool)
    assert not (stored.astype(bool) & ~found.array.astype(bool)).any()
    assert {*np.flatnonzero(beyond_the_pet.any(axis=(1, 2)))} == {11}


def test_a_ct_with_fractions_keeps_them(source):
    path = source / "STS_002" / "CT_image.nii.gz"
    volume = read_volume(path)
    write_volume(path, volume.with_array(volume.array + np.float32(0.5)))
    converted = read_volume(sts.convert(source).file("CT", "STS_002"))
    np.testing.assert_array_equal(converted.array, volume.array + np.float32(0.5))


@pytest.mark.parametrize("again", [False, True])
def test_a_patient_who_cannot_be_converted_is_named_and_the_others_are_a_dataset(source, capsys, again):
    """Also where an earlier run had converted all of them."""
    if again:
        sts.convert(source)
    (source / "STS_002" / "PET_mask.nii.gz").unlink()
    assert sts.main(["-i", str(source)]) == 1
    captured = capsys.readouterr()
    assert "1 case(s) could not be converted:\nSTS_002: " in captured.err
    assert "PET_mask.nii.gz: no such file" in captured.err
    assert "1 training and 1 test cases" in captured.out
    dataset = open_dataset("101")
    assert dataset.cases("Tr") == ["STS_001"]
    assert [*dataset.table] == ["STS_001", "STS_003"]
    assert verify_dataset(dataset) == []
    assert not list(dataset.folder.rglob("*STS_002*"))


def test_an_image_that_is_truncated_leaves_nothing_of_its_patient(source):
    path = source / "STS_001" / "CT_image.nii.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CasesFailed) as caught:
        sts.convert(source)
    assert [*caught.value.failures] == ["STS_001"]
    dataset = open_dataset("101")
    assert dataset.cases("Tr") == ["STS_002"]
    assert not list(dataset.folder.rglob("*STS_001*"))


def test_a_source_without_convertible_patients_writes_no_dataset(source, capsys):
    for path in source.glob("*/CT_image.nii.gz"):
        path.unlink()
    assert sts.main(["-i", str(source)]) == 2
    assert "3 case(s) could not be converted" in capsys.readouterr().err
    assert not (source.parent / "raw" / sts.NAME / "dataset.json").exists()


def test_a_folder_without_patients_is_refused(tmp_path, capsys):
    assert sts.main(["-i", str(tmp_path)]) == 2
    assert "no folders STS_xxx" in capsys.readouterr().err


def test_the_test_list_is_every_fifth_patient():
    first = [1, 2, 3, 5, 6, 10, 12, 14, 15, 18, 22, 23, 24, 25]
    numbers = [*first, 26, 29, 31, 32, 34, 35, 36, 40, 41, 42, 43, 47, 48, 51]
    assert len(numbers) == 28
    assert tuple(f"STS_{number:03}" for number in numbers[2::5]) == sts.TEST_CASES


@real_data
def test_real_patients_among_them_one_whose_ct_and_pet_differ_by_a_slice(tmp_path, monkeypatch):
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    for case in ("STS_025", "STS_035", "STS_041"):
        (tmp_path / "nifti").mkdir(exist_ok=True)
        (tmp_path / "nifti" / case).symlink_to(REAL / case, target_is_directory=True)
    dataset = sts.convert(tmp_path / "nifti")
    assert verify_dataset(dataset) == []
    for case, split in (("STS_025", "Tr"), ("STS_035", "Tr"), ("STS_041", "Ts")):
        pet = read_volume(dataset.file("PET", case, split))
        districts = read_volume(dataset.file("districts", case, split))
        inside = np.argwhere(districts.array)[[0, -1]]
        top = [(districts.grid.affine @ [*index[::-1], 1.0])[2] for index in inside]
        low, high = pet.grid.bounds
        assert low[2] <= min(top)
        assert max(top) <= high[2]
        assert 0.2 < districts.array.mean() < 0.95
    # a piece of the table at the lower edge of this CT's upper slices is no body
    assert not read_volume(dataset.file("districts", "STS_025")).to_canonical().array[45, -15:].any()


@real_data
def test_the_real_list_has_28_patients():
    cases = sorted(folder.name for folder in REAL.glob("STS_*"))
    assert len(cases) == 28
    training = [case for case in cases if case not in sts.TEST_CASES]
    assert len(training) == 22
    assert len(create_splits(training, {}, {})) == 5
