import pytest

from ct2pet.inference.dicom_output import DicomOutput
from ct2pet.inference.input_files import Case
from ct2pet.inference.record import PredictionRecord


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
