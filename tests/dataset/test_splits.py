import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ct2pet.dataset import RawDataset
from ct2pet.dataset.splits import create_splits, fold_cases, inner_folds, load_or_create_splits
from ct2pet.dataset.train_test_split import deal_parts
from ct2pet.errors import DatasetError


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    table=st.lists(st.tuples(st.integers(0, 11), st.sampled_from(["", "lymphoma", "melanoma"])), max_size=30),
    seed=st.integers(0, 3),
)
def test_folds_of_any_dataset(table, seed):
    cases = [f"c{number:02}" for number in range(len(table))]
    patients = {case: f"p{patient}" for case, (patient, _) in zip(cases, table)}
    diagnoses = {case: diagnosis for case, (_, diagnosis) in zip(cases, table)}
    splits = create_splits(cases, patients, diagnoses, seed)
    assert splits == create_splits(cases[::-1], patients, diagnoses, seed)  # the order of the cases does not matter
    num_patients = len({*patients.values()})
    assert len(splits) == (min(5, num_patients) if num_patients > 1 else 0)
    if splits:
        assert sorted(case for split in splits for case in split["val"]) == cases
    sizes = []
    for split in splits:
        assert sorted(split["train"] + split["val"]) == cases
        training, validation = ({patients[case] for case in split[side]} for side in ("train", "val"))
        assert training
        assert validation
        assert not training & validation
        sizes.append(len(validation))
    assert max(sizes, default=0) - min(sizes, default=0) <= 1


def test_each_diagnosis_is_spread_evenly():
    cases = [f"c{number:03}" for number in range(41)]
    diagnoses = {case: "rare" if number < 7 else "common" for number, case in enumerate(cases)}
    for split in create_splits(cases, {}, diagnoses):
        counts = Counter(diagnoses[case] for case in split["val"])
        assert counts["rare"] in (1, 2)
        assert counts["common"] in (6, 7)


def test_another_seed_gives_other_folds():
    cases = [f"c{number}" for number in range(20)]
    assert create_splits(cases, {}, {}, seed=1) != create_splits(cases, {}, {}, seed=2)


def test_the_file_is_written_once_and_then_used_as_it_is(make_dataset, tmp_path):
    dataset = make_dataset(train=("a", "b", "c", "d"))
    (dataset.folder / "cases.csv").write_text("case,patient\na,P\nb,P\n")
    dataset = RawDataset(dataset.folder)
    path = tmp_path / "preprocessed" / "splits_final.json"
    splits = load_or_create_splits(path, dataset)
    assert json.loads(path.read_text()) == splits
    assert sorted(case for split in splits for case in split["val"]) == ["a", "b", "c", "d"]
    assert {("a" in split["val"]) == ("b" in split["val"]) for split in splits} == {True}
    own = [{"train": ["c"], "val": ["d"]}]
    path.write_text(json.dumps(own))
    assert load_or_create_splits(path, dataset) == own
    assert json.loads(path.read_text()) == own


def test_the_folds_of_the_raw_dataset_are_taken_where_it_has_some(make_dataset, tmp_path):
    dataset = make_dataset()
    given = [{"train": ["c"], "val": ["b"]}]
    (dataset.folder / "splits_final.json").write_text(json.dumps(given))
    path = tmp_path / "preprocessed" / "splits_final.json"
    assert load_or_create_splits(path, dataset) == given
    assert json.loads(path.read_text()) == given
    path.unlink()
    (dataset.folder / "splits_final.json").write_text('[{"train": ["x"], "val": ["b"]}]')
    with pytest.raises(DatasetError, match=r"Dataset007_Small/splits_final\.json: fold 0 contains 1 case"):
        load_or_create_splits(path, dataset)
    assert not path.exists()


def test_folds_of_the_raw_dataset_replace_older_ones(make_dataset, tmp_path, capsys):
    dataset, path = make_dataset(), tmp_path / "splits_final.json"
    old = load_or_create_splits(path, dataset)
    assert capsys.readouterr().err == ""
    given = dataset.folder / "splits_final.json"
    new = [{"train": ["a", "c"], "val": ["b"]}]
    assert new != old
    given.write_text(json.dumps(new))
    assert load_or_create_splits(path, dataset) == new == json.loads(path.read_text())
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{path}: replaced by {given}, which differs")
    written = path.stat().st_mtime_ns
    assert load_or_create_splits(path, dataset) == new
    assert path.stat().st_mtime_ns == written
    assert capsys.readouterr().err == ""
    given.write_text('[{"train": ["x"], "val": ["b"]}]')
    with pytest.raises(DatasetError, match=r"raw/.*splits_final\.json: fold 0 contains 1 case"):
        load_or_create_splits(path, dataset)
    assert json.loads(path.read_text()) == new
    given.unlink()
    assert load_or_create_splits(path, dataset) == new


def test_folds_of_removed_cases_are_replaced_by_those_of_the_raw_dataset(make_dataset, tmp_path, capsys):
    dataset, path = make_dataset(), tmp_path / "splits_final.json"
    path.write_text('[{"train": ["removed", "a"], "val": ["b"]}]')
    new = [{"train": ["a", "c"], "val": ["b"]}]
    (dataset.folder / "splits_final.json").write_text(json.dumps(new))
    assert load_or_create_splits(path, dataset) == new == json.loads(path.read_text())
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_cases_in_no_fold_are_named(make_dataset, tmp_path, capsys):
    path = tmp_path / "splits_final.json"
    old = load_or_create_splits(path, make_dataset())
    dataset = make_dataset(train=("a", "b", "c", *(f"new{number}" for number in range(6))))
    kept = path.read_bytes()
    assert load_or_create_splits(path, dataset) == old
    assert path.read_bytes() == kept
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"{path}: 6 training case(s) are in no fold (new0, new1, new2, new3, new4, ...); add them to it, or delete it "
        "to make new folds"
    )
    given = dataset.folder / "splits_final.json"
    given.write_text(path.read_text())
    assert load_or_create_splits(path, dataset) == old
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{given}: 6 training case(s)")
    assert "ct2pet_split" in line
    given.unlink()
    path.unlink()
    assert len(load_or_create_splits(path, dataset)) == 5
    assert capsys.readouterr().err == ""


def test_one_patient_has_no_folds_and_no_message(make_dataset, tmp_path, capsys):
    dataset, path = make_dataset(train=("a",)), tmp_path / "splits_final.json"
    assert load_or_create_splits(path, dataset) == load_or_create_splits(path, dataset) == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([{"train": ["a", "x", "y"], "val": ["b"]}], r"fold 0 contains 2 case\(s\) .*Dataset007_Small.*\(x, y\)"),
        ([{"train": ["a"], "val": ["t"]}], "that are not in"),
        ([{"train": ["a"], "val": ["c"]}, {"train": ["a", "c"], "val": ["c"]}], "case c is twice in fold 1"),
        ([{"train": ["a"], "val": ["b"]}], "patient P is in training and validation of fold 0"),
        ({"train": [], "val": []}, "a list of"),
        ([{"train": ["a"]}], "a list of"),
        ([{"train": "a", "val": ["b"]}], "a list of"),
        ([{"train": [1], "val": ["b"]}], "a list of"),
        ("no JSON", "JSON"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(make_dataset, tmp_path, content, reason):
    dataset = make_dataset()
    (dataset.folder / "cases.csv").write_text("case,patient\na,P\nb,P\n")
    path = tmp_path / "splits_final.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DatasetError, match=rf"splits_final\.json: .*{reason}"):
        load_or_create_splits(path, RawDataset(dataset.folder))


def test_the_cases_of_a_fold():
    splits = [{"train": ["a"], "val": ["b"]}, {"train": ["b"], "val": ["a"]}]
    assert fold_cases(splits, 1, ["a", "b", "c"]) == (["b"], ["a"])
    assert fold_cases(splits, "0", ["a", "b", "c"]) == (["a"], ["b"])
    assert fold_cases(splits, "all", ["a", "b", "c"]) == (["a", "b", "c"], ["a", "b", "c"])
    for fold in (2, "2", "-1", -1, "", "ALL", "01"):
        with pytest.raises(DatasetError, match="the folds are 0, 1, all"):
            fold_cases(splits, fold, [])
    with pytest.raises(DatasetError, match="the folds are all"):
        fold_cases([], 0, ["a"])


@settings(max_examples=80, deadline=None, derandomize=True)
@given(table=st.lists(st.integers(0, 11), min_size=1, max_size=30), num_folds=st.integers(1, 4), fold=st.integers(0, 4))
def test_inner_folds_of_any_training_keep_patients_together(table, num_folds, fold):
    cases = [f"c{number:02}" for number in range(len(table))]
    patients = dict(zip(cases, table))
    splits = create_splits(cases, {case: f"p{patient}" for case, patient in patients.items()}, {})
    training = splits[fold]["train"] if fold < len(splits) else cases
    parts = inner_folds(splits, training, num_folds)
    assert sorted(case for part in parts for case in part) == sorted(training)
    assert all(parts)
    assert len(parts) <= num_folds
    if len(splits) > 2:  # else there is one set only, and cases are dealt one by one
        owners = {(patients[case], number) for number, part in enumerate(parts) for case in part}
        assert len(owners) == len({patient for patient, _ in owners})
    if num_folds > 1 and len(training) > 1:
        assert len(parts) > 1


def test_inner_folds_of_a_split_that_validates_few_cases():
    """Cases that nobody validates are dealt one by one."""
    splits = [{"train": ["a", "b", "c", "d"], "val": ["e"]}]
    assert inner_folds(splits, ["a", "b", "c", "d"], 2) == [["a", "c"], ["b", "d"]]
    assert inner_folds(splits, ["a"], 3) == [["a"]]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    table=st.lists(st.integers(0, 19), min_size=6, max_size=60).filter(lambda table: len({*table}) > 5),
    num_folds=st.integers(2, 4),
    fold=st.integers(0, 6),
)
def test_inner_folds_keep_patients_together_beside_a_fold_that_overlaps_the_others(table, num_folds, fold):
    """As ct2pet_split writes them: folds 0 to 4 and, as the last one, the split of the paper."""
    patients = {f"c{number:02}": f"p{patient}" for number, patient in enumerate(table)}
    parts_of = deal_parts([*patients], patients, {})
    cases = [case for case in patients if parts_of[case] != "test"]
    train, val = ([case for case in cases if parts_of[case] == part] for part in ("train", "validation"))
    splits = [*create_splits(cases, patients, {}), {"train": train, "val": val}]
    training = splits[fold]["train"] if fold < len(splits) else cases
    parts = inner_folds(splits, training, num_folds)
    assert sorted(case for part in parts for case in part) == sorted(training)
    owners = {(patients[case], number) for number, part in enumerate(parts) for case in part}
    assert len(owners) == len({patient for patient, _ in owners})
    assert len(parts) > 1


def test_cases_that_only_another_fold_validates_together_are_in_one_inner_fold():
    """b and c may be of one patient: no fold has one of them in training and the other in validation."""
    splits = [
        {"train": ["d", "e"], "val": ["a", "b"]},
        {"train": ["a", "d"], "val": ["b", "c"]},
        {"train": ["a", "b", "c"], "val": ["d"]},
    ]
    parts = inner_folds(splits, ["a", "b", "c", "d", "e"], 4)
    assert [part for part in parts if "b" in part or "c" in part] == [["b", "c"]]


def test_no_inner_folds_are_one_part():
    splits = [{"train": ["b"], "val": ["a"]}, {"train": ["a"], "val": ["b"]}]
    assert inner_folds(splits, ["a", "b"], 0) == [["a", "b"]]
