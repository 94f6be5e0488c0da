import csv

import pytest

from ct2pet.errors import DatasetError
from ct2pet.files import read_json
from ct2pet.imageio import read_volume
from ct2pet.phantom.nodule_writer import write_nodule_dataset
from ct2pet.phantom.nodules import CLASSES, make_nodule_patient, scan_nodule


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "Dataset104_Nodules"
    write_nodule_dataset(folder, num_train=2, num_test=1, seed=4)
    return folder


def rows_of(folder):
    with (folder / "cases.csv").open(newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def test_the_nodule_dataset_declares_class_and_targets_and_no_input(dataset):
    content = read_json(dataset / "dataset.json")
    assert content["channel_names"] == {}
    assert {name: target["kind"] for name, target in content["targets"].items()} == {"PET": "pet", "CT": "ct"}
    assert content["conditions"] == {"diagnosis": list(CLASSES)}
    assert {row["diagnosis"] for row in rows_of(dataset).values()} == set(CLASSES)
    assert not (dataset / "imagesTr").exists()


def test_the_files_hold_the_scan_of_the_row(dataset):
    for case, row in rows_of(dataset).items():
        split = "Ts" if case == "nodule_0003" else "Tr"
        patient = make_nodule_patient(int(row["seed"]), row["diagnosis"])
        assert float(row["true_suv"]) == pytest.approx(patient.nodule.suv, abs=1e-3)
        volumes = scan_nodule(patient)
        for kind, volume in (("targets", volumes.pet), ("CT", volumes.ct), ("lesions", volumes.lesion)):
            stored = read_volume(dataset / f"{kind}{split}" / f"{case}.nii.gz")
            assert stored.grid.matches(volume.grid)
            assert (stored.array == volume.array).all()


def test_the_first_cases_do_not_depend_on_how_many_follow(dataset, tmp_path):
    write_nodule_dataset(tmp_path / "one", num_train=1, num_test=0, seed=4)
    name = "targetsTr/nodule_0001.nii.gz"
    assert (tmp_path / "one" / name).read_bytes() == (dataset / name).read_bytes()
    assert rows_of(tmp_path / "one")["nodule_0001"] == rows_of(dataset)["nodule_0001"]


@pytest.mark.parametrize(("num_train", "num_test"), [(0, 0), (-1, 3)])
def test_impossible_numbers_are_refused(tmp_path, num_train, num_test):
    with pytest.raises(DatasetError, match="cannot be written"):
        write_nodule_dataset(tmp_path, num_train=num_train, num_test=num_test)
