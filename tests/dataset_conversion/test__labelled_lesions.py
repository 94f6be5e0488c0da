"""A dataset of labelled lesions that is written again."""

import numpy as np
import pytest
from dicom_files import CT_GRID, Study, ct_series, write

from ct2pet.dataset import RawDataset, verify_dataset
from ct2pet.dataset.raw import read_table
from ct2pet.errors import CasesFailed, ImageError
from ct2pet.imageio import read_volume
from ct2pet.volume import Volume
from dataset_conversion import _labelled_lesions
from dataset_conversion._labelled_lesions import LabelledLesion, write_lesions


@pytest.fixture
def series(tmp_path):
    """The folders of the CTs of three patients of each class; each CT has values of its own."""
    folders = {}
    for number, patient in enumerate(f"{label}{n}" for label in "abg" for n in range(3)):
        array = np.random.default_rng(number).integers(-900, 100, CT_GRID.shape)
        write(ct_series(Study(patient), array=array), tmp_path / "in" / patient)
        folders[patient] = tmp_path / "in" / patient
    return folders


def mask_of(grid):
    mask = np.zeros(grid.shape, bool)
    mask[5, 5:8, 5:8] = True
    return mask


def lesions_of(series, labels, **changes):
    own = [patient for patient in series if patient[0] in labels]
    return [LabelledLesion(patient, patient, patient[0], series[patient], mask_of, **changes) for patient in own]


def convert(folder, lesions, labels):
    return write_lesions(folder, lesions, ("class", list(labels)), num_processes=1, citation={})


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.glob("*T[rs]/*")}


def test_a_run_with_other_classes_leaves_nothing_of_the_earlier_one(tmp_path, series):
    folder = tmp_path / "Dataset106_T"
    convert(folder, lesions_of(series, "ag"), "ag")
    (folder / "splits_final.json").write_text("[]")
    convert(folder, lesions_of(series, "ag"), "ag")
    assert (folder / "splits_final.json").exists(), "it is of the same cases"
    convert(folder, lesions_of(series, "b"), "bg")
    fresh = tmp_path / "fresh" / "Dataset106_T"
    convert(fresh, lesions_of(series, "b"), "bg")
    assert files(folder) == files(fresh)
    assert {path.read_bytes() for path in folder.rglob("*T[rs]/*")} == {
        path.read_bytes() for path in fresh.rglob("*T[rs]/*")
    }
    assert not (folder / "splits_final.json").exists()
    dataset = RawDataset(folder)
    assert sorted([*dataset.cases("Tr"), *dataset.cases("Ts")]) == sorted(read_table(folder / "cases.csv"))
    assert not {*dataset.cases("Tr")} & {*dataset.cases("Ts")}
    assert verify_dataset(dataset) == []


def test_a_failed_case_leaves_no_file_of_an_earlier_run(tmp_path, series):
    folder = tmp_path / "Dataset106_T"
    lesions = lesions_of(series, "a")
    convert(folder, lesions, "a")
    for path in series["a1"].iterdir():
        path.unlink()
    with pytest.raises(CasesFailed):
        convert(folder, lesions, "a")
    assert {name.split("/")[1][:6] for name in files(folder)} == {*read_table(folder / "cases.csv")}
    assert len(read_table(folder / "cases.csv")) == 2


def test_a_case_that_cannot_be_written_is_no_half_case(tmp_path, series, monkeypatch):
    def fails(path, volume):
        if path.parent.name.startswith("lesions") and path.name == "T_0001.nii.gz":
            raise ImageError("full")
        _write(path, volume)

    _write = _labelled_lesions.write_volume
    monkeypatch.setattr(_labelled_lesions, "write_volume", fails)
    folder = tmp_path / "Dataset106_T"
    with pytest.raises(CasesFailed):
        convert(folder, lesions_of(series, "a"), "a")
    assert not [name for name in files(folder) if "T_0001" in name]
    assert len(files(folder)) == 4


def test_a_run_without_pets_leaves_no_pet_of_an_earlier_one(tmp_path, series):
    folder = tmp_path / "Dataset106_T"
    covered = lesions_of(series, "a", pet=lambda: Volume(np.ones(CT_GRID.shape, np.float32), CT_GRID, "SUV"))
    convert(folder, covered, "a")
    assert any(name.startswith("CT") for name in files(folder))
    convert(folder, lesions_of(series, "a"), "a")
    assert not any(name.startswith("CT") for name in files(folder))
    for path in folder.glob("targetsT[rs]/*"):
        assert read_volume(path, "HU").array.min() < -100
