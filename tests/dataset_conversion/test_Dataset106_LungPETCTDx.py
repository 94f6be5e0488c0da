"""Lung-PET-CT-Dx: a small tree of its layout, with boxes in single slices."""

import csv
import re
import shutil

import numpy as np
import pytest
from dicom_files import Study, ct_series, pet_series, radiopharmaceutical, write

from ct2pet.imageio import read_volume
from ct2pet.resampling import resample
from ct2pet.study.cases import labelled_cases
from ct2pet.study.slices import SliceOptions, read_slices
from ct2pet.volume import Grid
from dataset_conversion import Dataset106_LungPETCTDx as lung

GRID = Grid((8, 32, 40), (3.0, 1.5, 1.5), (-30.0, -24.0, -90.0))
BOX = (10, 14, 20, 27)  # first and last column, first and last row


def annotation(left, right, top, bottom):
    return (
        "<annotation><object><name>A</name><bndbox>"
        f"<xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax>"
        "</bndbox></object></annotation>"
    )


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Subjects A0001, A0002, G0001 (annotated), A0003 (not), B0001; each with two CTs and a PET."""
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    source, boxes = tmp_path / "Lung-PET-CT-Dx", tmp_path / "Annotation"
    for subject in ("A0001", "A0002", "A0003", "G0001", "B0001"):
        study, folder = Study(patient=subject), source / f"Lung_Dx-{subject}" / "04-04-2007-Chest-07990"
        array = np.full(GRID.shape, -800.0)
        array[3:5, 20:28, 10:15] = 50.0
        annotated = ct_series(study, GRID, array, series="thin")
        write(annotated, folder / "2.000000-thin")
        write(ct_series(study, GRID, series="scout", number=9), folder / "9.000000-scout")
        write(pet_series(study), folder / "4.000000-PET")
        own = boxes / subject
        own.mkdir(parents=True)
        if subject != "A0003":
            for dataset in annotated[3:5]:
                (own / f"{dataset.SOPInstanceUID}.xml").write_text(annotation(*BOX))
    return source, boxes


def convert(places, *options):
    return lung.main(["-i", str(places[0]), "--annotations", str(places[1]), "-np", "1", *options])


def test_annotated_subjects_of_the_chosen_histologies_become_cases(places, tmp_path, capsys):
    assert convert(places) == 0
    assert "left out: Lung_Dx-A0003: no annotation" in capsys.readouterr().out
    folder = tmp_path / "raw" / "Dataset106_LungPETCTDx"
    with (folder / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["histology"] for row in rows) == ["adenocarcinoma", "adenocarcinoma", "squamous_cell"]
    assert len({row["patient"] for row in rows}) == 3
    text = (folder / "cases.csv").read_text() + (folder / "dataset.json").read_text()
    assert "A0001" not in text


def test_the_mask_is_the_boxes_in_the_annotated_slices_of_the_annotated_series(places, tmp_path):
    assert convert(places) == 0
    folder = tmp_path / "raw" / "Dataset106_LungPETCTDx"
    for case in labelled_cases(folder, "Tr", ("ct",)):
        ct, mask = read_volume(case.images["ct"], "HU"), read_volume(case.lesions, "label")
        assert mask.array.sum() == 2 * 8 * 5
        assert np.array_equal(mask.array > 0, ct.array == 50)


PET_GRID = Grid((12, 26, 28), (3.0, 4.0, 4.0), (-54.0, -50.0, -96.0))
SUV_PER_BQ_ML = 70e3 / (350e6 * 2 ** (-3600 / 6586.2))  # 70 kg, 350 MBq of F-18 an hour before


def write_pet(places, subject, grid=PET_GRID, study="1", drug=None):
    """8 kBq/ml at the lesion, 2 kBq/ml elsewhere; in place of the subject's other PET."""
    array = np.full(grid.shape, 2000.0)
    z, y, x = np.argwhere(np.ones(grid.shape)).T
    points = np.c_[x, y, z, np.ones(len(x))] @ grid.affine.T
    low, high = ([-18.0, 3.0, -84.0], [-6.0, 19.5, -75.0])  # of the lesion's box, and a voxel of the CT around it
    hot = ((points[:, :3] > low) & (points[:, :3] < high)).all(axis=1)
    array[z[hot], y[hot], x[hot]] = 8000.0
    folder = places[0] / f"Lung_Dx-{subject}" / "04-04-2007-Chest-07990" / "4.000000-PET"
    shutil.rmtree(folder)
    write(pet_series(Study(patient=subject, study=study), grid, array, drug=drug), folder)


def test_pets_of_the_annotated_cts_study_are_taken_in_suv(places, tmp_path, capsys):
    for subject in ("A0001", "G0001"):
        write_pet(places, subject)
    write_pet(places, "A0002", study="2")
    assert convert(places, "--pet") == 0
    printed = capsys.readouterr().out
    assert "left out: Lung_Dx-A0002: no PET that can be used in the study of the annotated CT" in printed
    folder = tmp_path / "raw" / "Dataset106_LungPETCTDx"
    cases = labelled_cases(folder, "Tr", ("pet", "ct"))
    assert len(cases) == 2
    for case in cases:
        pet, ct = read_volume(case.images["pet"], "SUV"), read_volume(case.images["ct"], "HU")
        assert pet.array.max() == pytest.approx(8000 * SUV_PER_BQ_ML, rel=1e-3)
        assert pet.array.min() == pytest.approx(2000 * SUV_PER_BQ_ML, rel=1e-3)
        on_ct = resample(pet, ct.grid, outside=0.0).array
        assert on_ct[ct.array == 50].mean() > 2 * on_ct[ct.array < 0].mean()  # the hot voxels are the lesion's
    slices = read_slices(cases, ("adenocarcinoma", "squamous_cell"), SliceOptions(24.0, 12, 2))
    assert (slices.channels, len(slices)) == (("pet", "ct"), 4)


def test_a_pet_without_a_dose_or_away_from_the_lesion_is_named_and_the_others_are_written(places, tmp_path, capsys):
    write_pet(places, "A0001")
    write_pet(places, "A0002", drug=radiopharmaceutical(RadionuclideTotalDose=None))
    write_pet(places, "G0001", grid=Grid((8, 26, 28), (3.0, 4.0, 4.0), (-54.0, -50.0, -84.0)))
    assert convert(places, "--pet") == 1
    error = capsys.readouterr().err
    assert "the PET does not reach all of the region around the lesion" in error
    assert re.search("no SUV: .*missing\n", error)  # without the option of another command
    assert "A000" not in error
    assert len(list((tmp_path / "raw" / "Dataset106_LungPETCTDx").glob("targets*/*.nii.gz"))) == 1


def test_without_any_pet_nothing_is_written(places, tmp_path, capsys):
    for path in places[0].rglob("4.000000-PET"):
        shutil.rmtree(path)
    assert convert(places, "--pet") == 2
    assert "no labelled lesions" in capsys.readouterr().err
    assert not (tmp_path / "raw" / "Dataset106_LungPETCTDx").exists()


def test_other_histologies_are_chosen_by_their_letter(places, tmp_path):
    assert convert(places, "--histology", "B", "G") == 0
    table = (tmp_path / "raw" / "Dataset106_LungPETCTDx" / "cases.csv").read_text()
    assert "small_cell" in table
    assert "squamous_cell" in table
    assert "adenocarcinoma" not in table


def test_a_broken_annotation_is_named_and_a_missing_folder_is_one_line(places, capsys):
    path = next(places[1].rglob("*.xml"))
    path.write_text("<annotation><object><bndbox><xmin>a</xmin></bndbox></object></annotation>")
    assert convert(places) == 2
    assert f"{path.name}: not an annotation with boxes" in capsys.readouterr().err
    assert lung.main(["-i", str(places[0]), "--annotations", str(places[0] / "nowhere")]) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err
