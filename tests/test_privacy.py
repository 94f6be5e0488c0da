"""Nothing that identifies a patient leaves a conversion: identifiers are planted in every text tag and in the names of
files and folders, and looked for in all that is written and printed. Dates and UIDs of the hospital count, too."""

import gzip
import logging
import stat
from dataclasses import replace

import numpy as np
import pytest
from dicom_files import CT_GRID, PET_GRID, Study, ct_series, pet_series, secondary_capture, write
from dicom_objects import plant_identifiers, rtstruct
from dicom_seg import segmentation
from pydicom.dataset import Dataset

import ct2pet.conversion.converter
import ct2pet.conversion.exam
from ct2pet.cli.convert_dicom import main
from ct2pet.dicom.reading import quiet

SECRET, BIRTH, DATE = "ZZSECRET", "19321231", "20040405"
UID_ROOT = "1.2.826.0.1.3680043.8.498."  # of all UIDs that the helpers make
COMBINED = f"{SECRET}^Ann {BIRTH} 2004-04-05"


def study_of(number):
    """CT and PET of one patient."""
    random = np.random.default_rng(number)
    owner = replace(Study(), patient=f"{SECRET}{number}", date=DATE)
    ct = ct_series(owner, array=random.integers(-1000, 1000, CT_GRID.shape))
    return ct, pet_series(owner, array=random.uniform(0, 20000, PET_GRID.shape))


def planted(datasets, number):
    """With identifiers everywhere; the patient's own ID stays, so that the objects of one stay together."""
    plant_identifiers(datasets, SECRET, BIRTH)
    for dataset in datasets:
        dataset.PatientID = f"{SECRET}{number}"
    return datasets


def lesions_of(pet):
    corners = [(1.5, 1.5, 2, 1), (4.5, 1.5, 2, 1), (4.5, 4.5, 2, 1), (1.5, 4.5, 2, 1)]
    contour = (np.array(corners) @ PET_GRID.affine.T)[:, :3]
    mask = np.zeros((1, *PET_GRID.shape), bool)
    mask[0, 5, 2:4, 2:4] = True
    owner = replace(Study(), patient=f"{SECRET}0", date=DATE)
    good = rtstruct({f"{SECRET} tumour": [contour]}, owner, referenced=pet, series="good")
    between = rtstruct({f"{SECRET} tumour": [contour + np.array([0, 0, 2])]}, owner, referenced=pet, series="between")
    return [*good, *between, *segmentation(pet, mask, labels=[f"{SECRET} lesion"])]


def invalid(datasets):
    """Values that break the rules of their representation: pydicom's warnings would quote them."""
    for dataset in datasets:
        dataset.add_new("PatientAge", "AS", f"{SECRET} years")
        dataset.add_new("AccessionNumber", "SH", SECRET * 5)
        dataset.add_new("StudyTime", "TM", SECRET)
        dataset.add_new("DeviceUID", "UI", SECRET)
    return datasets


def spoiled(pet, keyword, value):
    for dataset in pet:
        dataset.add_new(keyword, dataset[keyword].VR, value)
    return pet


def plant_tree(root):
    def put(number, *series):
        for index, datasets in enumerate(series):
            folder = root / f"{COMBINED} {number}" / f"{SECRET} series {index}"
            write(planted(datasets, number), folder, f"{SECRET}_{{}}.dcm")
        return folder

    ct, pet = study_of(0)
    put(0, ct, pet, lesions_of(pet), secondary_capture(Study(f"{SECRET}0")))
    ct, pet = study_of(1)
    put(1, invalid(ct), invalid(pet))
    ct, pet = study_of(2)
    put(2, ct, spoiled(pet, "PatientWeight", None))
    ct, pet = study_of(3)
    put(3, ct, [*pet[:3], *pet[4:]])
    ct, pet = study_of(4)
    place = put(4, ct, pet)
    damaged = place / f"{SECRET}_4.dcm"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    ct, pet = study_of(5)
    put(5, ct, spoiled(pet, "SeriesTime", SECRET))
    ct, pet = study_of(6)
    put(6, ct, spoiled(pet, "RescaleSlope", "0"))
    put(7, study_of(7)[0])
    put(8, study_of(8)[1])
    (place / f"{SECRET} empty").touch()
    (place / f"{SECRET}.txt").write_text(COMBINED)


@pytest.fixture
def tree(tmp_path):
    """Examinations that convert, that fail in many ways, and things that are left out; the source's own name is not
    secret: the user types it."""
    root = tmp_path / "export"
    with quiet():  # pydicom would warn of what is planted
        plant_tree(root)
    return root


@pytest.fixture
def raw(tmp_path, monkeypatch):
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    return tmp_path / "raw"


def everything_in(folder):
    """Names and contents of all files below a folder, unpacked, as one text of bytes."""
    parts = []
    for path in sorted(folder.rglob("*")):
        parts.append(path.name.encode())
        if path.is_file():
            content = path.read_bytes()
            parts.append(gzip.decompress(content) if path.suffix == ".gz" else content)
            parts.append(content[:64])  # a gzip file holds the name of what it packs
    return b"\n".join(parts)


def identifiers_in(text):
    """Which planted things occur, in bytes or text, however they are written."""
    text = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    wanted = (SECRET, BIRTH, "1932-12-31", DATE, "2004-04-05", UID_ROOT, "Ann")
    return [word for word in wanted if word.encode() in text or word.encode("utf-16-le") in text]


@pytest.fixture
def private(tmp_path):
    folder = tmp_path / "private"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(("processes", "verbose"), [("1", ["--verbose"]), ("2", [])], ids=["verbose", "processes"])
def test_a_conversion_reveals_nothing_about_patients(tree, raw, private, capfd, caplog, recwarn, processes, verbose):
    caplog.set_level(logging.DEBUG)
    (private / "weights.csv").write_text(f"patient,weight_kg\n{SECRET}1,72\n")
    tables = {name: private / name for name in ("patient_map", "left_out", "weights_csv")}
    tables["weights_csv"] = private / "weights.csv"
    options = [text for name, path in tables.items() for text in (f"--{name}", str(path))]
    code = main(["-i", str(tree), "-d", "1", "-n", "CLINIC", "-np", processes, *options, *verbose])
    printed = "\n".join(capfd.readouterr())
    assert code == 1, printed
    assert printed.count("CLINIC_000") >= 4  # cases are named by our names
    assert "ROI 1: 1 of 1 contours" in printed  # and regions by their numbers
    assert identifiers_in(printed) == []
    assert identifiers_in(caplog.text) == []
    assert [str(warning.message) for warning in recwarn if identifiers_in(str(warning.message))] == []
    assert len([*(raw / "Dataset001_CLINIC" / "lesionsTr").iterdir()]) == 1
    assert identifiers_in(everything_in(raw)) == []
    for name in ("patient_map", "left_out"):  # the owner's tables do name them: the search finds what is there
        assert SECRET in identifiers_in(tables[name].read_bytes())
        assert stat.S_IMODE(tables[name].stat().st_mode) == 0o600


def test_the_patient_map_is_written_only_on_request(tree, raw, tmp_path, capfd):
    before = {*tmp_path.rglob("*")}
    main(["-i", str(tree), "-d", "1", "-n", "CLINIC", "-np", "1"])
    new = {path for path in {*tmp_path.rglob("*")} - before if not path.is_relative_to(raw)}
    assert new == set()
    assert identifiers_in("\n".join(capfd.readouterr())) == []


def test_unexpected_errors_reveal_nothing_about_patients(tree, raw, capfd, monkeypatch):
    def fail(*arguments):
        raise ValueError(f"could not convert string to float: {COMBINED!r}")

    monkeypatch.setattr(ct2pet.conversion.exam, "read_ct", fail)
    main(["-i", str(tree), "-d", "1", "-n", "CLINIC", "-np", "1", "--verbose"])
    printed = "\n".join(capfd.readouterr())
    assert "ValueError" in printed
    assert "in fail" in printed  # the traceback is there, for whoever mends it
    assert identifiers_in(printed) == []


def test_a_folder_without_cases_reveals_nothing_about_patients(tmp_path, raw, capfd):
    write(planted(study_of(8)[1], 8), tmp_path / "in" / COMBINED, f"{SECRET}{{}}")
    assert main(["-i", str(tmp_path / "in"), "-d", "1", "-n", "CLINIC", "--verbose"]) == 2
    printed = "\n".join(capfd.readouterr())
    assert "no PET with its CT" in printed
    assert identifiers_in(printed) == []


def test_the_search_finds_what_is_planted():
    dataset = Dataset()
    assert identifiers_in(str(planted([dataset], 1)[0])) == [SECRET, BIRTH, "Ann"]
    assert identifiers_in(str(study_of(1)[1][0])) == [SECRET, DATE, UID_ROOT]


def test_nor_do_those_of_the_search_for_series(tree, raw, capfd, monkeypatch):
    def fail(*arguments):
        raise PermissionError(13, "Permission denied", f"/export/{COMBINED}")

    monkeypatch.setattr(ct2pet.conversion.converter, "pair", fail)
    assert main(["-i", str(tree), "-d", "1", "-n", "CLINIC", "-np", "1", "--verbose"]) == 2
    printed = "\n".join(capfd.readouterr())
    assert "Permission denied" in printed
    assert identifiers_in(printed) == []
