from dataclasses import replace

import numpy as np
import pytest
from raw_cases import permuted
from two_targets import ORGANS, two_input_case, write_two_target_dataset

from ct2pet.dataset import RawDataset, update_dataset_json
from ct2pet.districts import Segmentation, SegmenterIdentity
from ct2pet.districts.body import body_mask
from ct2pet.districts.records import record_of, write_map
from ct2pet.errors import CasesFailed, DatasetError
from ct2pet.evaluation import evaluator
from ct2pet.evaluation.references import Reference, References
from ct2pet.evaluation.summary_file import read_summary
from ct2pet.imageio import image_files, read_volume, write_volume
from ct2pet.volume import Grid, Volume

GRID = Grid((12, 10, 8), (4.0, 4.0, 4.0))
DISTRICTS = {"head": 1, "trunk": 2, "tail": 3}


def case_volumes(level=2.0):
    """A body of 8 x 6 x 4 voxels of ``level`` SUV, its upper half the head, and a lesion of 6 SUV in the trunk."""
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:6, 2:8, 2:6] = 2
    labels[6:10, 2:8, 2:6] = 1
    lesions = np.zeros(GRID.shape, np.uint8)
    lesions[3, 4, 3:5] = 1
    real = np.where(labels > 0, level, 0).astype(np.float32)
    real[lesions > 0] = 6.0
    return tuple(Volume(array, GRID) for array in (real, labels, lesions))


def write_case(folder, case, fake, volumes):
    for kind, volume in zip(("fake", "real", "maps", "lesions"), (fake, *volumes)):
        write_volume(folder / kind / f"{case}.nii.gz", volume)


def references_in(folder):
    """Of all real PETs in the folder; maps and lesions may be missing."""
    maps, lesions = (image_files(folder / kind) for kind in ("maps", "lesions"))
    real = image_files(folder / "real")
    return References(
        {case: Reference(pet, maps.get(case), lesions.get(case)) for case, pet in real.items()}, DISTRICTS
    )


def test_a_folder_is_summarised_and_written(tmp_path):
    for case, error in (("a", 0.5), ("b", 1.0)):
        volumes = case_volumes()
        write_case(tmp_path, case, Volume(volumes[0].array + np.float32(error), GRID), volumes)
    path = tmp_path / "summary.json"
    summary = evaluator.evaluate_predictions(tmp_path / "fake", references_in(tmp_path), path)
    assert read_summary(path) == summary
    assert summary["cases"]["a"]["whole_body"]["mae"] == pytest.approx(0.5)
    mean = summary["mean"]["head"]["mae"]
    assert (mean["mean"], mean["se"], mean["n"]) == (pytest.approx(0.75), pytest.approx(0.25), 2)
    assert summary["mean"]["tail"]["mae"]["n"] == 0
    assert [lesion["suv_max_bias"] for lesion in summary["lesions"]["a"]] == [pytest.approx(100 * 0.5 / 6)]
    assert summary["detection"]["scans"] == 2
    assert summary["baselines"]["zeros"]["head"]["mae"] == 2.0
    assert summary["baselines"]["body_median"]["head"]["mae"] == 0.0
    median = summary["provenance"]["settings"]["body_median"]
    assert median == {"suv": 2.0, "num_cases": 2, "from": "evaluated cases"}


def test_a_case_without_a_district_map_is_evaluated_with_the_map_made_for_its_prediction(tmp_path, capsys):
    volumes = case_volumes()
    write_case(tmp_path, "a", Volume(volumes[0].array + np.float32(0.5), GRID), volumes)
    expected = evaluator.evaluate_predictions(tmp_path / "fake", references_in(tmp_path))
    (tmp_path / "maps" / "a.nii.gz").unlink()
    references = replace(references_in(tmp_path), dataset_name="Dataset001_Blobs")
    with pytest.raises(CasesFailed, match=r"a: .*make it with ct2pet_segment_districts -d Dataset001_Blobs"):
        evaluator.evaluate_predictions(tmp_path / "fake", references)
    record = record_of(Segmentation(volumes[1], {}), SegmenterIdentity("rules", "1", {}), DISTRICTS)
    write_map(tmp_path / "fake" / "districts" / "a.nii.gz", volumes[1], record)
    summary = evaluator.evaluate_predictions(tmp_path / "fake", references)
    assert summary["cases"] == expected["cases"]
    assert summary["provenance"]["district_maps_of_predictions"] == ["a"]
    assert "1 case(s) have no district map in the dataset" in capsys.readouterr().err


def test_training_cases_give_the_constant(tmp_path):
    volumes = case_volumes()
    write_case(tmp_path / "test", "a", volumes[0], volumes)
    write_case(tmp_path / "train", "x", volumes[0], case_volumes(level=3.0))
    references = references_in(tmp_path / "test")
    references = References(references.cases, DISTRICTS, references_in(tmp_path / "train").cases)
    summary = evaluator.evaluate_predictions(tmp_path / "test" / "fake", references)
    assert summary["baselines"]["body_median"]["head"]["mae"] == 1.0
    assert summary["provenance"]["settings"]["body_median"] == {"suv": 3.0, "num_cases": 1, "from": "training cases"}


def test_training_cases_that_give_no_constant_do_not_weaken_the_baseline(tmp_path):
    volumes = case_volumes()
    write_case(tmp_path / "test", "a", volumes[0], volumes)
    write_case(tmp_path / "train", "x", volumes[0], volumes)
    training = references_in(tmp_path / "train").cases
    training["x"].pet.write_bytes(b"no image")
    references = References(references_in(tmp_path / "test").cases, DISTRICTS, training)
    with pytest.raises(CasesFailed, match="median of the body"):
        evaluator.evaluate_predictions(tmp_path / "test" / "fake", references)


def test_failures_are_named_and_the_others_are_written(tmp_path):
    volumes = case_volumes()
    for case in ("good", "lost", "cut", "bare"):
        write_case(tmp_path, case, volumes[0], volumes)
    (tmp_path / "fake" / "lost.nii.gz").unlink()
    (tmp_path / "maps" / "bare.nii.gz").unlink()
    cut = tmp_path / "fake" / "cut.nii.gz"
    cut.write_bytes(cut.read_bytes()[:100])
    path = tmp_path / "summary.json"
    with pytest.raises(CasesFailed) as caught:
        evaluator.evaluate_predictions(tmp_path / "fake", references_in(tmp_path), path)
    assert set(caught.value.failures) == {"lost", "cut", "bare"}
    assert caught.value.some_done
    assert "no prediction" in caught.value.failures["lost"]
    assert "make it with ct2pet_segment_districts -d" in caught.value.failures["bare"]
    summary = read_summary(path)
    assert list(summary["cases"]) == ["good"]
    assert summary["provenance"]["failed_cases"] == ["bare", "cut", "lost"]


def test_a_surprise_keeps_its_traceback(tmp_path, monkeypatch):
    volumes = case_volumes()
    write_case(tmp_path, "a", volumes[0], volumes)
    monkeypatch.setattr(evaluator, "evaluate_scene", lambda *_: 1 / 0)
    with pytest.raises(CasesFailed) as caught:
        evaluator.evaluate_predictions(tmp_path / "fake", references_in(tmp_path))
    assert "_evaluate_files" in caught.value.tracebacks["a"]


def test_an_evaluation_without_any_case_writes_no_summary(tmp_path):
    volumes = case_volumes()
    write_case(tmp_path, "a", volumes[0], volumes)
    (tmp_path / "empty").mkdir()
    path = tmp_path / "summary.json"
    with pytest.raises(CasesFailed, match="a: no prediction") as caught:
        evaluator.evaluate_predictions(tmp_path / "empty", references_in(tmp_path), path)
    assert not caught.value.some_done
    assert not path.exists()
    with pytest.raises(DatasetError, match="no cases to compare"):
        evaluator.evaluate_predictions(tmp_path / "fake", References({}, DISTRICTS), path)


def test_error_maps_are_on_the_real_pets_own_grid(tmp_path):
    real, labels, lesions = case_volumes()
    turned = permuted(real)
    write_case(tmp_path, "a", Volume(real.array + np.float32(0.5), GRID), (turned, labels, lesions))
    evaluator.evaluate_predictions(tmp_path / "fake", references_in(tmp_path), error_maps=tmp_path / "errors")
    found = read_volume(tmp_path / "errors" / "a.nii.gz")
    assert found.grid.matches(turned.grid)
    expected = np.where(labels.array > 0, 0.5, 0)
    np.testing.assert_allclose(found.to_canonical().array, expected, atol=1e-6)


def test_error_maps_overwrite_nothing(tmp_path):
    volumes = case_volumes()
    write_case(tmp_path, "a", volumes[0], volumes)
    for kind in ("fake", "real", "maps", "lesions"):
        before = (tmp_path / kind / "a.nii.gz").read_bytes()
        with pytest.raises(DatasetError, match="choose another folder"):
            evaluator.evaluate_predictions(
                tmp_path / "fake", references_in(tmp_path), error_maps=tmp_path / "real" / ".." / kind
            )
        assert (tmp_path / kind / "a.nii.gz").read_bytes() == before


def test_organs_and_diagnoses_reach_the_summary(tmp_path):
    volumes = case_volumes()
    write_case(tmp_path, "a", volumes[0], volumes)
    write_volume(tmp_path / "organs" / "a.nii.gz", volumes[1])
    plain = references_in(tmp_path)
    cases = {"a": replace(plain.cases["a"], organs=tmp_path / "organs" / "a.nii.gz")}
    references = replace(plain, cases=cases, organs={"brain": 1}, diagnoses={"a": "lymphoma"})
    summary = evaluator.evaluate_predictions(tmp_path / "fake", references)
    assert summary["mean"]["organ:brain"]["mae"]["mean"] == 0.0
    assert summary["mean"]["organ:2"]["mae"]["n"] == 1
    assert summary["groups"]["lymphoma"]["organ:brain"]["mae"]["n"] == 1


def test_a_real_pet_that_is_not_in_suv_fails_only_its_case(tmp_path):
    for case, factor in (("a", 1), ("b", 5000)):
        real, labels, lesions = case_volumes()
        write_case(tmp_path, case, real, (real.with_array(real.array * np.float32(factor)), labels, lesions))
    with pytest.raises(CasesFailed) as error:
        evaluator.evaluate_predictions(tmp_path / "fake", references_in(tmp_path), tmp_path / "summary.json")
    assert error.value.failures.keys() == {"b"}
    assert "real/b.nii.gz: its values reach" in error.value.failures["b"]
    assert "Bq/ml" in error.value.failures["b"]


def evaluated(dataset, predictions, **options):
    return evaluator.evaluate_predictions(predictions, References.from_dataset(dataset), **options)


def arrays(dataset, predictions, case, target, folder):
    real = read_volume(dataset.folder / folder / f"{case}.nii.gz").array
    return read_volume(predictions / f"{case}_{target}.nii.gz").array, real


@pytest.mark.parametrize("more", [{}, {"body_mask": "CT"}, {"body_mask": None}])
def test_without_districts_the_whole_body_is_that_of_the_ct_or_all_there_is(tmp_path, more):
    """Against sums over the voxels, done by hand."""
    dataset = write_two_target_dataset(tmp_path, tmp_path / "out", **more)
    summary = evaluated(dataset, tmp_path / "out")
    ct = two_input_case()[0]
    inside = np.ones(ct.grid.shape, bool) if more == {"body_mask": None} else body_mask(ct)
    for case, regions in summary["cases"].items():
        assert {*regions} == {"whole_body", "organ:liver", "organ:spleen"}
        fake, real = (
            array[inside].astype(np.float64) for array in arrays(dataset, tmp_path / "out", case, "PET", "targetsTs")
        )
        found, rmse = regions["whole_body"], np.sqrt(np.mean((fake - real) ** 2))
        assert found["mae"] == pytest.approx(np.mean(np.abs(fake - real)), rel=1e-5)
        assert found["rmse"] == pytest.approx(rmse, rel=1e-5)
        assert found["psnr"] == pytest.approx(20 * np.log10(20 / rmse), rel=1e-5)
        assert found["suv_mean_bias"] == pytest.approx(100 * (fake.mean() / real.mean() - 1), rel=1e-4)
        covariance = np.mean((fake - fake.mean()) * (real - real.mean()))
        expected = 2 * covariance / (fake.var() + real.var() + (fake.mean() - real.mean()) ** 2)
        assert found["ccc"] == pytest.approx(expected, rel=1e-5)
        zeros = summary["baseline_cases"]["zeros"][case]["whole_body"]["mae"]
        assert zeros == pytest.approx(real.mean(), rel=1e-5)
    assert summary["provenance"]["districts"] == {}
    median = np.median(
        np.concatenate([arrays(dataset, tmp_path / "out", c, "PET", "targetsTs")[1][inside] for c in "ab"])
    )
    assert summary["provenance"]["settings"]["body_median"]["suv"] == pytest.approx(median, abs=2e-3)


@pytest.mark.parametrize("missing", ["PET", "organs"])
def test_a_case_that_lacks_one_of_its_predictions_is_named(tmp_path, missing):
    dataset = write_two_target_dataset(tmp_path, tmp_path / "out")
    (tmp_path / "out" / f"b_{missing}.nii.gz").unlink()
    with pytest.raises(CasesFailed, match="b: no prediction in") as caught:
        evaluated(dataset, tmp_path / "out")
    assert list(caught.value.failures) == ["b"]


def test_a_case_without_its_reference_fails(tmp_path):
    dataset = write_two_target_dataset(tmp_path, tmp_path / "out")
    dataset.path("organs", "a", "Ts").unlink()
    dataset.path("CT", "b", "Ts").rename(dataset.folder / "imagesTs" / "c_0000.nii.gz")
    with pytest.raises(CasesFailed) as caught:
        evaluated(dataset, tmp_path / "out")
    assert "no reference organs" in caught.value.failures["a"]
    assert "no prediction" in caught.value.failures["c"]


def test_error_maps_need_a_pet(tmp_path):
    dataset = write_two_target_dataset(tmp_path, tmp_path / "out")
    evaluated(dataset, tmp_path / "out", error_maps=tmp_path / "errors")
    fake, real = arrays(dataset, tmp_path / "out", "a", "PET", "targetsTs")
    inside = body_mask(two_input_case()[0])
    error = read_volume(tmp_path / "errors" / "a.nii.gz").array
    np.testing.assert_allclose(error, np.where(inside, fake - real, 0), atol=1e-6)
    update_dataset_json(dataset.folder, targets={"organs": {"kind": "labels", "labels": ORGANS}})
    with pytest.raises(DatasetError, match="no PET is predicted; run without --error_maps"):
        evaluated(RawDataset(dataset.folder), tmp_path / "out", error_maps=tmp_path / "more")


def test_a_district_that_is_called_body_has_a_map_as_any_other(tmp_path):
    dataset = write_two_target_dataset(tmp_path, tmp_path / "out", districts={"body": 1})
    with pytest.raises(CasesFailed, match="make it with ct2pet_segment_districts"):
        evaluated(dataset, tmp_path / "out")
    inside = np.zeros(two_input_case()[0].grid.shape, np.uint8)
    inside[8:12, 8:12, 8:12] = 1
    for case in "ab":
        real = read_volume(dataset.path("PET", case, "Ts"))
        write_volume(dataset.path("districts", case, "Ts"), real.with_array(inside, "label"))
    regions = evaluated(dataset, tmp_path / "out")["cases"]["a"]
    fake, real = (array[inside > 0] for array in arrays(dataset, tmp_path / "out", "a", "PET", "targetsTs"))
    for region in ("body", "whole_body"):
        assert regions[region]["mae"] == pytest.approx(np.abs(fake - real).mean(), rel=1e-5)


def test_districts_without_a_model_are_omitted_whichever_target_comes_first(tmp_path):
    organs = {"kind": "labels", "labels": ORGANS}
    dataset = write_two_target_dataset(
        tmp_path, tmp_path / "out", districts={"low": 1, "high": 2}, targets={"organs": organs, "PET": {}}
    )
    districts = np.ones(two_input_case()[0].grid.shape, np.uint8)
    districts[12:] = 2
    for case in "ab":
        real = read_volume(dataset.path("PET", case, "Ts"))
        write_volume(dataset.path("districts", case, "Ts"), real.with_array(districts, "label"))
    left_out = np.where(districts == 2, districts, 0)
    write_volume(tmp_path / "out" / "not_predicted" / "a_organs.nii.gz", real.with_array(left_out, "label"))
    summary = evaluated(dataset, tmp_path / "out")
    assert summary["provenance"]["not_predicted"] == {"a": ["high"]}
    assert "high" not in summary["cases"]["a"]
    assert summary["cases"]["a"]["low"]["mae"] == summary["cases"]["a"]["whole_body"]["mae"]
    assert summary["cases"]["b"]["high"]["mae"] > 0
