import json
import shutil

import numpy as np
import pytest
from known_moves import displaced, residual, within

from ct2pet.cli import register
from ct2pet.dataset import RawDataset, verify_dataset
from ct2pet.dataset.alignment import align_case, align_dataset
from ct2pet.errors import DatasetError
from ct2pet.imageio import read_grid, read_volume, write_volume
from ct2pet.phantom import COARSE, write_dataset


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "Dataset077_Phantom"
    write_dataset(folder, num_train=1, num_test=1, seed=3, scanner=COARSE)
    for path in folder.rglob("*.nii.gz"):
        volume = read_volume(path).to_canonical()
        write_volume(path, within(volume, (-190, -150, 950), (190, 190, 1330)))  # the trunk: registered in a second
    return folder


@pytest.fixture
def dataset(phantoms, tmp_path, monkeypatch):
    """A training pair that fits, and a test pair whose PET and lesions lie elsewhere."""
    folder = tmp_path / "raw" / phantoms.name
    shutil.copytree(phantoms, folder)
    monkeypatch.setenv("ct2pet_raw", str(folder.parent))
    dataset = RawDataset(folder)
    (case,) = dataset.cases("Ts")
    ct = read_volume(dataset.file("CT", case, "Ts"))
    for path in (dataset.file("PET", case, "Ts"), dataset.file("lesions", case, "Ts")):
        write_volume(path, displaced(read_volume(path), ct, (0, 0, 3), (9, -12, 5))[0])
    return dataset


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_only_a_misaligned_pair_is_moved(dataset, phantoms, capsys):
    (fits,), (apart,) = dataset.cases("Tr"), dataset.cases("Ts")
    before = content(dataset.folder)
    assert register.main(["-d", "077", "-np", "1"]) == 0
    printed = capsys.readouterr().out
    assert f"{apart}: moved: by " in printed
    assert "1 aligned, 1 moved" in printed
    after = content(dataset.folder)
    changed = {str(path) for path in before if after[path] != before[path]}
    assert changed == {f"targetsTs/{apart}.nii.gz", f"lesionsTs/{apart}.nii.gz"}
    true, now = (RawDataset(folder) for folder in (phantoms, dataset.folder))
    ct = read_volume(true.file("CT", apart, "Ts"))
    for kind in ("PET", "lesions"):
        old, new = (read_volume(which.path(kind, apart, "Ts")) for which in (true, now))
        np.testing.assert_array_equal(new.array, old.array)
        assert residual(ct, old, new.grid.affine @ np.linalg.inv(old.grid.affine)) < 0.5 * min(old.grid.spacing)
    records = {path.stem: json.loads(path.read_text()) for path in (dataset.folder / "registration").iterdir()}
    assert {case: record["outcome"] for case, record in records.items()} == {fits: "aligned", apart: "moved"}
    assert records[apart]["gain"] > 0.02
    assert verify_dataset(now) == []


def test_again_nothing_changes_and_an_interrupted_run_is_finished(dataset):
    (case,) = dataset.cases("Ts")
    before = dataset.file("PET", case, "Ts").read_bytes()
    align_dataset(dataset)
    whole = content(dataset.folder)
    assert align_dataset(dataset).values[case].outcome == "moved"
    assert align_dataset(dataset, [case]).values[case].outcome == "moved"
    assert content(dataset.folder) == whole
    dataset.file("PET", case, "Ts").write_bytes(before)  # as if it had stopped before the last file
    align_dataset(dataset)
    assert content(dataset.folder) == whole


def test_a_pet_that_was_converted_again_is_registered_again(dataset):
    (case,) = dataset.cases("Ts")
    align_dataset(dataset)
    path, ct = dataset.file("PET", case, "Ts"), read_volume(dataset.file("CT", case, "Ts"))
    write_volume(path, displaced(read_volume(path), ct, (0, 0, 0), (0, 14, 0))[0])
    away = read_grid(path)
    align_dataset(dataset)
    moved = read_grid(path).corners - away.corners
    np.testing.assert_allclose(moved.mean(axis=0), (0, -14, 0), atol=3)


def test_unknown_cases_and_damaged_images_are_named(dataset, capsys):
    with pytest.raises(DatasetError, match="no case with CT and PET of the name nobody"):
        align_dataset(dataset, ["nobody"])
    (fits,), (apart,) = dataset.cases("Tr"), dataset.cases("Ts")
    path = dataset.file("PET", fits)
    path.write_bytes(path.read_bytes()[:500])
    assert register.main(["-d", "077", "-np", "1"]) == 1
    assert f"{fits}: " in capsys.readouterr().err
    assert not (dataset.folder / "registration" / f"{fits}.json").exists()
    assert (dataset.folder / "registration" / f"{apart}.json").exists()


@pytest.mark.parametrize("text", ["null", "[]", "{}", "3", '{"outcome": "lost"}', "[" * 5000, "no JSON"])
def test_a_record_that_is_something_else_is_named(dataset, text):
    (case,) = dataset.cases("Ts")
    path = dataset.folder / "registration" / f"{case}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    with pytest.raises(DatasetError, match=rf"registration/{case}\.json: ") as caught:
        align_case(dataset, case, "Ts")
    assert len(str(caught.value).splitlines()) == 1
