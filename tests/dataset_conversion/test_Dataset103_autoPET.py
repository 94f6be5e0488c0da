import json

import numpy as np
import pytest
from nifti_studies import ct_of, lesions_of, pet_of, write_images

from ct2pet.dataset import open_dataset, verify_dataset
from ct2pet.dataset.splits import load_or_create_splits
from ct2pet.imageio import read_volume
from dataset_conversion import Dataset103_autoPET as autopet

STUDY = "03-23-2003-NA-PET-CT Ganzkoerper  primaer mit KM-10445"
NAMES = [
    f"fdg_0011f3deaf_{STUDY}",
    "fdg_01140d52d8_a",
    "fdg_01140d52d8_b",
    "fdg_02_c",
    "psma_95b833d65be26d9f_2018-04-23",
]


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    root = tmp_path / "in"
    for seed, name in enumerate(NAMES):
        write_images(
            {
                root / "imagesTr" / f"{name}_0000.nii.gz": ct_of(seed),
                root / "imagesTr" / f"{name}_0001.nii.gz": pet_of(seed),
                root / "labelsTr" / f"{name}.nii.gz": lesions_of(seed),
            }
        )
    write_folds(root, [NAMES[:1], NAMES[1:3], NAMES[3:]])
    (root / "fdg_metadata.csv").write_text(
        "Subject ID,Study UID,diagnosis,age,sex\n"
        "PETCT_0011f3deaf,1,MELANOMA,060Y,M\nPETCT_01140d52d8,2,NEGATIVE,050Y,F\n"
    )
    (root / "psma_metadata.csv").write_text("Subject ID,Study Date,age\nPSMA_95b833d65be26d9f,2018-04-23,71\n")
    return root


def write_folds(root, validation):
    folds = [{"train": [name for name in NAMES if name not in val], "val": val} for val in validation]
    (root / "splits_final.json").write_text(json.dumps(folds))


def case_of(dataset, seed):
    """The case whose PET has this seed."""
    wanted = pet_of(seed).array
    return next(
        case for case in dataset.cases() if np.array_equal(read_volume(dataset.file("PET", case)).array, wanted)
    )


def test_the_release_becomes_a_dataset_with_the_challenges_folds(source, tmp_path, capsys):
    assert autopet.main(["-i", str(source), "-np", "1"]) == 0
    printed = capsys.readouterr().out
    assert "3 folds are kept" in printed
    assert "left out: 1 case(s) of PSMA" in printed
    dataset = open_dataset("103")
    assert verify_dataset(dataset) == []
    cases = [case_of(dataset, seed) for seed in range(4)]
    assert sorted(cases) == dataset.cases() == [f"autoPET_{number:04}" for number in range(1, 5)]
    for seed, case in enumerate(cases):
        np.testing.assert_array_equal(read_volume(dataset.file("CT", case)).array, ct_of(seed).array)
        np.testing.assert_array_equal(read_volume(dataset.file("lesions", case)).array, lesions_of(seed).array)
    assert dataset.patients()[cases[1]] == dataset.patients()[cases[2]]
    assert dataset.diagnoses()[cases[0]] == "melanoma"
    folds = load_or_create_splits(tmp_path / "splits_final.json", dataset)
    assert [fold["val"] for fold in folds] == [cases[:1], sorted(cases[1:3]), cases[3:]]
    assert all(sorted(fold["train"] + fold["val"]) == dataset.cases() for fold in folds)


def test_folds_with_a_patient_on_both_sides_are_not_kept(source, capsys):
    write_folds(source, [NAMES[:1], NAMES[1:2], NAMES[2:]])
    assert autopet.main(["-i", str(source), "-np", "1"]) == 0
    assert "not kept, fold 1 has 1 patient(s) in training and validation" in capsys.readouterr().out
    assert not (open_dataset("103").folder / "splits_final.json").exists()


def test_the_split_of_ours_takes_the_place_of_the_folds(source, capsys):
    assert autopet.main(["-i", str(source), "-np", "1", "--split"]) == 0
    dataset = open_dataset("103")
    assert dataset.cases("Ts")
    folds = json.loads((dataset.folder / "splits_final.json").read_text())
    assert {case for fold in folds for side in fold.values() for case in side} == {*dataset.cases("Tr")}
    assert autopet.main(["-i", str(source), "-np", "1"]) == 0
    assert "already has a split" in capsys.readouterr().out
    assert json.loads((dataset.folder / "splits_final.json").read_text()) == folds


def test_each_missing_file_is_one_line(source, capsys):
    (source / "imagesTr" / f"{NAMES[0]}_0001.nii.gz").unlink()
    (source / "labelsTr" / f"{NAMES[3]}.nii.gz").unlink()
    (source / "imagesTr" / f"{NAMES[1]}_0000.nii.gz").rename(source / "imagesTr" / "strange_0000.nii.gz")
    (source / "imagesTr" / f"{NAMES[1]}_0001.nii.gz").rename(source / "imagesTr" / "strange_0001.nii.gz")
    (source / "splits_final.json").unlink()
    assert autopet.main(["-i", str(source), "-np", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"left out: imagesTr/{NAMES[0]}_0001.nii.gz: the file is missing" in lines
    assert "fdg_02_c: lesions: its file in labelsTr is missing" in lines
    assert any("strange_0000.nii.gz: the name does not contain the patient" in line for line in lines)
    assert any("splits_final.json: missing" in line for line in lines)
    assert len(open_dataset("103").cases()) == 2


def test_another_folder_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    assert autopet.main(["-i", str(tmp_path)]) == 2
    assert "no folder imagesTr" in capsys.readouterr().err
