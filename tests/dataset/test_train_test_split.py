import json
import shutil
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ct2pet.cli import split
from ct2pet.dataset import RawDataset, verify_dataset
from ct2pet.dataset.splits import load_or_create_splits
from ct2pet.dataset.train_test_split import PARTS, deal_parts, split_dataset
from ct2pet.districts.base import SegmenterIdentity
from ct2pet.districts.maps import picture_file
from ct2pet.districts.records import MapRecord, origin, write_map
from ct2pet.errors import DatasetError
from ct2pet.imageio import read_volume

SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}


def names(count):
    return [f"c{number:03}" for number in range(count)]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    table=st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["", "lymphoma", "melanoma"])), max_size=60),
    seed=st.integers(0, 3),
)
def test_no_patient_has_two_parts_and_all_parts_have_their_shares(table, seed):
    cases = names(len(table))
    patients = {case: f"p{patient}" for case, (patient, _) in zip(cases, table)}
    diagnoses = {case: table[int(patients[case][1:]) % len(table)][1] for case in cases}  # one a patient
    parts = deal_parts(cases, patients, diagnoses, seed)
    assert parts == deal_parts(cases[::-1], patients, diagnoses, seed)  # the order of the cases does not matter
    assert [*parts] == cases
    of_patients = {}
    for case, part in parts.items():
        assert of_patients.setdefault(patients[case], part) == part
    for diagnosis in ("", "lymphoma", "melanoma"):
        own = {patients[case] for case in cases if diagnoses[case] == diagnosis}
        _assert_shares([of_patients[patient] for patient in own])
    _assert_shares(of_patients.values())


def _assert_shares(parts):
    counts = Counter(parts)
    for part, share in SHARES.items():
        assert abs(counts[part] - share * counts.total()) <= 1 + 1e-9


@pytest.mark.parametrize("number", [10, 50, 100])
def test_exact_shares_where_the_patients_are_a_multiple_of_ten(number):
    diagnoses = {case: "rare" if index < 7 else "common" for index, case in enumerate(names(number))}
    counts = Counter(deal_parts(names(number), {}, diagnoses).values())
    assert counts == {"train": 7 * number // 10, "validation": number // 10, "test": number // 5}


def test_strata_of_whole_tens_are_exact_too():
    diagnoses = {case: "ab"[index < 20] for index, case in enumerate(names(50))}
    parts = deal_parts(names(50), {}, diagnoses)
    for diagnosis, number in (("a", 30), ("b", 20)):
        counts = Counter(parts[case] for case in names(50) if diagnoses[case] == diagnosis)
        assert counts == {"train": 0.7 * number, "validation": 0.1 * number, "test": 0.2 * number}


@pytest.mark.parametrize(("number", "expected"), [(1, (1, 0, 0)), (2, (2, 0, 0)), (3, (2, 0, 1)), (6, (4, 1, 1))])
def test_few_patients_train_first(number, expected):
    counts = Counter(deal_parts(names(number), {}, {}).values())
    assert tuple(counts[part] for part in PARTS) == expected


def test_another_seed_gives_other_parts():
    assert deal_parts(names(30), {}, {}, seed=1) != deal_parts(names(30), {}, {}, seed=2)


def test_assigned_cases_and_all_cases_of_their_patients_keep_their_part():
    patients = {"c000": "P", "c001": "P"}
    parts = deal_parts(names(30), patients, {}, given={"c000": "test", "c005": "test", "c006": "test"})
    assert [parts[case] for case in ("c000", "c001", "c005", "c006")] == ["test"] * 4
    _assert_shares(part for case, part in parts.items() if case not in ("c000", "c001", "c005", "c006"))
    with pytest.raises(DatasetError, match="patient P is in test and in train"):
        deal_parts(names(3), patients, {}, given={"c000": "test", "c001": "train"})


@pytest.mark.parametrize("step", [1, 2, 3])
def test_patients_added_a_few_at_a_time_have_the_shares_of_all(step):
    parts = {}
    for number in range(10, 61, step):
        earlier = dict(parts)
        parts = deal_parts(names(number), {}, {}, given=earlier)
        assert earlier.items() <= parts.items()
        _assert_shares(parts.values())


@pytest.fixture
def ten(make_dataset):
    """Eleven cases of ten patients, two of them of one."""
    dataset = make_dataset(train=names(11), test=())
    (dataset.folder / "cases.csv").write_text("case,patient,note\nc000,P,first\nc001,P,second\n")
    return RawDataset(dataset.folder)


def test_a_dataset_is_split_and_can_be_trained_on(ten, tmp_path):
    counts = split_dataset(ten.folder)
    dataset = RawDataset(ten.folder)
    training, test = dataset.cases("Tr"), dataset.cases("Ts")
    assert sorted(training + test) == names(11)
    assert counts == Counter(row["split"] for row in dataset.table.values())
    assert {case for case, row in dataset.table.items() if row["split"] == "test"} == {*test}
    assert (dataset.table["c001"]["patient"], dataset.table["c001"]["note"]) == ("P", "second")
    assert verify_dataset(dataset) == []  # numTraining, partners, patients
    folds = load_or_create_splits(tmp_path / "preprocessed" / "splits_final.json", dataset)
    assert sorted(case for fold in folds[:5] for case in fold["val"]) == training
    sides = {side: [case for case in training if dataset.table[case]["split"] == name]
             for side, name in (("train", "train"), ("val", "validation"))}  # fmt: skip
    assert folds[5] == sides
    assert len(folds) == 6


def test_the_data_files_of_metaimages_move_with_their_headers(make_dataset):
    dataset = make_dataset(train=("a", "b", "c"), test=(), file_ending=".mhd")
    assert split_dataset(dataset.folder) == {"train": 2, "validation": 0, "test": 1}
    (case,) = dataset.cases("Ts")
    assert read_volume(dataset.file("CT", case, "Ts")).array.size
    assert not list((dataset.folder / "imagesTr").glob(f"{case}_*"))
    header, data = (dataset.folder / "targetsTs" / f"{case}{ending}" for ending in (".mhd", ".zraw"))
    shutil.move(header, dataset.folder / "targetsTr")  # as if it had stopped in between
    split_dataset(dataset.folder)
    assert header.is_file()
    assert data.is_file()


def test_the_record_of_a_segmented_map_moves_with_it(make_dataset):
    dataset = make_dataset(train=names(10), test=())
    segmenter = SegmenterIdentity("rules", "1", {})
    for case in names(10):
        path = dataset.file("districts", case, "Tr")
        write_map(path, read_volume(path), MapRecord(segmenter, dataset.districts, []))
        picture_file(path).write_bytes(b"picture")
    split_dataset(dataset.folder)
    for side in ("Tr", "Ts"):
        maps = [dataset.file("districts", case, side) for case in dataset.cases(side)]
        assert [origin(path) for path in maps] == [segmenter] * len(maps)
        assert all(picture_file(path).is_file() for path in maps)
        assert len(list(maps[0].parent.iterdir())) == 3 * len(maps)


def test_again_nothing_changes_and_an_interrupted_split_is_finished(ten, monkeypatch):
    split_dataset(ten.folder)
    whole = {path: path.read_bytes() for path in ten.folder.rglob("*") if path.is_file()}
    split_dataset(ten.folder, seed=99)  # a part that is given stays
    assert {path: path.read_bytes() for path in ten.folder.rglob("*") if path.suffix == ".gz"} == {
        path: content for path, content in whole.items() if path.suffix == ".gz"
    }
    for kind in ("images", "lesions"):  # as if it had stopped in between
        path = next((ten.folder / f"{kind}Ts").iterdir())
        shutil.move(path, ten.folder / f"{kind}Tr" / path.name)
    split_dataset(ten.folder)
    assert {path: path.read_bytes() for path in ten.folder.rglob("*") if path.is_file()} == whole


def test_new_cases_join_and_the_old_stay(make_dataset):
    dataset = make_dataset(train=names(10), test=())
    split_dataset(dataset.folder)
    before = {case: row["split"] for case, row in RawDataset(dataset.folder).table.items()}
    make_dataset(train=[f"d{number}" for number in range(10)], test=())
    counts = split_dataset(dataset.folder)
    assert counts == {"train": 14, "validation": 2, "test": 4}
    after = {case: row["split"] for case, row in RawDataset(dataset.folder).table.items()}
    assert {case: after[case] for case in before} == before
    assert verify_dataset(RawDataset(dataset.folder), 1)[0].message.startswith("the same image")  # the helper's seeds


def test_own_test_cases_and_unknown_parts_are_refused(make_dataset):
    folder = make_dataset().folder
    with pytest.raises(DatasetError, match=r"1 test case\(s\) already exist \(t, "):
        split_dataset(folder)
    (folder / "cases.csv").write_text("case,split\nt,Ts\n")
    with pytest.raises(DatasetError, match="t has the split 'Ts'; known are train"):
        split_dataset(folder)
    (folder / "cases.csv").write_text("case,split\nt,test\n")
    assert split_dataset(folder) == {"train": 2, "validation": 0, "test": 2}
    assert len(json.loads((folder / "splits_final.json").read_text())) == 2  # no validation case: no fold of its own


@pytest.mark.parametrize(("patients", "said"), [("PPPP", "4 case(s) of 1 patient(s)"), ("PPQQ", "of 2 patient(s)")])
def test_too_few_patients_are_one_line_and_nothing_changes(make_dataset, monkeypatch, capsys, patients, said):
    folder = make_dataset(train=names(4), test=()).folder
    rows = [f"{case},{patient}" for case, patient in zip(names(4), patients)]
    (folder / "cases.csv").write_text("\n".join(["case,patient", *rows]))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    monkeypatch.setenv("ct2pet_raw", str(folder.parent))
    assert split.main(["-d", "7"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert said in line
    assert "a test part needs 3 patients; training, validation and test need 6" in line
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_parts_that_the_user_gave_may_be_of_one_patient(make_dataset):
    folder = make_dataset(train=names(2), test=()).folder
    (folder / "cases.csv").write_text("case,patient,split\nc000,P,train\nc001,P,train\n")
    assert split_dataset(folder) == {"train": 2, "validation": 0, "test": 0}


def test_a_case_on_both_sides_is_refused_before_anything_moves(make_dataset):
    folder = make_dataset(train=("a", "b", "t")).folder
    (folder / "cases.csv").write_text("case,split\nt,test\n")
    with pytest.raises(DatasetError, match="already exists: the case is in training and in test"):
        split_dataset(folder)
    assert RawDataset(folder).cases("Tr") == ["a", "b", "t"]


def test_the_command(ten, monkeypatch, capsys):
    monkeypatch.setenv("ct2pet_raw", str(ten.folder.parent))
    assert split.main(["-d", "7"]) == 0
    assert "train, 1 validation, " in capsys.readouterr().out
    assert split.main(["-d", "8"]) == 2
    assert "Dataset007_Small" in capsys.readouterr().err
