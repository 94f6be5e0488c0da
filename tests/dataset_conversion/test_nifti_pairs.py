import csv
import os
import stat

import pytest
from nifti_studies import ct_of, lesions_of, pet_of, write_images

from ct2pet.conversion.patient_map import read_map
from ct2pet.dataset import open_dataset, verify_dataset
from ct2pet.imageio import read_volume
from dataset_conversion import nifti_pairs


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Flat names, folders, nnU-Net's names; another image beside them."""
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    root = tmp_path / "in"
    write_images(
        {
            root / "Muster_Erika_CT.nii.gz": ct_of(0),
            root / "Muster_Erika_PET.nii.gz": pet_of(0),
            root / "17" / "CT_image.nii.gz": ct_of(1),
            root / "17" / "PET_image.nii": pet_of(1),
            root / "17" / "PET_mask.nii.gz": lesions_of(1),
            root / "case3_0000.nii.gz": ct_of(2),
            root / "case3_0001.nii.gz": pet_of(2),
        }
    )
    return root


def run(source, *options):
    return nifti_pairs.main(["-i", str(source), "-d", "001", "-n", "CLINIC", "-np", "1", *options])


@pytest.mark.parametrize(
    ("name", "role", "rest"),
    [
        ("anna_CT", "CT", "anna"),
        ("anna-1 pet", "PET", "anna_1"),
        ("SUV", "PET", ""),
        ("PET_mask", "lesions", ""),
        ("x_0001", "PET", "x"),
        ("LUNG_0001_CT", "CT", "LUNG_0001"),  # the number of a patient
        ("0001_CT", "CT", "0001"),
        ("CT_0001", "CT", "0001"),
        ("LUNG_0001_0000", "CT", "LUNG_0001"),
        ("LUNG_0000_0001", "PET", "LUNG_0000"),
        ("LUNG_0001_scan", None, "LUNG_0001_scan"),
        ("actor", None, "actor"),  # no word of its own
        ("petra_ct", "CT", "petra"),
    ],
)
def test_the_file_name_gives_the_kind_of_image(name, role, rest):
    assert nifti_pairs.role_of(name) == (role, rest)


def test_pairs_of_any_layout_become_a_dataset(source, tmp_path):
    (source / "studies.csv").write_text(
        "study,patient,diagnosis,sex,age\nMuster_Erika,E,lymphoma,F,61\n17,E,lymphoma,female,95\n"
    )
    assert run(source, "--patient_map", str(tmp_path / "map.csv")) == 0
    dataset = open_dataset("1")
    assert verify_dataset(dataset) == []
    assert stat.S_IMODE((tmp_path / "map.csv").stat().st_mode) == 0o600
    with (tmp_path / "map.csv").open(newline="") as file:
        names = {row["study_instance_uid"]: row["case"] for row in csv.DictReader(file)}
    assert {*names} == {"Muster_Erika", "17", "case3"}
    patients = dataset.patients()
    assert patients[names["Muster_Erika"]] == patients[names["17"]] != patients[names["case3"]]
    assert [name for name, case in names.items() if dataset.file("lesions", case)] == ["17"]
    row = dataset.table[names["17"]]
    assert (row["diagnosis"], row["sex"], row["age"]) == ("lymphoma", "F", "90")
    assert (read_volume(dataset.file("PET", names["17"])).array == pet_of(1).array).all()


@pytest.mark.parametrize(("ct", "pet"), [("CT", "PET"), ("0000", "0001")])
def test_numbers_of_patients_are_not_taken_for_kinds_of_images(tmp_path, monkeypatch, ct, pet):
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    for number in range(3):
        name = f"LUNG_{number:04d}"
        write_images({tmp_path / "in" / f"{name}_{ct}.nii.gz": ct_of(number)})
        write_images({tmp_path / "in" / f"{name}_{pet}.nii.gz": pet_of(number)})
    assert run(tmp_path / "in", "--patient_map", str(tmp_path / "map.csv")) == 0
    dataset = open_dataset("1")
    with (tmp_path / "map.csv").open(newline="") as file:
        names = {row["study_instance_uid"]: row["case"] for row in csv.DictReader(file)}
    assert {*names} == {"LUNG_0000", "LUNG_0001", "LUNG_0002"}
    for number in range(3):
        case = names[f"LUNG_{number:04d}"]
        assert (read_volume(dataset.file("CT", case)).array == ct_of(number).array).all()
        assert (read_volume(dataset.file("PET", case)).array == pet_of(number).array).all()


def test_images_of_two_patients_are_not_paired(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    write_images(
        {tmp_path / "in" / "LUNG_0000_CT.nii.gz": ct_of(0), tmp_path / "in" / "LUNG_0001_PET.nii.gz": pet_of(1)}
    )
    assert run(tmp_path / "in") == 2
    assert "no usable study" in capsys.readouterr().err
    assert not (tmp_path / "raw").exists()


def test_links_are_followed_each_folder_once(source, tmp_path, capsys):
    study = tmp_path / "archive" / "s1"
    write_images({study / "ct.nii.gz": ct_of(4), study / "pet.nii.gz": pet_of(4)})
    (source / "linked").symlink_to(tmp_path / "archive")
    (tmp_path / "archive" / "circle").symlink_to(source)
    (source / "x_ct.nii.gz").symlink_to(study / "ct.nii.gz")
    (source / "x_pet.nii.gz").symlink_to(tmp_path / "nowhere.nii.gz")
    assert run(source, "--patient_map", str(tmp_path / "map.csv")) == 0
    with (tmp_path / "map.csv").open(newline="") as file:
        assert {row["study_instance_uid"] for row in csv.DictReader(file)} == {
            "Muster_Erika",
            "17",
            "case3",
            "linked/s1",
        }
    printed = capsys.readouterr().out
    assert "left out: a study without PET" in printed
    assert "left out: not a regular file (a broken link, a device)" in printed


def test_a_folder_whose_name_is_not_text_is_in_the_map(source, tmp_path):
    name = os.fsdecode(b"M\xfcller")
    write_images({source / name / "ct.nii.gz": ct_of(4), source / name / "pet.nii.gz": pet_of(4)})
    for _ in range(2):
        assert run(source, "--patient_map", str(tmp_path / "map.csv")) == 0
        assert name in {row.folder for row in read_map(tmp_path / "map.csv")}
    assert len(open_dataset("1").cases()) == 4


def test_a_source_that_is_a_link(source, tmp_path):
    (tmp_path / "link").symlink_to(source)
    assert run(tmp_path / "link") == 0
    assert len(open_dataset("1").cases()) == 3


def test_unpaired_images_are_counted_on_the_screen_and_named_in_the_table_only(source, tmp_path, capsys):
    write_images({source / "Geheim_CT.nii.gz": ct_of(5), source / "topogram.nii.gz": ct_of(6)})
    write_images({source / "17" / "ct.nii.gz": ct_of(7), source / "Meier_CT.nii.gz": ct_of(8)})
    write_images({source / "Meier_PET.nii.gz": pet_of(8, 4000)})
    assert run(source, "--left_out", str(tmp_path / "left.csv")) == 1
    printed = capsys.readouterr()
    for line in ("a study without PET", "its name does not contain", "a study with 2 images for its CT"):
        assert f"left out: {line}" in printed.out
    assert "PET: its values reach" in printed.err
    table = (tmp_path / "left.csv").read_text()
    for name in ("Geheim", "topogram", "Meier"):
        assert name not in printed.out + printed.err
        assert name in table
    for path in (tmp_path / "raw").rglob("*"):
        for name in ("Muster", "Erika", "Meier"):
            assert name not in str(path)
            assert path.suffix not in (".json", ".csv") or name not in path.read_text()
    assert len(open_dataset("1").cases()) == 2


def test_new_studies_are_added_and_old_numbers_are_kept(source, tmp_path):
    assert run(source, "--split") == 0
    before = open_dataset("1").table
    write_images({source / "new_CT.nii.gz": ct_of(9), source / "new_PET.nii.gz": pet_of(9)})
    assert run(source, "--split") == 0
    dataset = open_dataset("1")
    assert {case: dataset.table[case] for case in before} == before
    assert len(dataset.table) == len(before) + 1
    assert verify_dataset(dataset) == []


def test_cases_of_another_source_are_not_added(source, tmp_path, capsys):
    assert run(source) == 0
    write_images({tmp_path / "b" / "x_ct.nii.gz": ct_of(11), tmp_path / "b" / "x_pet.nii.gz": pet_of(11)})
    assert run(tmp_path / "b") == 2
    assert "3 of its cases" in capsys.readouterr().err
    assert len(open_dataset("1").cases()) == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [("patient\nA\n", "line 2 has no study"), ("study\na\na\n", "line 3 has the study of another line")],
)
def test_a_wrong_table_is_refused(source, capsys, content, reason):
    (source / "studies.csv").write_text(content)
    assert run(source) == 2
    assert reason in capsys.readouterr().err


def test_an_empty_folder_and_a_folder_in_the_way_are_refused(tmp_path, source, capsys):
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty") == 2
    assert "no usable study" in capsys.readouterr().err
    (tmp_path / "raw" / "Dataset001_CLINIC").mkdir(parents=True)
    (tmp_path / "raw" / "Dataset001_CLINIC" / "mine.txt").touch()
    assert run(source) == 2
    assert "was not made by a conversion" in capsys.readouterr().err
