"""Predictions of DICOM CTs: from folders of DICOM files to NIfTI and back to DICOM."""

import errno
import shutil
from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_files import Study, ct_series, pet_series, write
from dicom_objects import plant_identifiers
from dicom_pets import ORIENTATIONS, read_by_itk
from full_disk import file_size_limit
from hand_models import Scaled, two_district_case, write_trained
from two_targets import (
    TWO_INPUTS,
    TWO_TARGETS,
    ScaledAndThresholded,
    two_target_configuration,
    two_target_plans,
    write_two_target_model,
)
from whole_pipeline import content_of, killed_until_done

from ct2pet.api.prediction import predict
from ct2pet.cli.convert_dicom import main as convert
from ct2pet.cli.predict import main
from ct2pet.dataset import Fields
from ct2pet.dicom.folders import dicom_cases
from ct2pet.dicom.reading import quiet
from ct2pet.errors import CasesFailed, Ct2PetError
from ct2pet.imageio import read_volume, write_volume
from ct2pet.inference.dicom_output import DicomOutput
from ct2pet.volume import Volume

SECRET = "ZZSECRET"


@pytest.fixture
def scans(tmp_path, monkeypatch):
    """Two CTs in scans/a (axial) and scans/b (oblique, feet first) with their maps; a trained model."""
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "results"))
    monkeypatch.setattr("ct2pet.models.load_model", {"scaled": Scaled}.__getitem__)
    write_trained(tmp_path / "results", {"low": {0: 0.5}, "high": {0: 2.0}})
    for case, name in {"a": "axial", "b": "oblique, feet first"}.items():
        put_case(tmp_path, case, name)
    return tmp_path


def put_case(root, case, name="axial", study=None, folder=None):
    ct, labels = two_district_case()
    direction = ORIENTATIONS[name].direction
    grid = replace(ct.grid, direction=direction)
    datasets = ct_series(study or Study(f"PAT-{case}"), grid, np.rint(ct.array))
    write(datasets, root / "scans" / (folder or case))
    write_volume(root / "maps" / f"{case}.nii.gz", Volume(labels.array, grid, "label"))
    return datasets


def run(scans, source="scans", **options):
    options = {"districts": scans / "maps", "device": "cpu", "dicom": True, **options}
    return predict(scans / source, scans / "out", **options)


@pytest.mark.parametrize("grid", ["pet", "ct"])
def test_each_case_is_a_nifti_file_and_a_dicom_series(scans, grid):
    assert [path.name for path in run(scans, grid=grid)] == ["a.nii.gz", "b.nii.gz"]
    for case in "ab":
        pet = read_volume(scans / "out" / f"{case}.nii.gz")
        assert pet.array.max() > 1
        image = read_by_itk(scans / "out" / "dicom" / case)
        np.testing.assert_allclose(image.GetOrigin(), pet.grid.origin, atol=1e-3)
        np.testing.assert_allclose(image.GetDirection(), pet.grid.direction, atol=1e-5)
        np.testing.assert_allclose(image.GetSpacing()[::-1], pet.grid.spacing, atol=1e-4)
        shape = image.GetSize()[::-1]
        assert shape == pet.grid.shape
        first = pydicom.dcmread(scans / "out" / "dicom" / case / "00001.dcm")
        assert first.PatientID == f"PAT-{case}"
        assert "model scaled, plans ct2petPlans, dataset Dataset900_Tiny" in first.DerivationDescription
    if grid == "ct":
        assert pet.grid.matches(read_volume(scans / "scans" / "b").grid)


def test_the_pet_among_several_predictions_is_written_as_dicom(scans, monkeypatch):
    monkeypatch.setattr("ct2pet.models.load_model", {"both": ScaledAndThresholded}.__getitem__)
    plans = two_target_plans(
        Fields((TWO_INPUTS[0], *TWO_TARGETS[::-1])),
        districts={"low": 1, "high": 2},
        configurations={n: two_target_configuration(labels=[label]) for label, n in ((1, "low"), (2, "high"))},
    )
    write_two_target_model(scans / "results", plans)
    assert [path.name for path in run(scans, model="both")][:2] == ["a_organs.nii.gz", "a_PET.nii.gz"]
    pet = read_volume(scans / "out" / "a_PET.nii.gz")
    (image,) = (read_by_itk(path) for path in (scans / "out" / "dicom").iterdir() if path.name == "a")
    assert pet.array.max() > 1
    np.testing.assert_allclose(sitk.GetArrayFromImage(image), pet.array, atol=pet.array.max() / 65535)


def test_a_model_without_a_pet_gives_no_series(scans):
    with pytest.raises(Ct2PetError, match="--dicom writes PETs, but this model predicts none"):
        DicomOutput(True, None).check(scans, [])
    DicomOutput(False, None).check(scans, [])


def test_dicom_cts_give_only_nifti_without_the_option(scans):
    run(scans, dicom=False)
    assert sorted(path.name for path in (scans / "out").iterdir()) == ["a.nii.gz", "b.nii.gz", "prediction.json"]


def test_the_folder_of_one_ct_is_one_case(scans):
    (path,) = run(scans, source="scans/b")
    assert path.name == "b.nii.gz"
    (path,) = predict(scans / "scans" / "a", scans / "pet.nii.gz", districts=scans / "maps", device="cpu", dicom=True)
    assert path == scans / "pet.nii.gz"
    assert (scans / "dicom" / "pet").is_dir()


def test_cts_that_are_no_dicom_are_refused_before_any_work(scans, capsys):
    ct, _ = two_district_case()
    write_volume(scans / "nifti" / "a_0000.nii.gz", ct)
    for source in ("nifti", "nifti/a_0000.nii.gz"):
        arguments = f"-i {scans / source} -o {scans}/out --districts {scans}/maps -device cpu --dicom"
        assert main(arguments.split()) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "--dicom needs each CT as a folder with a DICOM series" in line
    assert not (scans / "out").exists()


def test_several_series_in_a_folder_are_one_line(scans, capsys):
    write(ct_series(Study("PAT9"), number=5), scans / "scans" / "a", "second{}.dcm")
    arguments = f"-i {scans}/scans -o {scans}/out --districts {scans}/maps -device cpu --dicom"
    assert main(arguments.split()) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("a: ")]
    assert lines == [
        "a: it contains 2 CT series (CT series 2 (20 files); CT series 5 (12 files)); put each into its own folder"
    ]
    assert sorted(path.name for path in (scans / "out" / "dicom").iterdir()) == ["b"]


def test_series_that_are_missing_are_written_from_finished_predictions(scans, monkeypatch):
    first, _ = run(scans, dicom=False)
    before = first.stat().st_mtime_ns
    run(scans, continue_prediction=True)
    assert first.stat().st_mtime_ns == before
    series = content_of(scans / "out" / "dicom")
    assert len(series) == 40
    run(scans, continue_prediction=True)
    assert content_of(scans / "out" / "dicom") == series


def test_a_repeated_prediction_removes_the_old_series(scans):
    run(scans)
    run(scans, dicom=False, blend_mm=3.0)
    assert list((scans / "out" / "dicom").iterdir()) == []


def test_series_that_are_no_predictions_are_never_replaced(scans):
    write(ct_series(), scans / "out" / "dicom" / "a")
    with pytest.raises(Ct2PetError, match="dicom/a: would be replaced, but is not a prediction"):
        run(scans)
    assert len(list((scans / "out" / "dicom" / "a").iterdir())) == 12


def test_partial_series_of_killed_runs_are_removed(scans):
    run(scans)
    leftover = scans / "out" / "dicom" / ".partial-abcdefgh-a"
    shutil.copytree(scans / "out" / "dicom" / "a", leftover)
    shutil.rmtree(scans / "out" / "dicom" / "a")
    run(scans, continue_prediction=True)
    assert sorted(path.name for path in (scans / "out" / "dicom").iterdir()) == ["a", "b"]


def test_killed_at_any_file_and_continued_every_series_is_whole(scans, monkeypatch):
    def once():
        run(scans, continue_prediction=True)

    assert killed_until_done(once, monkeypatch) >= 3
    assert [len(list((scans / "out" / "dicom" / case).iterdir())) for case in "ab"] == [20, 20]


def test_a_disk_that_is_full_fails_the_case_and_keeps_its_nifti(scans, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pydicom, "dcmwrite", full)
    with pytest.raises(CasesFailed) as caught:
        run(scans, source="scans/a")
    assert list(caught.value.failures.values()) == [
        f"{scans / 'out' / 'dicom' / 'a'}: cannot be written (No space left on device)"
    ]
    assert (scans / "out" / "a.nii.gz").exists()
    monkeypatch.undo()


def test_an_unwritable_output_is_reported_before_any_work(scans, capsys):
    (scans / "file").touch()
    arguments = f"-i {scans}/scans -o {scans}/file/out --districts {scans}/maps -device cpu --dicom"
    assert main(arguments.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "file/out: not writable (Not a directory)" in line


def test_a_disk_too_full_for_the_nifti_is_one_line(scans, capsys):
    with file_size_limit(3000):
        assert main(f"-i {scans}/scans -o {scans}/out --districts {scans}/maps -device cpu --grid ct".split()) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("a: ")]
    assert lines == [f"a: {scans}/out/a.nii.gz: cannot be written (File too large)"]


def test_the_exported_folder_of_a_patient_with_its_pet_is_one_case(scans, capsys):
    study = Study("PAT-P")
    put_case(scans, "P", study=study, folder="P/CT")
    write(pet_series(study), scans / "scans" / "P" / "PET")
    arguments = f"-i {scans}/scans/P -o {scans}/out --districts {scans}/maps -device cpu --dicom"
    assert main(arguments.split()) == 0
    assert [path.name for path in (scans / "out").glob("*.nii.gz")] == ["P.nii.gz"]
    first = pydicom.dcmread(scans / "out" / "dicom" / "P" / "00001.dcm")
    assert (first.PatientID, first.StudyInstanceUID) == ("PAT-P", study.tags()["StudyInstanceUID"])
    assert capsys.readouterr().err.count("left out: PET\n") == 1


@pytest.mark.parametrize(("failing", "alone"), [(False, False), (True, False), (False, True)])
def test_patient_names_are_only_in_the_dicom_files(scans, capfd, failing, alone):
    shutil.rmtree(scans / "scans")
    datasets = put_case(scans, "unused", folder="unused")
    shutil.rmtree(scans / "scans")
    with quiet():
        plant_identifiers(datasets, SECRET)
        write(
            datasets[: 10 if failing else None] + (datasets[11:] if failing else []), scans / "scans" / f"{SECRET} Ann"
        )
    source = scans / "scans" / f"{SECRET} Ann" if alone else scans / "scans"
    (case,) = dicom_cases(source, scans / "out")
    (scans / "maps" / "unused.nii.gz").rename(scans / "maps" / f"{case}.nii.gz")
    arguments = f"-o {scans}/out --districts {scans}/maps -device cpu --dicom --verbose".split()
    code = main(["-i", str(source), *arguments])
    printed = "".join(capfd.readouterr())
    assert SECRET not in printed
    assert "ct_" in printed
    assert code == (2 if failing else 0)
    assert (scans / "out" / "dicom" / case / "00001.dcm").exists() != failing
    for path in (scans / "out").rglob("*"):
        assert SECRET not in str(path.relative_to(scans))
        if path.is_file() and path.suffix != ".dcm":
            assert SECRET.encode() not in path.read_bytes()


def test_the_conversion_reads_the_written_suv_and_reports_them_as_synthetic(scans, monkeypatch, capsys):
    """A synthetic PET that comes back from a PACS."""
    monkeypatch.setenv("ct2pet_raw", str(scans / "raw"))
    (path,) = run(scans, source="scans/b")
    shutil.copytree(scans / "scans" / "b", scans / "export" / "ct")
    shutil.copytree(scans / "out" / "dicom" / "b", scans / "export" / "pet")
    assert convert(["-i", str(scans / "export"), "-d", "1", "-n", "BACK", "-np", "1"]) == 0
    assert "the PET is synthetic" in "".join(capsys.readouterr())
    pet = read_volume(path)
    back = read_volume(scans / "raw" / "Dataset001_BACK" / "targetsTr" / "BACK_0001.nii.gz")
    assert back.grid.matches(pet.grid)
    np.testing.assert_allclose(back.array, pet.array, atol=1e-3)
