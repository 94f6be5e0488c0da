import json

import pytest
from raw_cases import case_volumes, write_raw

from ct2pet.api.planning import extract_fingerprint, plan
from ct2pet.api.plans import move_plans_between_datasets
from ct2pet.api.preprocessing import preprocess
from ct2pet.dataset import update_dataset_json
from ct2pet.errors import PlansError
from ct2pet.planning.plans import Plans


@pytest.fixture
def two(tmp_path, monkeypatch):
    """A planned dataset 901 and a dataset 902 of the same kind."""
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"ct2pet_{kind}", str(tmp_path / kind))
    raw = write_raw(tmp_path / "raw", {f"case{number}": case_volumes(number) for number in range(2)})
    (tmp_path / "other").mkdir()
    write_raw(tmp_path / "other", {f"case{number}": case_volumes(number) for number in range(2, 4)})
    (tmp_path / "other" / raw.name).rename(tmp_path / "raw" / "Dataset902_Other")
    for dataset in ("901", "902"):
        extract_fingerprint(dataset, num_processes=1)
    plan("901", device="cpu", gpu_memory_target=0.5)
    return tmp_path


def test_the_plans_are_the_same_decisions_and_serve_the_other_dataset(two):
    path = move_plans_between_datasets("901", "902", new_name="of901")
    moved, source = Plans.load(path), Plans.load(two / "preprocessed" / "Dataset901_Hand" / "ct2petPlans.json")
    assert path == two / "preprocessed" / "Dataset902_Other" / "of901.json"
    assert (moved.dataset_name, moved.plans_name) == ("Dataset902_Other", "of901")
    assert moved.configurations == source.configurations
    assert moved.models == source.models
    preprocess("902", plans_name="of901", num_processes=1)
    assert (path.parent / "of901_low").is_dir()


def test_existing_plans_are_not_replaced(two):
    path = move_plans_between_datasets("901", "902")
    before = path.read_bytes()
    with pytest.raises(PlansError, match=r"ct2petPlans\.json: already exists; choose another name \(-tp\)"):
        move_plans_between_datasets("901", "902")
    assert path.read_bytes() == before


def test_datasets_of_other_fields_or_districts_are_refused(two):
    other = two / "raw" / "Dataset902_Other"
    before = json.loads((other / "dataset.json").read_text())
    update_dataset_json(other, districts={"low": 2, "high": 1})
    with pytest.raises(PlansError, match="other districts than the plans of Dataset901_Hand"):
        move_plans_between_datasets("901", "902")
    update_dataset_json(
        other, districts=before["districts"], channel_names={"0": "CT", "1": "low"}, kinds={"low": "pet"}
    )
    with pytest.raises(PlansError, match="other inputs and targets than the plans"):
        move_plans_between_datasets("901", "902")
    assert not (two / "preprocessed" / "Dataset902_Other" / "ct2petPlans.json").exists()
