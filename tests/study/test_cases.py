"""Labelled cases of a raw dataset, and one clear line for each thing that can be wrong."""

import csv

import numpy as np
import pytest

from ct2pet.errors import DatasetError
from ct2pet.files import write_json
from ct2pet.imageio import write_volume
from ct2pet.study.cases import labelled_cases, read_condition
from ct2pet.volume import Grid, Volume

GRID = Grid((2, 2, 2), (1.0, 1.0, 1.0))
TARGETS = {"PET": {"kind": "pet"}, "CT": {"kind": "ct"}}


@pytest.fixture
def folder(tmp_path):
    return make(tmp_path, {"a": "benign", "b": "malignant"})


def description(**keys):
    return {"channel_names": {}, "numTraining": 2, "file_ending": ".nii.gz", "districts": {}, **keys}


def make(folder, diagnoses, classes=("benign", "malignant")):
    write_json(
        folder / "dataset.json",
        description(targets=TARGETS, conditions={"diagnosis": list(classes)}),
    )
    with (folder / "cases.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["case", "patient", "diagnosis"])
        table.writerows([case, f"patient_{case}", diagnosis] for case, diagnosis in diagnoses.items())
    for case in diagnoses:
        for kind in ("targetsTr", "CTTr"):
            write_volume(folder / kind / f"{case}.nii.gz", Volume(np.zeros(GRID.shape, np.float32), GRID))
    write_volume(folder / "lesionsTr" / "a.nii.gz", Volume(np.ones(GRID.shape, np.uint8), GRID))
    return folder


def test_cases_have_their_files_their_class_and_their_patient(folder):
    first, second = labelled_cases(folder, "Tr", ("pet", "ct"))
    assert (first.case, first.patient, first.label, second.label) == ("a", "patient_a", 0, 1)
    assert first.images == {"pet": folder / "targetsTr" / "a.nii.gz", "ct": folder / "CTTr" / "a.nii.gz"}
    assert first.lesions == folder / "lesionsTr" / "a.nii.gz"
    assert second.lesions is None
    assert read_condition(folder) == ("diagnosis", ["benign", "malignant"])


def test_a_case_without_a_class_is_named(tmp_path):
    folder = make(tmp_path, {"a": "benign", "b": ""})
    with pytest.raises(DatasetError, match=r"cases\.csv: the case b has no diagnosis"):
        labelled_cases(folder, "Tr", ("pet",))


def test_a_class_that_dataset_json_does_not_know_is_named(tmp_path):
    folder = make(tmp_path, {"a": "benign", "b": "unclear"})
    with pytest.raises(
        DatasetError, match=r"case b has the diagnosis 'unclear'; dataset\.json declares benign, malignant"
    ):
        labelled_cases(folder, "Tr", ("pet",))


def test_one_class_only_is_refused(tmp_path):
    folder = make(tmp_path, {"a": "benign"}, classes=("benign",))
    with pytest.raises(DatasetError, match="the condition 'diagnosis' must list at least two different classes"):
        read_condition(folder)


def test_a_dataset_without_classes_is_refused(folder):
    write_json(folder / "dataset.json", description(targets=TARGETS))
    with pytest.raises(DatasetError, match='"conditions" names none'):
        read_condition(folder)


def test_a_missing_image_a_missing_kind_and_an_empty_split_are_named(folder):
    (folder / "CTTr" / "b.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"CTTr/b\.nii\.gz: the case b has no such image"):
        labelled_cases(folder, "Tr", ("pet", "ct"))
    with pytest.raises(DatasetError, match="targetsTs: no images"):
        labelled_cases(folder, "Ts", ("pet",))
    write_json(
        folder / "dataset.json", description(targets={"PET": {"kind": "pet"}}, conditions={"diagnosis": ["x", "y"]})
    )
    with pytest.raises(DatasetError, match="no target of the kind 'ct'; there are: pet"):
        labelled_cases(folder, "Tr", ("ct",))
