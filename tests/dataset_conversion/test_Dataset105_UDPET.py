"""A small tree in the layout of the UDPET challenge, as a raw dataset in SUV."""

import csv
import json
import shutil

import numpy as np
import pytest
from dicom_files import PET_GRID, Study, ct_series, pet_series, values, write
from dicom_studies import FACTOR

from ct2pet.imageio import read_volume
from ct2pet.volume import Grid
from dataset_conversion import Dataset105_UDPET as udpet

SIEMENS = "Subject_1-3/30122021_5_20211230_170836"
UIH = "Anonymous_ANO_20220224"
SIEMENS_NAMES = {1: "Full_dose", 4: "1-4 dose", 20: "1-20 dose", 100: "1-100 dose"}
UIH_NAMES = {1: "2.886 x 600 WB NORMAL", 4: "2.886 x 600 WB D4", 20: "2.886 x 600 WB DRF_20"}


def dose(subject, drf, seed=0, **tags):
    """The PET of a subject with a part of its counts: as bright, and noisier."""
    rng = np.random.default_rng([seed, drf])
    activity = np.linspace(1000, 20000, int(np.prod(PET_GRID.shape))).reshape(PET_GRID.shape)
    array = np.clip(activity * rng.normal(1, 0.02 * np.sqrt(drf), PET_GRID.shape), 0, None)
    tags = {"ActualFrameDuration": round(600000 / drf), "PatientAge": "061Y", **tags}
    return pet_series(Study(subject), array=array, series=f"dose 1/{drf}", **tags)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """One subject of each scanner, with several doses."""
    root = tmp_path_factory.mktemp("tree") / "UDPET"
    for place, names, ending in ((SIEMENS, SIEMENS_NAMES, "{:04d}.IMA"), (UIH, UIH_NAMES, "{:04d}.dcm")):
        for drf, name in names.items():
            write(dose(place[:4], drf), root / place / name, ending)
    return root


@pytest.fixture
def source(tree, tmp_path, monkeypatch):
    """A copy of the tree, to be changed."""
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    return shutil.copytree(tree, tmp_path / "UDPET")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "raw" / "Dataset105_UDPET"


def convert(source, *options, drf=20):
    return udpet.main(["-i", str(source), "-np", "1", "--drf", str(drf), *options])


def replace_dose(source, drf, datasets, place=SIEMENS, names=SIEMENS_NAMES):
    for path in (source / place / names[drf]).iterdir():
        path.unlink()
    write(datasets, source / place / names[drf])


def content(folder):
    return json.loads((folder / "dataset.json").read_text())


def cases(folder):
    return sorted(path.name.removesuffix("_0000.nii.gz") for path in (folder / "imagesTr").glob("*"))


def names_of(path):
    with path.open(newline="") as file:
        return {row["folder"].split("/")[0]: row["case"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("drf", [4, 20])
def test_the_chosen_dose_is_the_input_and_the_full_dose_the_target(source, folder, tmp_path, drf):
    assert convert(source, "--patient_map", str(tmp_path / "map.csv"), drf=drf) == 0
    names = names_of(tmp_path / "map.csv")
    for place in (SIEMENS, UIH):
        case = names[place.split("/")[0]]
        for path, factor in ((f"imagesTr/{case}_0000", drf), (f"targetsTr/{case}", 1)):
            pet = read_volume(folder / f"{path}.nii.gz")
            known = values(dose(place[:4], factor)) * FACTOR
            np.testing.assert_allclose(pet.array, known, rtol=1e-4, atol=1e-5)
            assert pet.grid.matches(PET_GRID)
    said = content(folder)
    assert said["dose_fraction"] == 1 / drf
    assert (said["channel_names"], said["districts"], said["numTraining"]) == ({"0": "PET_low"}, {}, 2)
    assert list(said["targets"]) == ["PET"], "the challenge has no organ labels"
    with (folder / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["patient"] for row in rows} == {"P0001", "P0002"}
    assert {(row["sex"], row["age"]) for row in rows} == {("F", "61")}


def test_each_pet_is_put_into_suv_by_its_own_headers(source, folder):
    """A part of the time in the middle of the acquisition is corrected for decay to its own start."""
    later = dose(SIEMENS[:4], 20, SeriesTime="091000", AcquisitionTime="091000")
    replace_dose(source, 20, later)
    assert convert(source) == 0
    means = {
        path.name: read_volume(path).array / (values(dose("Subj", 20)) * FACTOR)
        for path in (folder / "imagesTr").iterdir()
    }
    ratios = sorted(float(np.nanmedian(ratio)) for ratio in means.values())
    assert ratios == pytest.approx([1, 2 ** (600 / 6586.2)], rel=1e-3)


def test_dataset_and_output_contain_no_names_of_the_source(source, folder, capsys):
    (source / UIH / "2.886 x 600 WB NORMAL" / "0003.dcm").unlink()
    assert convert(source) == 1
    printed = "".join(capsys.readouterr())
    stored = "".join(path.read_text() for path in folder.rglob("*") if path.suffix in (".json", ".csv"))
    stored += "".join(str(path.relative_to(folder)) for path in folder.rglob("*"))
    for word in ("Subject_1-3", "20211230", "30122021", "Anonymous", "20220224", "Name^", "Subj", "ACC1"):
        assert word not in stored
        assert word not in printed.replace(str(source), "")


def test_each_incomplete_pair_is_one_line(source, folder, tmp_path, capsys):
    write(dose("NOFULL", 20), source / "a" / "1-20 dose")
    write(dose("NODOSE", 1), source / "b" / "Full_dose")
    write(dose("NODOSE", 4), source / "b" / "1-4 dose")
    write(dose("TWICE", 1), source / "c" / "Full_dose")
    for name in ("1-20 dose", "D20"):
        write(dose("TWICE", 20), source / "c" / name)
    assert convert(source, "--left_out", str(tmp_path / "left.csv")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "left out: a subject without a full dose (reduced doses: 1/20)" in lines
    assert "left out: a subject without a dose of 1/20 (reduced doses: 1/4)" in lines
    assert "left out: a subject with 2 folders for its dose of 1/20" in lines
    assert len(cases(folder)) == 2
    assert {row.split(",")[-1] for row in (tmp_path / "left.csv").read_text().splitlines()[1:]} == {"a", "b", "c"}


FAR = Grid(PET_GRID.shape, PET_GRID.spacing, (300.0, 300.0, 300.0))


@pytest.mark.parametrize(
    ("low", "message"),
    [
        (lambda: dose("OTHER", 20), "are of different patients"),
        (lambda: pet_series(Study("Subj"), grid=FAR), "overlaps the full-dose PET by only 0%"),
        (lambda: dose("Subj", 20, ActualFrameDuration=900000), "the low dose cannot be larger than the full one"),
        (lambda: dose("Subj", 1), "the same images"),
        (lambda: ct_series(Study("Subj")), "low-dose PET: no PET series"),
        (lambda: dose("Subj", 20) + dose("Subj", 4), "low-dose PET: it contains 2 PET series"),
        (lambda: dose("Subj", 20, PatientWeight=None), "low-dose PET: Patient's Weight (0010,1030) is missing"),
        (lambda: dose("Subj", 20, Units="CNTS"), "low-dose PET: Units are CNTS"),
        (lambda: dose("Subj", 20, CorrectedImage=["DECY"]), "low-dose PET: not attenuation-corrected"),
        (lambda: dose("Subj", 20)[:4] + dose("Subj", 20)[5:], "low-dose PET: 1 slice(s) missing"),
        (lambda: pet_series(Study("Subj"), array=np.zeros(PET_GRID.shape)), "low-dose PET: no voxel is above zero"),
    ],
)
def test_a_pair_that_cannot_be_used_is_one_line_and_the_others_are_done(source, folder, capsys, low, message):
    datasets = low()
    if message == "the same images":
        full = dose("Subj", 1)
        replace_dose(source, 1, full)
        datasets = full
    replace_dose(source, 20, datasets)
    assert convert(source) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(cases(folder)) == content(folder)["numTraining"] == 1
    assert len(list((folder / "targetsTr").iterdir())) == 1, "nothing of the failed case stays"


def test_a_failed_case_is_made_the_next_time_and_the_others_stay(source, folder):
    replace_dose(source, 20, dose("OTHER", 20))
    assert convert(source) == 1
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.nii.gz")}
    replace_dose(source, 20, dose(SIEMENS[:4], 20))
    assert convert(source) == 0
    assert len(cases(folder)) == 2
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_missing_weights_come_from_the_table(source, folder, tmp_path):
    for drf in (1, 20):
        replace_dose(source, drf, dose("Subj", drf, PatientWeight=None))
    table = tmp_path / "weights.csv"
    table.write_text("patient,weight_kg\nSubj,70\n")
    assert convert(source, "--weights_csv", str(table)) == 0
    notes = [note for path in (folder / "conversion").iterdir() for note in json.loads(path.read_text())["notes"]]
    assert notes == ["weight_kg from --weights_csv"]
    assert len(cases(folder)) == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("patient,study", "Subj,2020-01-02"),
        ("patient,study", "Subj,20200102"),
        ("patient,study", f"Subj,{Study('Subj').tags()['StudyInstanceUID']}"),
        ("case", "UDPET_0001"),
    ],
)
def test_a_row_of_a_date_or_a_case_replaces_the_weight_of_the_header(source, folder, tmp_path, key, value):
    shutil.rmtree(source / UIH)
    table = tmp_path / "weights.csv"
    table.write_text(f"{key},weight_kg\n{value},35\n")
    assert convert(source, "--weights_csv", str(table)) == 0
    for path, drf in (("imagesTr/UDPET_0001_0000", 20), ("targetsTr/UDPET_0001", 1)):
        known = values(dose("Subj", drf)) * FACTOR * 35 / 70
        np.testing.assert_allclose(read_volume(folder / f"{path}.nii.gz").array, known, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("row", ["Unknown,,35", "Subj,2020-01-03,35"])
def test_a_row_that_matches_nothing_is_a_mistake_and_nothing_is_written(source, folder, tmp_path, capsys, row):
    table = tmp_path / "weights.csv"
    table.write_text(f"patient,study,weight_kg\nSubj,,70\n{row}\n")
    assert convert(source, "--weights_csv", str(table)) == 2
    assert f"{table}: line(s) 3 match no examination; correct or remove them" in capsys.readouterr().err
    assert not folder.exists()


def test_unusual_images_are_noted(source, folder):
    grid = Grid(PET_GRID.shape, PET_GRID.spacing, (-15.0, *PET_GRID.origin[1:]))
    array = np.full(PET_GRID.shape, 30000.0)
    replace_dose(source, 20, pet_series(Study("Subj"), grid=grid, array=array, ActualFrameDuration=300000))
    assert convert(source) == 0
    notes = {note for path in (folder / "conversion").iterdir() for note in json.loads(path.read_text())["notes"]}
    assert "the grids of the two PETs differ" in notes
    assert "the frames of the low-dose PET last 0.5 of the full ones, not 0.05" in notes
    assert any(note.startswith("the mean SUV of the low-dose PET is 2.8") for note in notes)
    assert len(notes) == 3


def test_each_dose_has_its_own_dataset(source, folder, capsys):
    assert convert(source) == 0
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert convert(source, drf=4) == 2
    assert "have another dose than 1/4" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    (folder / "dataset.json").unlink()  # as after an interruption
    assert convert(source, drf=4) == 2
    assert {path for path in before if not path.exists()} == {folder / "dataset.json"}


@pytest.mark.parametrize("drf", ["1", "0", "-4", "x", "0.5"])
def test_an_unknown_dose_reduction_is_refused(source, drf):
    with pytest.raises(SystemExit) as exit_:
        convert(source, drf=drf)
    assert exit_.value.code == 2


def test_a_folder_of_something_else_is_refused(source, capsys):
    assert convert(source / SIEMENS / "Full_dose") == 2
    assert "no folder has the name of a dose" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "drf"),
    [
        *(("Full_dose", 1), ("full dose", 1), ("FULL-DOSE", 1), ("normal", 1), ("2.886 x 600 WB NORMAL", 1)),
        *(("normal dose", 1), ("1-4 dose", 4), ("1-100 dose", 100), ("1-10_dose", 10), ("2.886 x 150 WB D50", 50)),
        *(("2.886 x 600 WB DRF_100", 100), ("DRF-20", 20), ("D4", 4), ("drf 2", 2)),
        *(("Subject_115-117", None), ("30122021_5_20211230_170836", None), ("abnormal", None), ("dose", None)),
        *(("11-4 dose", None), ("AD4", None), ("1-4 doses", None), ("fullerton", None), ("CT", None)),
    ],
)
def test_names_of_doses(name, drf):
    assert udpet.reduction_of(name) == drf
