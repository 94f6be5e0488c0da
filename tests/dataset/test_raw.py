import pytest

from ct2pet.dataset import RawDataset, check_case_name, dataset_folder_name, open_dataset
from ct2pet.errors import DatasetError


@pytest.mark.parametrize("file_ending", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_cases_and_their_files(make_dataset, file_ending):
    dataset = make_dataset(file_ending=file_ending)
    assert dataset.name == "Dataset007_Small"
    assert dataset.file_ending == file_ending
    assert dataset.districts == {"head": 1, "trunk": 2}
    assert dataset.cases("Tr") == ["a", "b", "c"]
    assert dataset.cases("Ts") == ["t"]
    folder = dataset.folder
    assert dataset.file("CT", "a", "Tr") == folder / "imagesTr" / f"a_0000{file_ending}"
    assert dataset.file("PET", "t", "Ts") == folder / "targetsTs" / f"t{file_ending}"
    assert dataset.file("districts", "b") == folder / "districtsTr" / f"b{file_ending}"
    assert dataset.file("lesions", "c") == folder / "lesionsTr" / f"c{file_ending}"
    assert dataset.file("organs", "c") is None
    assert dataset.file("CT", "a", "Ts") is None
    with pytest.raises(ValueError, match="'val'"):
        dataset.cases("val")


def test_files_of_other_endings_and_half_written_ones_are_no_cases(make_dataset):
    dataset = make_dataset(train=("a",))
    for name in ("b_0000.nii", "c.nii.gz", "d_0001.nii.gz", ".partial-x-e_0000.nii.gz"):
        (dataset.folder / "imagesTr" / name).touch()
    assert dataset.cases("Tr") == ["a"]


def test_a_dataset_is_found_by_id_and_by_name(make_dataset, tmp_path, monkeypatch):
    folder = make_dataset().folder
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    for wanted in ("7", "007", 7, "Dataset007_Small"):
        assert open_dataset(wanted).folder == folder
        assert dataset_folder_name(wanted, tmp_path / "raw") == "Dataset007_Small"


@pytest.mark.parametrize("wanted", ["8", "70", "Small", "Dataset007", "../Dataset007_Small", ".", "", "-7", "٧"])
def test_an_unknown_dataset_is_refused_with_the_existing_ones(make_dataset, tmp_path, wanted):
    make_dataset()
    with pytest.raises(DatasetError, match="there are: Dataset007_Small"):
        open_dataset(wanted, tmp_path / "raw")
    with pytest.raises(DatasetError, match="none"):
        open_dataset(wanted, tmp_path / "nowhere")


def test_an_id_that_two_datasets_have_is_refused_and_the_name_is_not(make_dataset, tmp_path):
    make_dataset()
    other = make_dataset(name="Dataset007_Other")
    with pytest.raises(DatasetError, match="Dataset007_Other, Dataset007_Small"):
        open_dataset("7", tmp_path / "raw")
    assert open_dataset("Dataset007_Other", tmp_path / "raw").folder == other.folder


def test_a_folder_without_dataset_json_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="no such dataset folder"):
        RawDataset(tmp_path / "Dataset001_X")
    with pytest.raises(DatasetError, match=r"dataset\.json: no such file"):
        RawDataset(tmp_path)


def test_patients_and_diagnoses_come_from_cases_csv(make_dataset):
    dataset = make_dataset()
    assert dataset.patients() == {case: case for case in "abct"}
    assert dataset.diagnoses() == dict.fromkeys("abct", "")
    # as a spreadsheet writes it: a byte order mark, columns in any order, empty cells, an empty line
    text = "\ufeffdiagnosis,case,patient\r\nlymphoma,a,P1\r\n negative ,b, P1\r\n,c,\r\n,,\r\n"
    (dataset.folder / "cases.csv").write_text(text, encoding="utf-8")
    dataset = RawDataset(dataset.folder)
    assert dataset.patients() == {"a": "P1", "b": "P1", "c": "c", "t": "t"}
    assert dataset.diagnoses() == {"a": "lymphoma", "b": "negative", "c": "", "t": ""}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("patient,diagnosis\nP,x\n", "'case'"),
        ("case;patient\na;P\n", "commas"),
        ("case\na\na\n", "two rows"),
        ("", "'case'"),
    ],
)
def test_a_table_that_breaks_a_rule_is_named(make_dataset, text, reason):
    dataset = make_dataset()
    (dataset.folder / "cases.csv").write_text(text)
    with pytest.raises(DatasetError, match=rf"cases\.csv.*{reason}"):
        dataset.patients()


def test_case_names():
    for case in ("a", "STS_001", "0001", "p1.s2", "a-b"):
        check_case_name(case)
    for case in ("", "a b", "a/b", "a\\b", "..", ".a", "-a", "_a", "ä", "a\n"):
        with pytest.raises(DatasetError, match="case name"):
            check_case_name(case)
