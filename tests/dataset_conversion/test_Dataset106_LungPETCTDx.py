"""Lung-PET-CT-Dx: a small tree of its layout, with boxes in single slices."""

import csv

import numpy as np
import pytest
from dicom_files import Study, ct_series, pet_series, write

from ct2pet.imageio import read_volume
from ct2pet.study.cases import labelled_cases
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


def test_the_mask_holds_the_boxes_in_the_annotated_slices_of_the_annotated_series(places, tmp_path):
    assert convert(places) == 0
    folder = tmp_path / "raw" / "Dataset106_LungPETCTDx"
    for case in labelled_cases(folder, "Tr", ("ct",)):
        ct, mask = read_volume(case.images["ct"], "HU"), read_volume(case.lesions, "label")
        assert mask.array.sum() == 2 * 8 * 5
        assert np.array_equal(mask.array > 0, ct.array == 50)


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
