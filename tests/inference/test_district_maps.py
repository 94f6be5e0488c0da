import json
from dataclasses import replace

import numpy as np
import pytest
from hand_models import Scaled, hand_plans, two_district_case, write_trained
from stub_segmenter import Halves, use_stubs
from two_targets import (
    TWO_INPUTS,
    TWO_TARGETS,
    ScaledAndThresholded,
    two_target_configuration,
    two_target_plans,
    write_two_target_model,
)
from whole_pipeline import killed_until_done, times_of

from ct2pet.api.prediction import predict
from ct2pet.dataset import Fields
from ct2pet.districts import SegmenterIdentity
from ct2pet.errors import CasesFailed, Ct2PetError, DatasetError
from ct2pet.imageio import read_volume, write_volume

HALVES = SegmenterIdentity("halves", "1.2", {"part": 0.5})
OTHER = SegmenterIdentity("other", "3", {"part": 0.5})
OWN = SegmenterIdentity("files", "", {})


@pytest.fixture(autouse=True)
def scans(tmp_path, monkeypatch):
    """Two CTs without maps in scans/, and a model trained with maps of halves."""
    use_stubs(monkeypatch)
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "results"))
    monkeypatch.setattr("ct2pet.models.load_model", {"scaled": Scaled}.__getitem__)
    trained_with(tmp_path, HALVES)
    ct, _ = two_district_case()
    for case in "ab":
        write_volume(tmp_path / "scans" / f"{case}_0000.nii.gz", ct)
    return tmp_path / "scans"


def trained_with(root, *segmenters):
    write_trained(
        root / "results", {"low": {0: 0.5}, "high": {0: 2.0}}, plans=replace(hand_plans(), segmenters=list(segmenters))
    )


def run(scans, **options):
    return predict(scans, scans.parent / "out", device="cpu", **options)


def made(scans, case):
    return scans.parent / "out" / "districts" / f"{case}.nii.gz"


def test_cts_without_maps_are_segmented_as_those_of_the_training_were(scans, capsys):
    run(scans)
    ct, _ = two_district_case()
    labels = read_volume(made(scans, "a"))
    assert labels.grid.matches(ct.grid)
    assert np.bincount(labels.array.ravel())[1:].tolist() == [ct.array.size / 2] * 2
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "a: low 0.99, high 0.30 (low)"
    assert "warning" not in said.err
    provenance = json.loads((scans.parent / "out" / "prediction.json").read_text())
    assert provenance["segmenters"] == [{"name": "halves", "version": "1.2", "settings": {"part": 0.5}}]


def test_prediction_with_maps_that_were_made_is_that_with_the_same_maps_from_files(scans):
    first = [path.read_bytes() for path in run(scans)]
    again = predict(scans, scans.parent / "again", districts=scans.parent / "out" / "districts", device="cpu")
    assert [path.read_bytes() for path in again] == first


@pytest.mark.parametrize(
    ("trained", "options", "named"),
    [
        ([HALVES], {"segmenter": "other"}, "come from other 3, those of the training from halves 1.2;"),
        ([OTHER, HALVES], {"segmenter": "halves"}, None),
        ([OWN], {}, "come from halves 1.2, those of the training from files without a record;"),
        (
            [SegmenterIdentity("halves", "1.2", {"part": 0.4})],
            {},
            "come from halves 1.2 with other settings, those of the training from halves 1.2;",
        ),
        ([], {}, None),
    ],
)
def test_a_segmenter_that_differs_from_the_training_is_reported_in_one_line(scans, capsys, trained, options, named):
    trained_with(scans.parent, *trained)
    run(scans, **options)
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert len(warnings) == (named is not None)
    assert all(named in line for line in warnings)


def test_maps_in_a_folder_are_known_by_the_records_next_to_them(scans, capsys):
    run(scans, segmenter="other")
    capsys.readouterr()
    predict(scans, scans.parent / "again", districts=scans.parent / "out" / "districts", device="cpu")
    said = capsys.readouterr()
    assert "come from other 3, those of the training from halves 1.2" in said.err
    assert "a: low 0.99, high 0.30 (low)" in said.out


def test_cases_without_a_map_next_to_the_others_are_segmented(scans):
    _, labels = two_district_case()
    scans.rename(scans.with_name("imagesTs"))
    write_volume(scans.parent / "districtsTs" / "a.nii.gz", labels)
    predict(scans.with_name("imagesTs"), scans.parent / "out", device="cpu")
    assert not made(scans, "a").exists()
    assert made(scans, "b").exists()
    predict(scans.with_name("imagesTs"), scans.parent / "all", segmenter="halves", device="cpu")
    assert (scans.parent / "all" / "districts" / "a.nii.gz").exists()


def test_maps_that_are_named_are_the_only_ones(scans):
    _, labels = two_district_case()
    write_volume(scans.parent / "maps" / "a.nii.gz", labels)
    with pytest.raises(CasesFailed, match=r"b: .*no district map"):
        run(scans, districts=scans.parent / "maps")
    with pytest.raises(Ct2PetError, match="either --districts or --segmenter other"):
        run(scans, districts=scans.parent / "maps", segmenter="other")


def test_a_district_map_corrected_by_hand_is_used_and_kept(scans):
    before = run(scans)[0].read_bytes()
    labels = read_volume(made(scans, "a"))
    write_volume(made(scans, "a"), labels.with_array(np.full_like(labels.array, 1)))
    corrected = made(scans, "a").read_bytes()
    assert run(scans)[0].read_bytes() != before
    assert made(scans, "a").read_bytes() == corrected


def test_a_map_corrected_by_hand_is_used_for_a_prediction_of_any_name(scans):
    """The map is called as the prediction, not as the case."""
    ct, target = scans / "a_0000.nii.gz", scans.parent / "out" / "pet.nii.gz"
    (path,) = predict(ct, target, device="cpu")
    before = path.read_bytes()
    own = target.parent / "districts" / "pet.nii.gz"
    write_volume(own, read_volume(own).with_array(np.full_like(read_volume(own).array, 1)))
    corrected = own.read_bytes()
    predict(ct, target, device="cpu")
    assert path.read_bytes() != before
    assert own.read_bytes() == corrected


def test_the_map_of_a_case_with_several_predictions_is_called_as_the_case(scans, monkeypatch):
    """So that it can be corrected by hand, and given to another prediction."""
    monkeypatch.setattr("ct2pet.models.load_model", {"both": ScaledAndThresholded}.__getitem__)
    fields = Fields((TWO_INPUTS[0], *TWO_TARGETS))
    configurations = {name: two_target_configuration(labels=[label]) for label, name in ((1, "low"), (2, "high"))}
    plans = two_target_plans(fields, districts={"low": 1, "high": 2}, configurations=configurations)
    write_two_target_model(scans.parent / "results", plans)
    first = [path.read_bytes() for path in run(scans, model="both")]
    assert len(first) == 4
    again = predict(scans, scans.parent / "again", model="both", districts=made(scans, "a").parent, device="cpu")
    assert [path.read_bytes() for path in again] == first
    labels = read_volume(made(scans, "a"))
    write_volume(made(scans, "a"), labels.with_array(np.where(labels.array == 1, 1, 0).astype(np.uint8)))
    found = [read_volume(path).array for path in run(scans, model="both")]
    for array in found[:2]:
        assert array[labels.array == 1].any()
        assert not array[labels.array == 2].any()
    assert [path.read_bytes() for path in run(scans, model="both")[2:]] == first[2:]


def test_a_continued_prediction_segments_nothing_twice(scans, monkeypatch):
    _, second = run(scans)
    second.unlink()
    times = times_of(made(scans, "a").parent)
    run(scans, continue_prediction=True)
    assert times_of(made(scans, "a").parent) == times
    with pytest.raises(Ct2PetError, match="another model or other settings"):
        run(scans, segmenter="other", continue_prediction=True)


def test_killed_at_any_file_and_continued_nothing_is_missing(scans, monkeypatch):
    paths = run(scans)
    whole = [path.read_bytes() for path in paths]
    for path in sorted((scans.parent / "out").rglob("*.*")):
        path.unlink()
    assert killed_until_done(lambda: run(scans, continue_prediction=True), monkeypatch) >= 4
    assert [path.read_bytes() for path in paths] == whole


def test_a_segmenter_without_the_districts_is_refused_before_work(scans, monkeypatch):
    monkeypatch.setattr(Halves, "districts", ("low", "tail"))
    with pytest.raises(DatasetError, match=r"halves finds low, tail, not high; .*--districts"):
        run(scans)
    assert not (scans.parent / "out").exists()


def test_maps_beside_imagests_of_a_dataset_with_other_districts_are_not_used(scans, capsys):
    """Label 1 is low in the model and limbs in the dataset: the model's segmenter makes the maps."""
    raw = scans.parent / "Dataset055_Other"
    ct, labels = two_district_case()
    write_volume(raw / "imagesTs" / "a_0000.nii.gz", ct)
    write_volume(raw / "districtsTs" / "a.nii.gz", labels.with_array(np.ones_like(labels.array)))
    description = {
        "channel_names": {"0": "CT"},
        "target": {"name": "PET", "unit": "SUVbw g/ml"},
        "numTraining": 0,
        "file_ending": ".nii.gz",
        "districts": {"limbs": 1},
    }
    (raw / "dataset.json").write_text(json.dumps({"name": "Other", **description}))
    predict(raw / "imagesTs", scans.parent / "out", device="cpu")
    assert "not used; maps of other districts (limbs) than the model's" in capsys.readouterr().err
    assert set(np.unique(read_volume(made(scans, "a")).array)) >= {1, 2}
