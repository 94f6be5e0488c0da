import csv
import json

import numpy as np
import pytest
from dicom_files import PET_GRID as DICOM_PET_GRID
from dicom_files import write
from dicom_seg import segmentation
from dicom_studies import study_of
from nifti_studies import CT_GRID, PET_GRID, ct_of, lesions_of, pet_of, write_images

from ct2pet.dataset import open_dataset, verify_dataset
from ct2pet.imageio import read_volume
from dataset_conversion import Dataset102_FDGPETCTLesions as fdg

STUDY = "03-23-2003-NA-PET-CT Ganzkoerper  primaer mit KM-10445"
COLUMNS = ["Series UID", "Subject ID", "Study UID", "Modality", "File Location", "diagnosis", "age", "sex"]


def write_study(root, subject, study, seed):
    folder = root / subject / study
    grids = {"CT": ct_of(seed), "CTres": ct_of(seed, PET_GRID), "SUV": pet_of(seed), "SEG": lesions_of(seed)}
    write_images({folder / f"{name}.nii.gz": volume for name, volume in grids.items()})
    write_images({folder / "PET.nii.gz": pet_of(seed, 4000)})
    return folder


def write_metadata(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for subject, study, uid, diagnosis, age, sex in rows:
            for modality in ("CT", "PT", "SEG"):
                place = f"./FDG-PET-CT-Lesions/{subject}/{study}/{modality}-1"
                writer.writerow([f"{uid}.{modality}", subject, uid, modality, place, diagnosis, age, sex])


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Three patients, one of them twice."""
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    root = tmp_path / "in" / "FDG-PET-CT-Lesions"
    for seed, (subject, study) in enumerate(
        [("PETCT_0011f3deaf", STUDY), ("PETCT_01140d52d8", "a-1"), ("PETCT_01140d52d8", "b-2"), ("PETCT_02", "c")]
    ):
        write_study(root, subject, study, seed)
    rows = [
        ("PETCT_0011f3deaf", STUDY, "1.1", "MELANOMA", "060Y", "M"),
        ("PETCT_01140d52d8", "a-1", "1.2", "NEGATIVE", "093Y", "F"),
        ("PETCT_01140d52d8", "b-2", "1.3", "LUNG_CANCER", "093Y", "F"),
        ("PETCT_02", "c", "1.4", "LYMPHOMA", "35", "F"),
    ]
    write_metadata(root.parent / "Clinical Metadata FDG PET_CT Lesions.csv", rows)
    return root


def names_of(tmp_path):
    with (tmp_path / "map.csv").open(newline="") as file:
        return {row["study_instance_uid"]: row["case"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("up", [False, True])
def test_the_nifti_release_becomes_a_dataset(source, tmp_path, capsys, up):
    place = source.parent if up else source
    assert fdg.main(["-i", str(place), "-np", "1", "--patient_map", str(tmp_path / "map.csv")]) == 0
    dataset = open_dataset("102")
    assert verify_dataset(dataset) == []
    assert dataset.cases() == [f"FDGPETCTLesions_{number:04}" for number in range(1, 5)]
    names = names_of(tmp_path)
    case = names[f"PETCT_0011f3deaf/{STUDY}"]
    assert read_volume(dataset.file("CT", case)).grid.matches(CT_GRID)  # CT.nii.gz, not CTres.nii.gz
    np.testing.assert_array_equal(read_volume(dataset.file("CT", case)).array, ct_of(0).array)
    assert read_volume(dataset.file("CT", case)).array.dtype == np.int16
    np.testing.assert_array_equal(read_volume(dataset.file("PET", case)).array, pet_of(0).array)  # SUV, not PET
    np.testing.assert_array_equal(read_volume(dataset.file("lesions", case)).array, lesions_of(0).array)
    row = dataset.table[case]
    assert (row["diagnosis"], row["sex"], row["age"]) == ("melanoma", "M", "60")
    first, second = (dataset.table[names[f"PETCT_01140d52d8/{study}"]] for study in ("a-1", "b-2"))
    assert (first["diagnosis"], second["diagnosis"]) == ("negative", "lung cancer")
    assert first["patient"] == second["patient"]
    assert second["age"] == "90"  # rarer ages can identify
    assert len({*dataset.patients().values()}) == 3
    assert dataset.description.extra["licence"] == "CC BY 4.0"


def test_the_dataset_contains_no_names_of_the_source(source, tmp_path):
    assert fdg.main(["-i", str(source), "-np", "1"]) == 0
    for path in (tmp_path / "raw").rglob("*"):
        for word in ("PETCT_0", "0011f3deaf", "Ganzkoerper", "2003"):
            assert word not in str(path.relative_to(tmp_path))
            if path.suffix in (".json", ".csv"):
                assert word not in path.read_text()


def test_each_missing_file_is_one_line(source, capsys):
    studies = sorted(source.glob("*/*"))
    (studies[0] / "SUV.nii.gz").unlink()
    (studies[1] / "CT.nii.gz").unlink()
    (studies[2] / "SEG.nii.gz").unlink()
    (studies[3] / "CT.nii.gz").unlink()
    (studies[3] / "CTres.nii.gz").unlink()
    assert fdg.main(["-i", str(source), "-np", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"left out: PETCT_0011f3deaf/{STUDY}: SUV.nii.gz is missing (PET.nii.gz is not in SUV)" in lines
    assert "left out: PETCT_02/c: CT.nii.gz is missing" in lines
    assert any("PETCT_01140d52d8/a-1: CT: CT.nii.gz is missing, CTres.nii.gz" in line for line in lines)
    assert "PETCT_01140d52d8/b-2: lesions: SEG.nii.gz is missing" in lines
    dataset = open_dataset("102")
    assert len(dataset.cases()) == 2
    grids = [read_volume(dataset.file("CT", case)).grid for case in dataset.cases()]
    assert sorted(grid.matches(PET_GRID) for grid in grids) == [False, True]


def test_a_damaged_study_is_named_the_others_are_done_and_it_is_done_next_time(source, tmp_path, capsys):
    folder = source / "PETCT_02" / "c"
    whole = (folder / "SUV.nii.gz").read_bytes()
    (folder / "SUV.nii.gz").write_bytes(whole[:200])
    assert fdg.main(["-i", str(source), "-np", "1", "--split"]) == 1
    assert "PETCT_02/c: PET: " in capsys.readouterr().err
    dataset = open_dataset("102")
    assert len(dataset.cases()) == dataset.description.num_training == 3
    assert not dataset.cases("Ts")
    before = {path: path.stat().st_mtime_ns for path in dataset.folder.rglob("*.nii.gz")}
    (folder / "SUV.nii.gz").write_bytes(whole)
    assert fdg.main(["-i", str(source), "-np", "1"]) == 0
    dataset = open_dataset("102")
    assert len(dataset.cases()) == 4
    assert verify_dataset(dataset) == []
    assert {path: path.stat().st_mtime_ns for path in before} == before  # only what was missing is done


def test_a_pet_in_bq_or_in_another_place_is_refused(source, capsys):
    write_images({source / "PETCT_02" / "c" / "SUV.nii.gz": pet_of(3, 4000)})
    far = ct_of(0)
    moved = type(far.grid)(far.grid.shape, far.grid.spacing, (500.0, 0.0, 0.0))
    write_images({source / "PETCT_0011f3deaf" / STUDY / "CT.nii.gz": type(far)(far.array, moved)})
    assert fdg.main(["-i", str(source), "-np", "1"]) == 1
    message = capsys.readouterr().err
    assert "PETCT_02/c: PET: its values reach" in message
    assert f"{STUDY}: CT: it overlaps the PET by only 0%" in message
    assert len(open_dataset("102").cases()) == 2


def test_split_keeps_patients_together_and_a_second_run_finds_all(source):
    assert fdg.main(["-i", str(source), "-np", "1", "--split"]) == 0
    dataset = open_dataset("102")
    assert verify_dataset(dataset) == []
    assert len(dataset.cases("Ts")) in (1, 2)  # one of three patients
    assert fdg.main(["-i", str(source), "-np", "1", "--split"]) == 0
    assert open_dataset("102").cases("Ts") == dataset.cases("Ts")


def test_without_the_table_there_are_no_diagnoses_and_a_wrong_table_is_refused(source, capsys):
    table = next(source.parent.glob("*.csv"))
    table.rename(source.parent / "elsewhere.txt")
    assert fdg.main(["-i", str(source), "-np", "1"]) == 0
    assert "no table of clinical metadata" in capsys.readouterr().out
    (source / "other.csv").write_text("a,b\n1,2\n")
    assert fdg.main(["-i", str(source), "--metadata", str(source / "other.csv")]) == 2
    assert "other.csv: not a table of clinical metadata" in capsys.readouterr().err


def test_a_folder_without_patients_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    assert fdg.main(["-i", str(tmp_path)]) == 2
    assert "no folders PETCT_xxx" in capsys.readouterr().err


def test_the_dicom_tree_becomes_the_same_kind_of_dataset(tmp_path, monkeypatch):
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    root, rows = tmp_path / "FDG-PET-CT-Lesions", []
    for seed, subject in enumerate(("PETCT_01", "PETCT_02")):
        ct, pet = study_of(subject, seed)
        mask = np.zeros(DICOM_PET_GRID.shape, bool)
        mask[1, 2:4, 2:4] = True
        folder = root / subject / "03-23-2003-PET-CT"
        write(ct, folder / "1-CT", "1-{}.dcm")
        write(pet, folder / "2-PET", "1-{}.dcm")
        write(segmentation(pet, [mask]), folder / "3-SEG", "1-{}.dcm")
        rows.append((subject, folder.name, pet[0].StudyInstanceUID, "LYMPHOMA", "035Y", "F"))
    write_metadata(root / "metadata.csv", rows)
    assert fdg.main(["-i", str(root), "-np", "1"]) == 0
    dataset = open_dataset("102")
    assert verify_dataset(dataset) == []
    assert dataset.diagnoses() == dict.fromkeys(dataset.cases(), "lymphoma")
    assert len({*dataset.patients().values()}) == 2
    assert all(read_volume(dataset.file("lesions", case)).array.sum() == 4 for case in dataset.cases())
    assert json.loads((dataset.folder / "dataset.json").read_text())["licence"] == "CC BY 4.0"
