from dataclasses import replace

import numpy as np
import pytest
from raw_cases import permuted

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


def test_nothing_at_all_writes_nothing(tmp_path):
    volumes = case_volumes()
    write_case(tmp_path, "a", volumes[0], volumes)
    (tmp_path / "empty").mkdir()
    path = tmp_path / "summary.json"
    with pytest.raises(CasesFailed, match="a: no prediction") as caught:
        evaluator.evaluate_predictions(tmp_path / "empty", references_in(tmp_path), path)
    assert not caught.value.some_done
    assert not path.exists()
    with pytest.raises(DatasetError, match="no case to compare"):
        evaluator.evaluate_predictions(tmp_path / "fake", References({}, DISTRICTS), path)


def test_error_maps_lie_on_the_real_pets_own_grid(tmp_path):
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
        with pytest.raises(DatasetError, match="folder of their own"):
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


def test_a_real_pet_that_is_no_suv_fails_its_case_alone(tmp_path):
    for case, factor in (("a", 1), ("b", 5000)):
        real, labels, lesions = case_volumes()
        write_case(tmp_path, case, real, (real.with_array(real.array * np.float32(factor)), labels, lesions))
    with pytest.raises(CasesFailed) as error:
        evaluator.evaluate_predictions(tmp_path / "fake", references_in(tmp_path), tmp_path / "summary.json")
    assert error.value.failures.keys() == {"b"}
    assert "real/b.nii.gz: its values reach" in error.value.failures["b"]
    assert "Bq/ml" in error.value.failures["b"]
