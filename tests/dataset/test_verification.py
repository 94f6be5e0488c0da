"""One thing broken, one problem; everything broken at once, all problems in one pass."""

import dataclasses
import re
import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from ct2pet.dataset import RawDataset, verify_dataset
from ct2pet.imageio import read_volume, write_volume
from ct2pet.volume import Grid, Volume


def change(dataset, kind, case, function, split="Tr"):
    path = dataset.path(kind, case, split)
    volume = read_volume(path)
    write_volume(path, volume.with_array(function(volume.array)))


def spoil(array):
    array = array.astype(np.float32)
    array[1, 2, 3] = np.nan
    array[1, 2, 4] = np.inf
    return array


def shift(dataset, kind, case, mm):
    path = dataset.path(kind, case, "Tr")
    volume = read_volume(path)
    x, y, z = volume.grid.origin
    write_volume(path, Volume(volume.array, dataclasses.replace(volume.grid, origin=(x, y, z + mm))))


def write_frames(path):
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(np.zeros((4, 5, 6), np.int16))] * 2), str(path))


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-20])


# name: (what is done to the dataset, the file that is named, words of the message)
BROKEN = {
    "no pet": (lambda d: d.file("PET", "a").unlink(), "targetsTr/a.nii.gz", "missing"),
    "no ct": (lambda d: d.file("CT", "t", "Ts").unlink(), "imagesTs/t_0000.nii.gz", "missing, but"),
    "no channel": (
        lambda d: shutil.copy(d.file("CT", "a"), d.folder / "imagesTr/x.nii.gz"),
        "imagesTr/x.nii.gz",
        "_0000",
    ),
    "case name": (
        lambda d: shutil.move(d.file("lesions", "a"), d.folder / "lesionsTr/a b.nii.gz"),
        "lesionsTr/a b.nii.gz",
        "case name 'a b'",
    ),
    "ending": (lambda d: (d.folder / "imagesTr/x_0000.nii").touch(), "imagesTr/x_0000.nii", "file_ending"),
    "cut off": (lambda d: cut_off(d.file("CT", "b")), "imagesTr/b_0000.nii.gz", "damaged|truncated"),
    "no image": (lambda d: d.file("PET", "b").write_text("text"), "targetsTr/b.nii.gz", "damaged"),
    "nan in ct": (
        lambda d: change(d, "CT", "a", spoil),
        "imagesTr/a_0000.nii.gz",
        "2 voxels are NaN or infinite: convert",
    ),
    "nan in pet": (lambda d: change(d, "PET", "a", spoil), "targetsTr/a.nii.gz", "2 voxels are NaN"),
    "frames": (lambda d: write_frames(d.file("PET", "c")), "targetsTr/c.nii.gz", "6 x 5 x 4 x 2"),
    "not hu": (lambda d: change(d, "CT", "c", lambda a: a + 1024), "imagesTr/c_0000.nii.gz", "HU"),
    "not suv": (lambda d: change(d, "PET", "t", lambda a: a * 5000, "Ts"), "targetsTs/t.nii.gz", "Bq/ml"),
    "apart": (lambda d: shift(d, "PET", "a", 500), "targetsTr/a.nii.gz", "overlaps the CT by only 0%"),
    "label": (lambda d: change(d, "districts", "a", lambda a: a * 3), "districtsTr/a.nii.gz", r"label\(s\) 3, 6 "),
    "no district": (lambda d: change(d, "districts", "a", lambda a: a * 0), "districtsTr/a.nii.gz", "no voxel"),
    "lesions": (lambda d: change(d, "lesions", "a", lambda a: a * 0.5), "lesionsTr/a.nii.gz", "not labels"),
    "same ct": (
        lambda d: shutil.copy(d.file("CT", "a"), d.file("CT", "b")),
        "imagesTr/b_0000.nii.gz",
        "same image as .*a_0000",
    ),
    "same pet": (
        lambda d: shutil.copy(d.file("PET", "a"), d.file("PET", "t", "Ts")),
        "targetsTs/t.nii.gz",
        "same image as .*/a",
    ),
    "patient": (
        lambda d: (d.folder / "cases.csv").write_text("case,patient\na,P\nt,P\n"),
        "cases.csv",
        "patient 'P' of this test case",
    ),
    "row": (lambda d: (d.folder / "cases.csv").write_text("case,patient\nzz,P\n"), "cases.csv", "'zz' has a row"),
    "table": (lambda d: (d.folder / "cases.csv").write_text("patient\n"), "cases.csv", "'case'"),
}


@pytest.mark.parametrize("file_ending", [".nii.gz", ".nii", ".nrrd", ".mha", ".mhd"])
def test_a_right_dataset_has_no_problems(make_dataset, file_ending):
    dataset = make_dataset(file_ending=file_ending)
    (dataset.folder / "imagesTr" / "notes.txt").touch()
    assert verify_dataset(dataset) == []


def test_test_cases_need_no_pet_and_no_case_needs_a_map(make_dataset):
    dataset = make_dataset()
    dataset.file("PET", "t", "Ts").unlink()
    dataset.file("districts", "a").unlink()
    dataset.file("lesions", "b").unlink()
    assert verify_dataset(dataset) == []


@pytest.mark.parametrize("name", BROKEN)
def test_each_problem_is_named_with_its_file(make_dataset, name):
    damage, file, message = BROKEN[name]
    dataset = make_dataset()
    damage(dataset)
    problems = verify_dataset(RawDataset(dataset.folder))
    matching = [p for p in problems if p.file == str(dataset.folder / file)]
    assert len(matching) == 1, problems
    assert len(problems) == (2 if name == "case name" else 1), problems  # that file is without a CT, too
    assert re.search(message, matching[0].message)
    assert str(matching[0]).startswith(str(dataset.folder / file))
    assert "\n" not in str(matching[0])


def test_all_problems_come_in_one_pass(make_dataset):
    names = ["no pet", "cut off", "frames", "not hu", "not suv", "ending", "row", "no channel"]
    dataset = make_dataset()
    for name in names:
        BROKEN[name][0](dataset)
    found = {problem.file for problem in verify_dataset(RawDataset(dataset.folder))}
    assert found == {str(dataset.folder / BROKEN[name][1]) for name in names}


def test_two_processes_find_what_one_finds(make_dataset):
    dataset = make_dataset(train=("a", "b"))
    cut_off(dataset.file("CT", "a"))
    change(dataset, "PET", "t", lambda a: a * 5000, "Ts")
    alone = verify_dataset(dataset)
    assert len(alone) == 2
    assert verify_dataset(dataset, num_processes=2) == alone


def test_a_dataset_without_training_cases_and_a_wrong_count(make_dataset, tmp_path):
    dataset = make_dataset()
    for case in ("b", "c"):
        for kind in ("CT", "PET", "districts", "lesions"):
            dataset.path(kind, case, "Tr").unlink()
    assert [p.message for p in verify_dataset(dataset)] == ["numTraining is 3, but 1 training images CT exist"]
    shutil.rmtree(dataset.folder / "imagesTr")
    assert "no training case" in verify_dataset(dataset)[0].message


def test_one_name_on_two_sides(make_dataset):
    dataset = make_dataset(train=("a", "b"), test=("b",))
    messages = [problem.message for problem in verify_dataset(dataset)]
    assert messages == ["a training case and a test case have this name; rename one"]


def test_grids_that_overlap_too_little(make_dataset):
    dataset = make_dataset()
    pet = read_volume(dataset.file("PET", "a"))
    grid = Grid(pet.grid.shape, pet.grid.spacing, (-24.0, -24.0, 24.0), pet.grid.direction)
    write_volume(dataset.file("PET", "a"), Volume(pet.array, grid))
    # 7 of 30 mm along z (21.5 to 28.5), 47 of 48 mm along y and x: 22.4% of either box
    assert "overlaps the CT by only 22%" in verify_dataset(dataset)[0].message
