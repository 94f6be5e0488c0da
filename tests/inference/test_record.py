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
