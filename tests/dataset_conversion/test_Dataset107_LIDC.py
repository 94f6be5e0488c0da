"""LIDC-IDRI: a small tree of its layout, with readings of four radiologists."""

import csv
import json

import numpy as np
import pytest
from dicom_files import Study, ct_series, write

from ct2pet.dataset import RawDataset
from ct2pet.imageio import read_volume
from ct2pet.study.cases import labelled_cases, read_condition
from ct2pet.study.slices import SliceOptions, read_slices
from ct2pet.volume import Grid
from dataset_conversion import Dataset107_LIDC as lidc

GRID = Grid((12, 64, 64), (2.0, 0.75, 0.75), (-24.0, -24.0, -120.0))
HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n<LidcReadMessage xmlns="http://www.nih.gov">\n'


def circle(x, y, radius):
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return [(round(x + radius * np.cos(a)), round(y + radius * np.sin(a))) for a in angles]


def nodule(rating, centre, radius, slices):
    rois = "".join(
        f"<roi><imageZposition>{GRID.origin[2] + 2.0 * z}</imageZposition><inclusion>TRUE</inclusion>"
        + "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in circle(*centre, radius))
        + "</roi>"
        for z in slices
    )
    return (
        "<unblindedReadNodule><noduleID>n</noduleID>"
        f"<characteristics><malignancy>{rating}</malignancy></characteristics>{rois}</unblindedReadNodule>"
    )


SMALL = (
    "<unblindedReadNodule><noduleID>s</noduleID><roi><imageZposition>-110.0</imageZposition>"
    "<edgeMap><xCoord>9</xCoord><yCoord>9</yCoord></edgeMap></roi></unblindedReadNodule>"
)


def readings(*sessions):
    return (
        HEADER + "".join(f"<readingSession>{''.join(own)}</readingSession>" for own in sessions) + "</LidcReadMessage>"
    )


def sphere_ct(centre, radius, hu):
    z, y, x = np.indices(GRID.shape)
    inside = ((z - 5) * 2 / 0.75) ** 2 + (y - centre[1]) ** 2 + (x - centre[0]) ** 2 < radius**2
    return np.where(inside, hu, -850.0)


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Two patients: one with a malignant and a benign nodule, one with nodules that have no class."""
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    root = tmp_path / "LIDC-IDRI"
    malignant, benign = (20, 30), (45, 30)
    first = [nodule(4, malignant, r, range(4, 7)) for r in (5, 6, 7)]
    second = [nodule(rating, benign, 4, (5,)) for rating in (1, 2, 2)]
    files = {
        "LIDC-IDRI-0001": readings(*zip(first, second), [SMALL]),
        "LIDC-IDRI-0002": readings(
            [nodule(3, malignant, 5, (5,)), nodule(5, benign, 5, (5,))], [nodule(3, malignant, 5, (5,))],
            [nodule(3, malignant, 5, (5,))],
        ),
    }  # fmt: skip
    for patient, text in files.items():
        folder = root / patient / "01-01-2000-30178" / "3000566.000000-03192"
        write(ct_series(Study(patient=patient), GRID, sphere_ct(malignant, 6, 40.0)), folder)
        (folder / "069.xml").write_text(text)
    return root


def test_nodules_of_three_readers_become_cases_with_a_class(source, tmp_path, capsys):
    assert lidc.main(["-i", str(source), "-np", "1"]) == 0
    printed = capsys.readouterr().out
    assert "left out: 1 nodule(s) rated 3 on average" in printed
    assert "left out: 1 nodule(s) outlined by fewer than 3 readers" in printed
    folder = tmp_path / "raw" / "Dataset107_LIDC"
    assert read_condition(folder) == ("malignancy", ["benign", "malignant"])
    with (folder / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["malignancy"] for row in rows) == ["benign", "malignant"]
    assert {row["patient"] for row in rows} == {"P0001"}  # both of one patient
    assert "LIDC-IDRI" not in (folder / "cases.csv").read_text()
    assert RawDataset(folder).cases("Tr") == ["LIDC_0001", "LIDC_0002"]


def test_the_mask_is_what_half_of_the_readers_outlined_in_the_place_of_the_nodule(source, tmp_path):
    assert lidc.main(["-i", str(source), "-np", "1"]) == 0
    folder = tmp_path / "raw" / "Dataset107_LIDC"
    case = next(one for one in labelled_cases(folder, "Tr", ("ct",)) if one.label == 1)
    ct, mask = read_volume(case.images["ct"], "HU"), read_volume(case.lesions, "label")
    assert ct.grid.matches(mask.grid)
    middle = mask.array[[z for z in range(mask.array.shape[0]) if mask.array[z].any()][1]]
    assert middle.sum() == pytest.approx(np.pi * 6**2, rel=0.15)  # two of the radii 5, 6 and 7 cover 6
    assert ct.array[mask.array > 0].max() == 40
    slices = read_slices([case], ("benign", "malignant"), SliceOptions(24.0, 32, 1))
    assert (slices.images[0, 0, 14:18, 14:18] > 0).all()  # in the middle of the slices of a study


def test_an_invalid_xml_file_is_named(source, capsys):
    path = next(source.rglob("*.xml"))
    path.write_text("<LidcReadMessage>")
    assert lidc.main(["-i", str(source), "-np", "1"]) == 2
    assert "069.xml: not an XML file" in capsys.readouterr().err


def test_a_folder_without_readings_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    (tmp_path / "empty").mkdir()
    assert lidc.main(["-i", str(tmp_path / "empty")]) == 2
    assert "no labelled lesions" in capsys.readouterr().err
    assert not (tmp_path / "raw").exists()


def test_the_description_names_licence_and_source(source, tmp_path):
    assert lidc.main(["-i", str(source), "-np", "1"]) == 0
    content = json.loads((tmp_path / "raw" / "Dataset107_LIDC" / "dataset.json").read_text())
    assert content["licence"] == "CC BY 3.0"
    assert content["numTraining"] == 2
