import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from raw_cases import PET_GRID, smooth

from ct2pet.dataset import RawDataset, verify_dataset
from ct2pet.dataset.low_dose import check_dose_fraction, write_low_dose_json
from ct2pet.errors import DatasetError
from ct2pet.imageio import read_volume, write_volume
from ct2pet.volume import Volume


def test_the_file_states_input_targets_and_dose(tmp_path):
    organs = {"liver": 1, "lung": 2}
    write_low_dose_json(tmp_path, name="X", dose_fraction=0.05, num_training=3, organs=organs, licence="CC BY 4.0")
    assert json.loads((tmp_path / "dataset.json").read_text()) == {
        "name": "X",
        "channel_names": {"0": "PET_low"},
        "kinds": {"PET_low": "pet"},
        "targets": {
            "PET": {"kind": "pet", "unit": "SUVbw g/ml"},
            "organs": {"kind": "labels", "folder": "organs", "labels": organs},
        },
        "dose_fraction": 0.05,
        "districts": {},
        "numTraining": 3,
        "file_ending": ".nii.gz",
        "licence": "CC BY 4.0",
    }


def test_without_organ_maps_the_pet_is_the_only_target(tmp_path):
    write_low_dose_json(tmp_path, name="X", dose_fraction=1, num_training=0)
    assert list(json.loads((tmp_path / "dataset.json").read_text())["targets"]) == ["PET"]


@pytest.mark.parametrize("dose_fraction", [0, -0.1, 1.001, 20, math.nan, math.inf])
def test_impossible_doses_are_refused_and_nothing_is_written(tmp_path, dose_fraction):
    with pytest.raises(DatasetError, match="above 0 and at most 1"):
        check_dose_fraction(dose_fraction)
    with pytest.raises(DatasetError, match="above 0 and at most 1"):
        write_low_dose_json(tmp_path, name="X", dose_fraction=dose_fraction, num_training=0)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def dataset(tmp_path):
    """A pair of PETs and an organ map, without a problem."""
    pet = Volume(smooth(PET_GRID, 0, 0, 6), PET_GRID, "SUV")
    write_volume(tmp_path / "imagesTr" / "a_0000.nii.gz", pet.with_array(pet.array * 1.1))
    write_volume(tmp_path / "targetsTr" / "a.nii.gz", pet)
    write_volume(tmp_path / "organsTr" / "a.nii.gz", pet.with_array((pet.array > 3).astype(np.uint8), "label"))
    write_low_dose_json(tmp_path, name="X", dose_fraction=0.05, num_training=1, organs={"liver": 1})
    return RawDataset(tmp_path)


def change(dataset, field, function):
    path = dataset.path(field, "a", "Tr")
    volume = read_volume(path)
    write_volume(path, function(volume))


@pytest.mark.parametrize(
    ("field", "function", "message"),
    [
        ("organs", lambda v: v.with_array(v.array * 4), r"organsTr/a.nii.gz: the label\(s\) 4 are not in dataset.json"),
        ("PET_low", lambda v: v.with_array(v.array * 5000), "imagesTr/a_0000.nii.gz: .*looks like Bq/ml"),
        ("PET", lambda v: v.with_array(v.array / 1000), r"targetsTr/a.nii.gz: .*too small for SUV"),
        (
            "PET_low",
            lambda v: v.with_array(v.array * 300 - 1000),
            r"a_0000.nii.gz: .*look like a CT in HU: a PET in SUV",
        ),
        (
            "PET",
            lambda v: Volume(v.array, replace(v.grid, origin=(900.0, 0.0, 0.0)), "SUV"),
            "targetsTr/a.nii.gz: it overlaps the PET_low by only 0%: another patient",
        ),
    ],
)
def test_the_integrity_check_reports_a_faulty_file_in_one_line(dataset, field, function, message):
    assert verify_dataset(dataset) == []
    change(dataset, field, function)
    (problem,) = verify_dataset(dataset)
    assert re.search(message, str(problem))
