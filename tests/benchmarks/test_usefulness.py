"""The patients and the table of the benchmark of the usefulness of synthetic PETs."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ct2pet.phantom import COARSE
from ct2pet.phantom.nodules import CLASSES, make_nodule_patient, scan_nodule


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("usefulness")


@pytest.fixture
def pets(benchmark):
    return importlib.import_module("_nodule_pets")


def test_no_patient_is_in_two_sets(benchmark):
    patients = benchmark.Patients.of(5, 7, 11)
    numbers = [*patients.generator, *patients.pool, *patients.test]
    assert sorted(numbers) == list(range(23))
    assert [len(part) for part in (patients.generator, patients.pool, patients.test)] == [5, 7, 11]


def test_each_class_has_as_many_hidden_nodules(pets):
    both = [(pets.label_of(number), pets.is_hidden(number)) for number in range(60)]
    assert [both.count((label, True)) for label in (0, 1)] == [10, 10]
    assert len({pets.patient_of(number).patient.seed for number in range(4)}) == 4


@pytest.mark.parametrize("number", [2, 5])
def test_the_ct_shows_nothing_of_a_hidden_nodule(pets, number):
    case = pets.patient_of(number)
    without = replace(case, patient=replace(case.patient, lesions=()))
    assert case.nodule.diagnosis == CLASSES[pets.label_of(number)]
    assert case.centre == make_nodule_patient(case.patient.seed, CLASSES[0]).centre
    scanned, empty = (scan_nodule(one, COARSE) for one in (case, without))
    np.testing.assert_array_equal(scanned.ct.array, empty.ct.array)
    middle = tuple(length // 2 for length in scanned.pet.array.shape)
    assert scanned.pet.array[middle] > 1.2 * empty.pet.array[middle]


def test_without_a_pet_only_the_ct_is_seen(benchmark, pets, tmp_path):
    random = np.random.default_rng(0)
    kinds = {kind: random.random((3, 4, 4)).astype(np.float32) for kind in (pets.CT, pets.REAL, pets.BOX)}
    np.savez(tmp_path / f"{pets.name_of(7)}.npz", **kinds)
    alone, real = (benchmark.slices_of(tmp_path, [7], pet) for pet in ("", pets.REAL))
    np.testing.assert_array_equal(alone.images[:, 1], kinds[pets.CT])
    np.testing.assert_array_equal(real.images, np.stack([kinds[pets.REAL], kinds[pets.CT]], axis=1))
    assert not alone.images[:, 0].any()
    assert alone.labels.tolist() == [1, 1, 1]


def test_the_table_states_known_differences(benchmark):
    labels, groups = np.arange(40) % 2, {"shown": np.arange(40) < 20, "hidden": np.arange(40) >= 20}
    random = np.random.default_rng(0)
    chance = random.random((4, 40))
    perfect = labels + 0.1 * random.random((4, 40))
    scores = {(40, arm): perfect if arm == benchmark.BOUND else chance for arm in benchmark.ARMS}
    header, *rows = benchmark.table(scores, groups, labels)
    assert len(rows) == 2 * len(benchmark.ARMS)
    assert {len(row) for row in rows} == {len(header)}
    for row in rows:
        if row[2] == benchmark.BOUND:
            assert row[3] == "1.000 [1.000, 1.000]"
            assert float(row[5]) == pytest.approx(2 / 2001 * 8, abs=1e-3)
        elif row[2] != benchmark.ALONE:
            assert row[4:6] == ["+0.000 [+0.000, +0.000]", "1.000"]
            assert row[6].replace("-0%", "0%") == "[0%, 0%]"
