import json
from dataclasses import replace

import numpy as np
import pytest
from raw_cases import case_volumes, write_case, write_raw
from road import content_of, killed_until_done, partial_files, times_of

from ct2pet.api.preparation import extract_fingerprint, plan, plan_and_preprocess, preprocess, verify
from ct2pet.errors import CasesFailed, DatasetError, PlansError

ALONE = {"num_processes": 1}
SMALL = {"device": "cpu", "gpu_memory_target": 0.5}


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """Three cases with the districts low and high; the other two folders are empty."""
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"ct2pet_{kind}", str(tmp_path / kind))
    return write_raw(tmp_path / "raw", {f"case{number}": case_volumes(number) for number in range(3)})


@pytest.fixture
def preprocessed(tmp_path):
    return tmp_path / "preprocessed" / "Dataset901_Hand"


def go(**options):
    return plan_and_preprocess("901", **ALONE, **{**SMALL, **options})


def test_it_writes_all_that_training_needs(raw, preprocessed):
    plans = go(verify_dataset_integrity=True)
    stores = {f"ct2petPlans_{name}" for name in ("low", "high", "whole_body")}
    files = {"dataset.json", "dataset_fingerprint.json", "ct2petPlans.json", "splits_final.json"}
    assert {path.name for path in preprocessed.iterdir()} == stores | files
    assert (preprocessed / "dataset.json").read_bytes() == (raw.folder / "dataset.json").read_bytes()
    assert list(plans.configurations) == ["low", "high", "whole_body"]
    assert len(json.loads((preprocessed / "splits_final.json").read_text())) == 3


def test_killed_at_any_file_and_begun_again_it_gives_what_an_uninterrupted_run_gives(
    raw, preprocessed, tmp_path, monkeypatch
):
    go()
    whole = content_of(preprocessed)
    monkeypatch.setenv("ct2pet_preprocessed", str(tmp_path / "killed"))
    assert killed_until_done(go, monkeypatch) >= 6
    killed = tmp_path / "killed" / preprocessed.name
    assert content_of(killed) == whole
    for store in killed.glob("ct2petPlans_*"):
        assert partial_files(store) == []


def test_a_case_that_changes_is_written_again_and_no_other(raw, preprocessed):
    go()
    times = times_of(preprocessed)
    write_case(raw.folder, "case1", case_volumes(9))
    preprocess("901", **ALONE)
    changed = {path.name for path, time in times_of(preprocessed).items() if times[path] != time}
    assert changed == {"case1.b2nd", "case1.json"}


def test_only_the_chosen_configurations_are_preprocessed(raw, preprocessed):
    extract_fingerprint("901", **ALONE)
    plan("901", **SMALL)
    preprocess("901", configurations=["high"], **ALONE)
    assert [path.name for path in preprocessed.glob("ct2petPlans_*")] == ["ct2petPlans_high"]


def test_splits_of_the_users_own_stay(raw, preprocessed):
    preprocessed.mkdir(parents=True)
    own = [{"train": ["case0", "case2"], "val": ["case1"]}]
    (preprocessed / "splits_final.json").write_text(json.dumps(own))
    go()
    assert json.loads((preprocessed / "splits_final.json").read_text()) == own


def test_plans_that_differ_are_replaced_and_the_user_hears_of_it(raw, preprocessed, capsys):
    plans = go()
    plan("901", **SMALL)
    assert "replaced" not in capsys.readouterr().err
    replace(plans, blend_mm=3.0).save(preprocessed / "ct2petPlans.json")
    assert plan("901", **SMALL) == plans
    assert "ct2petPlans.json: replaced by new plans" in capsys.readouterr().err


def test_verifying_tells_all_problems_at_once_and_nothing_begins(raw, preprocessed):
    volumes = case_volumes()
    write_case(raw.folder, "case1", {"pet": volumes["pet"].with_array(np.zeros_like(volumes["pet"].array))})
    (raw.folder / "targetsTr" / "case2.nii").unlink()
    with pytest.raises(DatasetError, match=r"(?s)2 problem\(s\).*case2\.nii: missing.*case1\.nii: no voxel is above"):
        go(verify_dataset_integrity=True)
    assert not preprocessed.exists()
    with pytest.raises(DatasetError, match="Dataset901_Hand"):
        verify("902")


def test_cases_without_district_map_are_named(raw):
    (raw.folder / "districtsTr" / "case1.nii").unlink()
    with pytest.raises(CasesFailed) as caught:
        go()
    assert caught.value.failures == {"case1": "no district map in districtsTr"}
    assert not caught.value.some_done


def test_without_cases_or_fingerprint_the_error_names_what_is_missing(raw, preprocessed):
    extract_fingerprint("901", **ALONE)
    (preprocessed / "dataset_fingerprint.json").unlink()
    with pytest.raises(PlansError, match=r"dataset_fingerprint\.json: no such file; .*ct2pet_extract_fingerprint"):
        plan("901", **SMALL)
    for image in (raw.folder / "imagesTr").iterdir():
        image.unlink()
    with pytest.raises(DatasetError, match=r"imagesTr: no CASE_0000\.nii in it"):
        go()
