"""The raw dataset for LDOS: a low-dose PET that lies in its full-dose PET, and organs where the CT has them."""

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from ct2pet.errors import DatasetError
from ct2pet.imageio import read_volume
from ct2pet.phantom import COARSE, PAPER_LABELS, Cohort, make_patient, scan, write_low_dose_dataset
from ct2pet.phantom.frame import DIAPHRAGM, DIAPHRAGM_REACH, Frame
from ct2pet.resampling import resample

COHORT = Cohort(2, 1, seed=3, scanner=COARSE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "Dataset105_LowDose"
    write_low_dose_dataset(folder, COHORT, name="LowDose")
    return folder


def rows(folder):
    with (folder / "cases.csv").open(newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def case_of(folder, case="phantom_001", split="Tr"):
    paths = (f"images{split}/{case}_0000", f"targets{split}/{case}", f"organs{split}/{case}")
    return [read_volume(folder / f"{path}.nii.gz") for path in paths]


def test_dataset_json_describes_the_files(folder):
    content = json.loads((folder / "dataset.json").read_text())
    assert content["channel_names"] == {"0": "PET_low"}
    assert content["kinds"] == {"PET_low": "pet"}
    assert content["targets"]["PET"] == {"kind": "pet", "unit": "SUVbw g/ml"}
    assert content["targets"]["organs"] == {"kind": "labels", "folder": "organs", "labels": PAPER_LABELS}
    assert (content["dose_fraction"], content["districts"], content["numTraining"]) == (0.05, {}, 2)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.nii.gz"))
    cases = [("Tr", "phantom_001"), ("Tr", "phantom_002"), ("Ts", "phantom_003")]
    expected = [f"images{split}/{case}_0000.nii.gz" for split, case in cases]
    expected += [f"{kind}{split}/{case}.nii.gz" for kind in ("organs", "targets") for split, case in cases]
    assert files == sorted(expected), "and no CT"


def test_the_files_are_one_acquisition_at_two_doses(folder):
    for case, split in (("phantom_001", "Tr"), ("phantom_003", "Ts")):
        low, full, organs = case_of(folder, case, split)
        patient = make_patient(int(rows(folder)[case]["seed"]))
        known = scan(patient, COARSE, (0.05,))
        assert (full.array == known.pet.array).all()
        assert (low.array == known.low_dose[0.05].array).all()
        quiet = scan(patient, replace(COARSE, dose_fraction=math.inf)).pet.array
        body = quiet > 0.2
        noise = [(pet.array - quiet)[body] for pet in (low, full)]
        assert np.corrcoef(noise)[0, 1] == pytest.approx(math.sqrt(0.05), abs=0.06)
        assert noise[0].var() / noise[1].var() == pytest.approx(20, rel=0.3)
        assert organs.grid.matches(COARSE.ct_grid(patient)), "labels come from a CT"
        assert organs.array.dtype == np.uint8
        assert set(np.unique(organs.array)) == {0, *PAPER_LABELS.values()}


def test_the_brain_and_the_bladder_of_the_labels_are_hot_in_the_pet(folder):
    _, full, organs = case_of(folder)
    labels = resample(organs, full.grid, labels=True).array
    means = {name: full.array[labels == PAPER_LABELS[name]].mean() for name in ("urinary_bladder", "liver", "lung")}
    assert means["urinary_bladder"] > 2 * means["liver"] > 4 * means["lung"]


def test_a_seed_gives_the_same_files_and_the_dose_changes_the_input_alone(folder, tmp_path):
    write_low_dose_dataset(tmp_path, replace(COHORT, num_train=1, num_test=0), dose_fraction=0.25)
    same, other = (
        [(place / name).read_bytes() for name in ("organsTr/phantom_001.nii.gz", "targetsTr/phantom_001.nii.gz")]
        for place in (folder, tmp_path)
    )
    assert same == other
    assert not np.array_equal(case_of(folder)[0].array, case_of(tmp_path)[0].array)
    assert json.loads((tmp_path / "dataset.json").read_text())["dose_fraction"] == 0.25


def test_a_mismatch_moves_the_pets_against_the_labels_near_the_diaphragm_only(folder, tmp_path):
    scanner = replace(COARSE, respiratory_mismatch_mm=16.0)
    write_low_dose_dataset(tmp_path, replace(COHORT, scanner=scanner))
    (_, before, organs), (_, after, same) = case_of(folder), case_of(tmp_path)
    assert (organs.array == same.array).all()
    grid = after.grid
    patient = make_patient(int(rows(folder)["phantom_001"]["seed"]))
    z = Frame(patient).z_to_reference(grid.origin[2] + np.arange(grid.shape[0]) * grid.spacing[0])
    difference = np.abs(before.array - after.array).max(axis=(1, 2))
    assert difference[z < DIAPHRAGM - DIAPHRAGM_REACH - 40].max() < 1e-3
    lungs = resample(organs, grid, labels=True).array == PAPER_LABELS["lung"]
    beside = np.abs(z - DIAPHRAGM) < DIAPHRAGM_REACH / 2
    means = [pet.array[beside][lungs[beside]].mean() for pet in (before, after)]
    assert means[1] > 1.2 * means[0], "the liver reaches into the lungs of the labels"


@pytest.mark.parametrize("dose_fraction", [0.0, 1.5, -0.05, math.nan])
def test_an_impossible_dose_is_refused_before_anything_is_removed(folder, dose_fraction):
    with pytest.raises(DatasetError, match="dose fraction"):
        write_low_dose_dataset(folder, COHORT, dose_fraction=dose_fraction)
    assert (folder / "dataset.json").exists()


def test_an_empty_cohort_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="cannot be written"):
        write_low_dose_dataset(tmp_path, Cohort(0, 0, scanner=COARSE))
