"""The command: its arguments arrive, its exit code and its words tell what happened."""

import pytest
from dicom_files import localiser, write
from dicom_studies import missing_weight, study_of, write_studies

from ct2pet import conversion
from ct2pet.cli.convert_dicom import main
from ct2pet.dataset import open_dataset


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))
    return write_studies(tmp_path / "in", study_of("JANE"))


def run(folder, *options):
    return main(["-i", str(folder), "-d", "007", "-n", "CLINIC", "-np", "1", *options])


def test_every_option_arrives(monkeypatch, tmp_path):
    calls = []
    result = conversion.Conversion(tmp_path, ("A_0001",), (), {}, {}, (), {}, {})
    monkeypatch.setattr(conversion, "convert_dicom", lambda **options: calls.append(options) or result)
    line = "-i in -d 12 -n A -np 3 --weights_csv w.csv --patient_map m.csv --left_out l.csv --lesion_rois *a*"
    assert main(line.split()) == 0
    (options,) = calls
    assert {name: str(value) for name, value in options.items()} == {
        **{"source": "in", "dataset_id": "12", "name": "A", "num_processes": "3", "weights_csv": "w.csv"},
        **{"patient_map": "m.csv", "left_out": "l.csv", "lesion_rois": "*a*"},
    }


def test_a_conversion_prints_a_summary(folder, capsys):
    write(localiser(), folder / "scouts")
    assert run(folder) == 0
    said = capsys.readouterr().out
    assert "left out: 2 x a localiser (scout)" in said
    assert "CLINIC_0001: PET series 3 (9 slices) with CT series 2 (12 slices); activity at the start of" in said
    assert "Dataset007_CLINIC: 1 case(s) converted\n" in said
    assert open_dataset("7").cases() == ["CLINIC_0001"]
    assert run(folder) == 0
    assert "0 case(s) converted, 1 already there" in capsys.readouterr().out


def test_a_conversion_with_a_failed_case_has_exit_code_1(folder, capsys):
    write_studies(folder / "more", missing_weight("JOHN"))
    assert run(folder) == 1
    captured = capsys.readouterr()
    assert "1 case(s) could not be converted" in captured.err
    assert "give weight_kg in --weights_csv" in captured.err
    assert "Dataset007_CLINIC: 1 case(s) converted" in captured.out
    assert "JANE" not in captured.out + captured.err
    assert "JOHN" not in captured.out + captured.err
    assert "Traceback" not in captured.err


def test_damaged_slices_at_an_end_are_an_error_although_the_case_is_there(folder, capsys):
    last = folder / "exam 0" / "CT11"
    last.write_bytes(last.read_bytes()[:700])
    for converted in ("1 case(s) converted\n", "0 case(s) converted, 1 already there"):  # again the next time
        assert run(folder) == 1
        captured = capsys.readouterr()
        assert converted in captured.out
        assert "1 case(s) may be incomplete; restore their files" in captured.err
        assert "CLINIC_0001: 1 damaged file(s) next to its images" in captured.err
    assert open_dataset("7").cases() == ["CLINIC_0001"]


def test_missing_slices_at_an_end_are_an_error(folder, capsys):
    (folder / "exam 0" / "PT8").unlink()
    assert run(folder) == 1
    assert "CLINIC_0001: the header of the PET states 9 slices, but 8 exist" in capsys.readouterr().err


def test_a_split_of_an_incomplete_dataset_is_made_before_the_error(tmp_path, folder, capsys):
    write_studies(folder / "more", study_of("B", 1), study_of("C", 2))
    (folder / "exam 0" / "PT8").unlink()
    assert run(folder, "--split") == 1
    assert "2 train, 0 validation, 1 test" in capsys.readouterr().out


def test_lesion_rois_and_lesion_names_are_the_same_option(monkeypatch, tmp_path):
    calls = []
    result = conversion.Conversion(tmp_path, ("A_0001",), (), {}, {}, (), {}, {})
    monkeypatch.setattr(conversion, "convert_dicom", lambda **options: calls.append(options["lesion_rois"]) or result)
    for option in ("--lesion_rois", "--lesion_names"):
        assert main(["-i", "in", "-d", "1", "-n", "A", option, "*a*"]) == 0
    assert calls == ["*a*", "*a*"]


def test_a_conversion_without_a_converted_case_has_exit_code_2(folder, tmp_path, capsys):
    assert run(tmp_path / "nowhere") == 2
    assert capsys.readouterr().err.endswith("nowhere: no such folder\n")
    write_studies(tmp_path / "bad", missing_weight())
    assert run(tmp_path / "bad") == 2


def test_a_number_below_one_is_refused(folder, capsys):
    with pytest.raises(SystemExit):
        main(["-i", str(folder), "-d", "0", "-n", "CLINIC"])
    assert "-d: expected a whole number from 1" in capsys.readouterr().err
