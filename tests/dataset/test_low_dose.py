import json
import math

import pytest

from ct2pet.dataset.low_dose import check_dose_fraction, write_low_dose_json
from ct2pet.errors import DatasetError


def test_the_file_says_input_targets_and_dose(tmp_path):
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
