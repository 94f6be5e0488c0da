from dataclasses import replace

import pytest
from tiny import tiny_plans

from ct2pet.errors import PlansError
from ct2pet.preprocessing.folder import PreprocessedDataset


@pytest.mark.parametrize("name", ["dataset", "splits_final", "my__plans", "../plans", ""])
def test_names_that_plans_cannot_have_are_refused_before_a_file_is_touched(tmp_path, name):
    with pytest.raises(PlansError, match="not a valid name of plans"):
        PreprocessedDataset(tmp_path).plans_file(name)


def test_a_copy_of_plans_needs_its_own_name(tmp_path):
    preprocessed = PreprocessedDataset(tmp_path)
    tiny_plans().save(preprocessed.plans_file("mine"))
    with pytest.raises(PlansError, match=r"mine\.json: its plans_name is 'ct2petPlans'"):
        preprocessed.plans("mine")
    replace(tiny_plans(), plans_name="mine").save(preprocessed.plans_file("mine"))
    assert preprocessed.plans("mine").plans_name == "mine"


def test_plans_that_are_not_there_are_listed(tmp_path):
    preprocessed = PreprocessedDataset(tmp_path)
    tiny_plans().save(preprocessed.plans_file("ct2petPlans"))
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(PlansError, match=r"there are: ct2petPlans$"):
        preprocessed.plans("mine")
