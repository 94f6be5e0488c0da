import json

import numpy as np
import pytest
from fake_packages import install, write_weights

from ct2pet.api.organ_segmentation import segment_organs
from ct2pet.cli.segment_organs import main
from ct2pet.dataset import open_dataset
from ct2pet.dataset.low_dose import write_low_dose_json
from ct2pet.districts.organ_segmenters.totalsegmentator import TotalSegmentatorOrgans
from ct2pet.errors import CasesFailed, DatasetError, GeometryError
from ct2pet.imageio import read_volume, write_volume
from ct2pet.volume import Grid, Volume

ORGANS = {"liver": 2, "kidney": 1}
TOTAL = {1: "liver", 2: "kidney_left", 3: "kidney_right"}
PET_GRID = Grid((6, 7, 8), (10.0, 10.0, 10.0))
CT_GRID = Grid((12, 14, 16), (5.0, 5.0, 5.0), (-2.5, -2.5, -2.5))


def ct(grid=CT_GRID):
    """Air, and a slice each of liver, left and right kidney."""
    hu = np.full(grid.shape, -1000, np.int16)
    for z, number in ((2, 50), (5, 150), (8, 250)):
        hu[z] = number
    return Volume(hu, grid, "HU")


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """Two low-dose cases in a dataset, one of them to test with, and their CTs in cts."""
    install(tmp_path / "packages", "TotalSegmentator", monkeypatch)
    write_weights(tmp_path / "weights", *TotalSegmentatorOrgans.models)
    monkeypatch.setenv("FAKE_LABELS", json.dumps({"total": TOTAL}))
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    folder = tmp_path / "raw" / "Dataset105_X"
    pet = Volume(np.ones(PET_GRID.shape, np.float32), PET_GRID, "SUV")
    for case, split in (("a", "Tr"), ("b", "Ts")):
        for kind, suffix in (("images", "_0000"), ("targets", "")):
            write_volume(folder / f"{kind}{split}" / f"{case}{suffix}.nii.gz", pet)
        write_volume(tmp_path / "cts" / f"{case}.nii.gz", ct())
    write_low_dose_json(folder, name="X", dose_fraction=0.1, num_training=1, organs=ORGANS)
    return folder


def segment(dataset, **options):
    root = dataset.parents[1]
    given = {"segmenter": "totalsegmentator", "weights": root / "weights", "device": "cpu", "num_processes": 1}
    return segment_organs("105", root / "cts", **{**given, **options})


def test_every_case_gets_its_labels_on_the_grid_of_its_ct(dataset, capsys):
    paths = segment(dataset)
    assert paths == [dataset / "organsTr" / "a.nii.gz", dataset / "organsTs" / "b.nii.gz"]
    expected = np.zeros(CT_GRID.shape)
    for z, label in ((2, 2), (5, 1), (8, 1)):
        expected[z] = label
    for path in paths:
        labels = read_volume(path)
        np.testing.assert_array_equal(labels.array, expected)
        assert labels.grid.matches(CT_GRID)
        assert json.loads(path.with_name(f"{path.name[0]}.segmenter.json").read_text())["found"] == ["liver", "kidney"]
    assert "a: 2 organs\n" in capsys.readouterr().out


def test_a_dataset_without_organs_gets_the_18_of_the_paper_as_a_target(dataset, monkeypatch, capsys):
    from ct2pet.phantom.paper_organs import PAPER_LABELS

    write_low_dose_json(dataset, name="X", dose_fraction=0.1, num_training=1, licence="mine")
    monkeypatch.setenv("FAKE_LABELS", json.dumps({"total": dict(enumerate(PAPER_LABELS, start=1))}))
    segment(dataset)
    description = open_dataset("105").description
    assert description.fields["organs"].labels == PAPER_LABELS
    assert description.content["licence"] == "mine"
    assert [one.name for one in description.fields.targets] == ["PET", "organs"]
    assert "a: 3 organs, no sacrum, vertebrae, heart" in capsys.readouterr().out  # three CT numbers, three labels


def test_existing_organ_maps_are_kept(dataset):
    own = Volume(np.ones(CT_GRID.shape, np.uint8), CT_GRID, "label")
    write_volume(dataset / "organsTr" / "a.nii.gz", own)
    before = (dataset / "organsTr" / "a.nii.gz").read_bytes()
    segment(dataset)
    assert (dataset / "organsTr" / "a.nii.gz").read_bytes() == before
    assert (dataset / "organsTs" / "b.nii.gz").exists()


def test_a_case_without_a_ct_is_named_before_any_work(dataset):
    (dataset.parents[1] / "cts" / "b.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"cts: no CT of b \(expected b\.nii\.gz\)$"):
        segment(dataset)
    assert not (dataset / "organsTr").exists()


def test_a_ct_of_another_place_is_named_before_any_work(dataset):
    elsewhere = Grid(CT_GRID.shape, CT_GRID.spacing, (900.0, 0.0, 0.0))
    write_volume(dataset.parents[1] / "cts" / "b.nii.gz", ct(elsewhere))
    with pytest.raises(GeometryError, match=r"b.nii.gz: it overlaps the PET_low by only 0%"):
        segment(dataset)
    assert not (dataset / "organsTr").exists()


def test_a_pet_in_place_of_a_ct_fails_only_its_case(dataset):
    pet = Volume(np.ones(CT_GRID.shape, np.float32), CT_GRID, "SUV")
    write_volume(dataset.parents[1] / "cts" / "b.nii.gz", pet)
    with pytest.raises(CasesFailed, match=r"b.*are not a CT in HU"):
        segment(dataset)
    assert (dataset / "organsTr" / "a.nii.gz").exists()
    assert not (dataset / "organsTs" / "b.nii.gz").exists()


def test_the_command_reports_missing_input_in_one_line(dataset, capsys):
    root = dataset.parents[1]
    line = ["-d", "105", "-i", str(root / "cts"), "--segmenter", "totalsegmentator", "--weights", str(root)]
    assert main(line) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "the weights of TotalSegmentator are missing, Dataset297" in said[0]
