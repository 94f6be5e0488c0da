import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from raw_cases import case_volumes, write_case, write_raw
from stub_segmenter import use_stubs
from whole_pipeline import content_of, killed_until_done, partial_files, times_of

from ct2pet.api.planning import extract_fingerprint, plan, plan_and_preprocess, verify
from ct2pet.api.preprocessing import preprocess
from ct2pet.api.training import train
from ct2pet.checkpoint import load_checkpoint
from ct2pet.districts import SegmenterIdentity
from ct2pet.errors import CasesFailed, CheckpointError, Ct2PetError, DatasetError, PlansError
from ct2pet.fingerprint.fingerprint import Fingerprint
from ct2pet.planning.reference import reference_names
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.sharing import unpacked
from ct2pet.sharing.box import box_file

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


def test_planning_and_preprocessing_write_all_inputs_of_a_training(raw, preprocessed):
    plans = go(verify_dataset_integrity=True)
    stores = {f"ct2petPlans_{name}" for name in ("low", "high", "whole_body")}
    files = {"dataset.json", "dataset_fingerprint.json", "ct2petPlans.json", "splits_final.json"}
    assert {path.name for path in preprocessed.iterdir()} == stores | files
    assert (preprocessed / "dataset.json").read_bytes() == (raw.folder / "dataset.json").read_bytes()
    assert list(plans.configurations) == ["low", "high", "whole_body"]
    assert len(json.loads((preprocessed / "splits_final.json").read_text())) == 3


def test_killed_at_any_file_and_started_again_it_gives_what_an_uninterrupted_run_gives(
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
    assert changed == {"case1.b2nd", "case1_labels.b2nd", "case1.json"}


def test_only_the_chosen_configurations_are_preprocessed(raw, preprocessed):
    extract_fingerprint("901", **ALONE)
    plan("901", **SMALL)
    preprocess("901", configurations=["high"], **ALONE)
    assert [path.name for path in preprocessed.glob("ct2petPlans_*")] == ["ct2petPlans_high"]


def test_plans_can_be_made_for_a_gpu_that_this_machine_lacks(raw, preprocessed, monkeypatch):
    """On a cluster they are made where there is none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    extract_fingerprint("901", **ALONE)
    assert plan("901", device="cuda").settings["device"] == "cuda"
    assert plan("901").settings["device"] == "cpu"


def test_splits_of_the_users_own_stay(raw, preprocessed):
    preprocessed.mkdir(parents=True)
    own = [{"train": ["case0", "case2"], "val": ["case1"]}]
    (preprocessed / "splits_final.json").write_text(json.dumps(own))
    go()
    assert json.loads((preprocessed / "splits_final.json").read_text()) == own


def test_different_plans_are_replaced_with_a_message(raw, preprocessed, capsys):
    plans = go()
    plan("901", **SMALL)
    assert "replaced" not in capsys.readouterr().err
    replace(plans, blend_mm=3.0).save(preprocessed / "ct2petPlans.json")
    assert plan("901", **SMALL) == plans
    assert "ct2petPlans.json: replaced by new plans" in capsys.readouterr().err


def test_verification_reports_all_problems_and_stops_before_work(raw, preprocessed):
    volumes = case_volumes()
    write_case(raw.folder, "case1", {"pet": volumes["pet"].with_array(np.zeros_like(volumes["pet"].array))})
    (raw.folder / "targetsTr" / "case2.nii").unlink()
    with pytest.raises(DatasetError, match=r"(?s)2 problem\(s\).*case2\.nii: missing.*case1\.nii: no voxel is above"):
        go(verify_dataset_integrity=True)
    assert not preprocessed.exists()
    with pytest.raises(DatasetError, match="Dataset901_Hand"):
        verify("902")


@pytest.fixture
def stubs(monkeypatch):
    use_stubs(monkeypatch)


def maps_of(raw):
    return {path.name: path.read_bytes() for path in (raw.folder / "districtsTr").glob("*.nii")}


def test_missing_district_maps_are_made_and_the_plans_record_the_segmenter(raw, preprocessed, stubs, capsys):
    for case in ("case0", "case1"):
        (raw.folder / "districtsTr" / f"{case}.nii").unlink()
    before = maps_of(raw)
    plans = go()
    after = maps_of(raw)
    assert len(after) == 3
    assert after["case2.nii"] == before["case2.nii"]
    halves, own = SegmenterIdentity("halves", "1.2", {"part": 0.5}), SegmenterIdentity("files", "", {})
    assert plans.segmenters == [halves, own]
    assert Fingerprint.load(preprocessed / "dataset_fingerprint.json").segmenters == [halves, own]
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["case0: low 0.99, high 0.30 (low)", "    the upper half looks odd"]
    assert said[-1].endswith("check these district maps before training (reasons: CASE.segmenter.json): case0, case1")
    with pytest.raises(Ct2PetError, match=r"made by halves 1\.2, not by rules"):
        go(segmenter="rules")
    assert go() == plans
    assert maps_of(raw) == after


def test_killed_while_segmenting_and_started_again_it_gives_what_an_uninterrupted_run_gives(
    raw, preprocessed, stubs, monkeypatch, tmp_path
):
    shutil.copytree(raw.folder, tmp_path / "again" / raw.name)
    for folder in (raw.folder, tmp_path / "again" / raw.name):
        shutil.rmtree(folder / "districtsTr")
    go()
    whole = content_of(raw.folder / "districtsTr")
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "again"))
    monkeypatch.setenv("ct2pet_preprocessed", str(tmp_path / "again_preprocessed"))
    assert killed_until_done(go, monkeypatch) >= 8
    assert content_of(tmp_path / "again" / raw.name / "districtsTr") == whole
    assert json.loads((tmp_path / "again_preprocessed" / raw.name / "ct2petPlans.json").read_text()) == json.loads(
        (preprocessed / "ct2petPlans.json").read_text()
    )


def test_a_case_that_cannot_be_segmented_stops_planning(raw, preprocessed, stubs):
    write_case(raw.folder, "unlucky", case_volumes(7))
    (raw.folder / "districtsTr" / "unlucky.nii").unlink()
    with pytest.raises(CasesFailed) as caught:
        go()
    assert caught.value.failures == {"unlucky": "nothing looks like a body"}
    assert not preprocessed.exists()


def test_without_a_suitable_segmenter_the_first_missing_map_is_named(raw):
    (raw.folder / "districtsTr" / "case1.nii").unlink()
    with pytest.raises(DatasetError, match=r"case1\.nii: no such district map \(1 missing\), and .*files"):
        go(segmenter="files")
    with pytest.raises(CasesFailed) as caught:
        extract_fingerprint("901", **ALONE)
    assert caught.value.failures == {"case1": "no district map in districtsTr; make it with ct2pet_segment_districts"}
    assert not caught.value.some_done
    shutil.rmtree(raw.folder / "districtsTr")
    with pytest.raises(DatasetError, match="ct2pet_segment_districts -d Dataset901_Hand"):
        extract_fingerprint("901", **ALONE)


def test_without_cases_or_fingerprint_the_error_names_what_is_missing(raw, preprocessed):
    extract_fingerprint("901", **ALONE)
    (preprocessed / "dataset_fingerprint.json").unlink()
    with pytest.raises(PlansError, match=r"dataset_fingerprint\.json: no such file; .*ct2pet_extract_fingerprint"):
        plan("901", **SMALL)
    for image in (raw.folder / "imagesTr").iterdir():
        image.unlink()
    with pytest.raises(DatasetError, match=r"no CTs CASE_0000\.nii in imagesTr"):
        go()


def test_measuring_cases_does_not_wait_for_torch():
    code = "import sys, ct2pet.api.planning; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"


def test_a_target_spacing_and_chosen_configurations_reach_the_stores(raw, preprocessed):
    plans = go(plans_name="coarse", configurations=["low"], target_spacing=(9.0, 8.0, 7.0))
    assert {one.spacing[0] for one in plans.configurations.values()} == {9.0}
    assert [path.name for path in preprocessed.glob("coarse_*")] == ["coarse_low"]
    store = PreprocessedDataset(preprocessed).store(plans, "low")
    assert store.open(store.cases[0]).grid.spacing == (9.0, 8.0, 7.0)
    with pytest.raises(PlansError, match="have a fixed spacing"):
        plan("901", plans_name="paper_2503_15555", target_spacing=(9.0, 8.0, 7.0))


def test_unknown_names_are_refused_before_any_work(raw, preprocessed):
    for options, message in (
        ({"configurations": ["lwo"]}, r"-c lwo: .*; there are: low, high, whole_body; did you mean low\?$"),
        ({"plans_name": "paper_2503_1555"}, "-p paper_2503_1555: .*did you mean paper_2503_15555"),
        ({"segmenter": "ruels"}, "no segmenter 'ruels'; there are: .*rules"),
        ({"models": ["pix2pixx"]}, r"unknown name 'pix2pixx'; .*did you mean pix2pix\?$"),
    ):
        with pytest.raises(Ct2PetError, match=message):
            go(**options)
        assert not preprocessed.exists()


def test_a_mistyped_reference_plans_name_writes_nothing_and_a_new_name_is_announced(raw, preprocessed, capsys):
    extract_fingerprint("901", num_processes=1)
    before = sorted(preprocessed.iterdir())
    with pytest.raises(PlansError, match=r"-p paper_2503_1555: .*did you mean paper_2503_15555"):
        plan("901", plans_name="paper_2503_1555")
    assert sorted(preprocessed.iterdir()) == before
    capsys.readouterr()
    plan("901")
    assert capsys.readouterr().out == ""
    plan("901", plans_name="coarse")
    names = ", ".join(reference_names())
    assert f"coarse.json: new plans of the default planner (reference plans: {names})" in capsys.readouterr().out
    plan("901", plans_name="coarse")
    assert capsys.readouterr().out == ""


def test_plans_of_the_built_in_model_have_its_networks_and_training_can_start_from_its_weights(
    raw, preprocessed, capsys
):
    """The built-in model has no district low: its trunk is used. In one step, Adam changes a weight by at most the
    learning rate, 0.001 times the plans' fine_tuning_factor."""
    plans = go(plans_name="box", configurations=["low"])
    assert {tuple(one.spacing) for one in plans.configurations.values()} == {(5.0, 5.0, 5.0)}
    rate = 1e-3 * plans.hyperparameters("regression")["fine_tuning_factor"]
    assert rate < 1e-3
    steps = {"num_epochs": 1, "iterations_per_epoch": 1, "num_workers": 0, "show_progress": False}
    start = {**steps, "pretrained_weights": "box", "device": "cpu"}
    (folder,) = train("901", "regression", "all", configurations=["low"], plans_name="box", **start)
    said = capsys.readouterr().err
    assert "Dataset900_Box/regression__ct2petPlans__trunk" in said
    assert "weight decay towards the initial weights" in said
    trained = load_checkpoint(folder / "checkpoint_final.pth")
    with unpacked(box_file()) as box:
        began = load_checkpoint(box / "Dataset900_Box/regression__ct2petPlans__trunk/fold_all/checkpoint_final.pth")
    for name, weights in trained["model"].items():
        assert torch.allclose(weights, began["model"][name].float(), rtol=0, atol=1.1 * rate)
    origin = trained["provenance"]["pretrained_weights"]
    assert (origin["dataset_name"], origin["configuration"]) == ("Dataset900_Box", "trunk")

    go(configurations=["low"])
    with pytest.raises(CheckpointError, match=r"none of its networks fits.*ct2pet_plan_and_preprocess -p box"):
        train("901", "regression", "all", configurations=["low"], **start)
    with pytest.raises(PlansError, match="the plans box have a fixed spacing"):
        plan("901", plans_name="box", target_spacing=(9.0, 8.0, 7.0))
