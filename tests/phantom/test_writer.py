import csv

import numpy as np
import pytest

import ct2pet.phantom.writer as writer
from ct2pet.dataset import RawDataset, verify_dataset
from ct2pet.errors import CasesFailed, DatasetError
from ct2pet.evaluation import References
from ct2pet.imageio import read_volume
from ct2pet.phantom import (
    COARSE,
    DISTRICTS,
    LABELS,
    Cohort,
    make_patient,
    make_varied_patient,
    scan,
    vary_scanner,
    write_cohort,
    write_dataset,
)
from ct2pet.phantom.field_of_view import crop_some
from ct2pet.phantom.lesions import lesion_rich


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "Dataset042_Phantom"
    write_dataset(folder, num_train=2, num_test=1, seed=3, scanner=COARSE, name="Phantom")
    return RawDataset(folder)


def test_the_phantom_dataset_passes_the_integrity_check(dataset):
    assert verify_dataset(dataset) == []
    assert (dataset.cases("Tr"), dataset.cases("Ts")) == (["phantom_001", "phantom_002"], ["phantom_003"])
    assert dataset.districts == DISTRICTS
    assert dataset.description.num_training == 2
    assert dataset.description.organs == LABELS
    assert dataset.description.lesion_groups == {"shown_in_CT": 1, "hidden_in_CT": 2}
    assert References.from_dataset(dataset).lesion_groups == dataset.description.lesion_groups
    assert len(set(dataset.patients().values())) == 3
    assert all(dataset.diagnoses().values())


def test_the_files_hold_the_scan(dataset):
    with (dataset.folder / "cases.csv").open(newline="") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    case = dataset.cases("Ts")[0]
    patient = make_patient(int(rows[case]["seed"]))
    assert (rows[case]["sex"], int(rows[case]["age"]), rows[case]["arms"]) == (patient.sex, patient.age, patient.arms)
    volumes = scan(patient, COARSE)
    for path, volume in (
        (dataset.file("CT", case, "Ts"), volumes.ct),
        (dataset.file("PET", case, "Ts"), volumes.pet),
        (dataset.file("districts", case, "Ts"), volumes.districts),
        (dataset.file("lesions", case, "Ts"), volumes.lesions),
        (dataset.file("organs", case, "Ts"), volumes.organs),
    ):
        stored = read_volume(path)
        assert stored.grid.matches(volume.grid)
        assert stored.array.dtype == volume.array.dtype
        assert (stored.array == volume.array).all()


def test_a_seed_gives_the_same_files_however_many_follow(dataset, tmp_path):
    write_dataset(tmp_path / "again", num_train=1, num_test=0, seed=3, scanner=COARSE)
    write_dataset(tmp_path / "other", num_train=1, num_test=0, seed=4, scanner=COARSE)
    names = [f"{kind}Tr/phantom_001.nii.gz" for kind in ("targets", "districts", "lesions", "organs")]
    for name in ["imagesTr/phantom_001_0000.nii.gz", *names]:
        assert (tmp_path / "again" / name).read_bytes() == (dataset.folder / name).read_bytes()
    name = "targetsTr/phantom_001.nii.gz"
    assert not np.array_equal(read_volume(tmp_path / "other" / name).array, read_volume(dataset.folder / name).array)


def test_a_varied_cohort_varies_patients_and_scanners(tmp_path):
    write_cohort(tmp_path, Cohort(1, 0, 3, COARSE, varied=True))
    with (tmp_path / "cases.csv").open(newline="") as file:
        seed = int(next(csv.DictReader(file))["seed"])
    patient = make_varied_patient(seed)
    volumes = crop_some(scan(patient, vary_scanner(COARSE, seed)), patient)
    assert (read_volume(tmp_path / "targetsTr" / "phantom_001.nii.gz").array == volumes.pet.array).all()
    assert (read_volume(tmp_path / "imagesTr" / "phantom_001_0000.nii.gz").array == volumes.ct.array).all()


def test_only_training_cases_are_rich_in_lesions(tmp_path):
    write_cohort(tmp_path, Cohort(1, 1, 3, COARSE, lesion_rich=True))
    with (tmp_path / "cases.csv").open(newline="") as file:
        train, test = csv.DictReader(file)
    rich, usual = lesion_rich(make_patient(int(train["seed"]))), make_patient(int(test["seed"]))
    assert [int(row["num_lesions"]) for row in (train, test)] == [len(rich.lesions), len(usual.lesions)]
    assert (train["diagnosis"], test["diagnosis"]) == ("several", usual.diagnosis)
    assert (read_volume(tmp_path / "targetsTr" / "phantom_001.nii.gz").array == scan(rich, COARSE).pet.array).all()
    assert (read_volume(tmp_path / "targetsTs" / "phantom_002.nii.gz").array == scan(usual, COARSE).pet.array).all()


def test_a_case_that_fails_is_named_and_the_folder_is_no_dataset(tmp_path, monkeypatch):
    write_dataset(tmp_path, num_train=1, num_test=0, scanner=COARSE)

    def fail(patient, scanner):
        raise RuntimeError("out of tracer")

    monkeypatch.setattr(writer, "scan", fail)
    with pytest.raises(CasesFailed, match=r"phantom_001: .*out of tracer"):
        write_dataset(tmp_path, num_train=1, num_test=0, scanner=COARSE)
    assert not (tmp_path / "dataset.json").exists()


@pytest.mark.parametrize(("num_train", "num_test"), [(0, 0), (-1, 3), (2, -1)])
def test_impossible_numbers_are_refused(tmp_path, num_train, num_test):
    with pytest.raises(DatasetError, match="cannot be written"):
        write_dataset(tmp_path, num_train=num_train, num_test=num_test, scanner=COARSE)
