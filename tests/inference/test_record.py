import json

import pytest

from ct2pet.errors import Ct2PetError
from ct2pet.inference.dicom_output import DicomOutput
from ct2pet.inference.input_files import Case
from ct2pet.inference.record import PredictionRecord

DICOM = DicomOutput(False, "PET")


def cases_in(folder, names):
    return [Case(name, {"CT": folder / f"{name}_0000.nii.gz"}, {"PET": folder / f"{name}.nii.gz"}) for name in names]


def predicted(folder, names, model, run, other_parts=()):
    """Runs that predict ``names`` into ``folder``: its runs afterwards."""
    cases = cases_in(folder, names)
    record = PredictionRecord.beside(folder, cases, {"model": model}, {"run": run})
    assert record.begin(cases, False, DICOM, cases_in(folder, other_parts)) == cases
    for case in cases:
        case.output.write_text(model)
    content = json.loads(record.path.read_text())
    assert content["model"] == model
    return [one["run"] for one in content["runs"]]


def test_predictions_of_two_models_are_not_mixed_in_one_folder(tmp_path):
    assert predicted(tmp_path, "a", "pix2pix", 1) == [1]
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(Ct2PetError, match=r"prediction\.json: 1 image.*a\.nii\.gz.*another model.*\(model\).*choose"):
        predicted(tmp_path, "b", "box", 2)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert predicted(tmp_path, "ab", "box", 3) == [3]  # nothing of the other model is left
    assert predicted(tmp_path, "c", "box", 4) == [3, 4]


def test_parts_of_a_prediction_replace_those_of_another_model(tmp_path):
    predicted(tmp_path, "abc", "pix2pix", 1)
    assert predicted(tmp_path, "a", "box", 2, other_parts="abc") == [2]
    assert predicted(tmp_path, "bc", "box", 3, other_parts="abc") == [2, 3]
    with pytest.raises(Ct2PetError, match=r"1 image.*c\.nii\.gz"):
        predicted(tmp_path, "a", "pix2pix", 4, other_parts="ab")


@pytest.mark.parametrize("damaged", ["no JSON", "[]"])
def test_images_beside_a_damaged_record_are_of_an_unknown_model(tmp_path, damaged):
    predicted(tmp_path, "a", "box", 1)
    (tmp_path / "prediction.json").write_text(damaged)
    with pytest.raises(Ct2PetError, match=r"1 image.*a\.nii\.gz"):
        predicted(tmp_path, "b", "box", 2)
    assert predicted(tmp_path, "ab", "box", 2) == [2]


def test_input_images_beside_the_predictions_are_not_taken_for_them(tmp_path):
    predicted(tmp_path, "a", "pix2pix", 1)
    (tmp_path / "a_0000.nii.gz").touch()
    assert predicted(tmp_path, "a", "box", 2) == [2]


def test_a_picture_of_another_program_is_never_deleted(tmp_path):
    (tmp_path / "a.png").write_bytes(b"a screenshot")
    with pytest.raises(Ct2PetError, match=r"a\.png: would be replaced, but is not a prediction"):
        predicted(tmp_path, "ab", "pix2pix", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    (tmp_path / "a.png").rename(tmp_path / "other.png")
    assert predicted(tmp_path, "ab", "pix2pix", 1) == [1]


def test_replaced_predictions_are_reported(tmp_path, capsys):
    cases = [Case(name, {}, {"PET": tmp_path / f"{name}.nii.gz"}) for name in ("a", "b", "c")]
    record, dicom = PredictionRecord.beside(tmp_path, cases, {"model": "pix2pix"}, {}), DicomOutput(False, "PET")
    assert record.begin(cases, False, dicom) == cases
    for case in cases[:2]:
        case.output.write_bytes(b"a PET")
    assert record.begin(cases, True, dicom) == cases[2:]
    assert capsys.readouterr().err == ""
    assert record.begin(cases, False, dicom) == cases
    kept = "--continue_prediction keeps finished ones"
    assert capsys.readouterr().err == f"{tmp_path}: 2 existing prediction(s) are replaced; {kept}\n"
    assert not any(case.output.exists() for case in cases)


@pytest.mark.parametrize(
    ("target", "found", "stays"),
    [
        ("out", [], False),
        ("out", ["notes.txt", ".partial-12345678-a.nii.gz"], False),
        ("out", ["b.nii.gz"], True),
        ("out", ["of an earlier run.mha"], True),
        ("out/a.nii.gz", ["other.nii.gz"], False),
        ("out/a.nii.gz", ["a.nii.gz"], True),
    ],
)
def test_a_record_stays_only_with_predictions(tmp_path, target, found, stays):
    names = ["a.nii.gz"] if target.endswith("gz") else ["a.nii.gz", "b.nii.gz"]
    cases = [Case(name[0], {}, {"PET": tmp_path / "out" / name}) for name in names]
    record = PredictionRecord.beside(tmp_path / target, cases, {"model": "pix2pix"}, {})
    record.begin(cases, False, DicomOutput(False, "PET"))
    assert record.path.exists()
    for name in found:
        (tmp_path / "out" / name).touch()
    record.remove_if_unused(cases)
    assert record.path.exists() == stays
