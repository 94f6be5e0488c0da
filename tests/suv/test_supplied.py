"""The user's table of weights: what it may hold, what it is refused for, and which row is about which study."""

from datetime import datetime, time

import pytest

from ct2pet.errors import DatasetError
from ct2pet.suv import Supplied, read_supplied


def table(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "weights.csv"
    path.write_text(text, encoding=encoding)
    return read_supplied(path)


def test_values_of_a_patient(tmp_path):
    found = table(tmp_path, "patient,weight_kg,dose_bq,injection\nP1,70.5,3.5e8,08:15\nP2,60,,\n")
    assert found.find(patient="P1").values == Supplied(70.5, 3.5e8, time(8, 15))
    assert found.find(patient="P2").values == Supplied(60.0)
    assert found.find(patient="P3") is None


def test_a_decay_reference(tmp_path):
    found = table(tmp_path, "patient,decay_reference\nP1,09:00:30\nP2,2020-01-02T09:00\n")
    assert found.find(patient="P1").values == Supplied(decay_reference=time(9, 0, 30))
    assert found.find(patient="P2").values.names == ("decay_reference",)


def test_the_most_specific_row_of_the_table_is_used(tmp_path):
    text = "patient,study,weight_kg\nP1,,70\nP1,2020-01-02,72\nP1,1.2.3,74\n"
    found = table(tmp_path, text)
    assert found.find(patient="P1", study=("1.9", "2020-01-02")).values.weight_kg == 72
    assert found.find(patient="P1", study=("1.2.3", "2021-05-05")).values.weight_kg == 74
    assert found.find(patient="P1", study=("1.9",)).values.weight_kg == 70


def test_rows_by_case(tmp_path):
    found = table(tmp_path, "case,weight_kg\nD_0001,70\n")
    assert found.find(patient="anyone", case="D_0001").values.weight_kg == 70
    assert found.find(patient="anyone", case="D_0002") is None


def test_two_rows_about_the_same_study_are_not_chosen_between(tmp_path):
    found = table(tmp_path, "patient,weight_kg\nSECRET,70\nSECRET,71\n")
    with pytest.raises(DatasetError, match="lines 2 and 3") as error:
        found.find(patient="SECRET")
    assert "SECRET" not in str(error.value)


def test_a_table_from_a_spreadsheet_is_read(tmp_path):
    text = "patient; weight_kg;injection\r\nÄ1 ;70;2020-01-02T08:15\r\n;;\r\n"
    found = table(tmp_path, text, "utf-8-sig")
    assert found.find(patient="Ä1").values == Supplied(70.0, None, datetime(2020, 1, 2, 8, 15))


def test_a_quoted_field_may_hold_the_separator(tmp_path):
    assert table(tmp_path, 'patient,weight_kg\n"Doe, J",70\n').find(patient="Doe, J").values.weight_kg == 70


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "first line"),
        ("P1,70\n", "first line"),
        ("patient,weight\nP1,70\n", "first line"),
        ("weight_kg\n70\n", "first line"),
        ("patient\nP1\n", "first line"),
        ("patient,weight_kg\nSECRET,heavy\n", "line 2, column weight_kg"),
        ("patient,weight_kg\nP1,70\nSECRET,-70\n", "line 3, column weight_kg"),
        ("patient,weight_kg\nSECRET,nan\n", "line 2, column weight_kg"),
        ("patient,weight_kg\nSECRET,70,5\n", "line 2 has another number of fields"),
        ("patient,weight_kg,dose_bq\nSECRET,70\n", "line 2 has another number of fields"),
        ("patient,weight_kg,dose_bq\nSECRET,70,inf\n", "line 2, column dose_bq"),
        ("patient,injection\nSECRET,25:00\n", "line 2, column injection"),
        ("patient,injection\nSECRET,2020-01-02T08:00+01:00\n", "line 2, column injection"),
        ("patient,injection\nSECRET,2020-01-02\n", "line 2, column injection"),
        ("patient,injection\nSECRET,08\n", "line 2, column injection"),
        ("patient,injection\nSECRET,2020-01-02T08\n", "line 2, column injection"),
        ("patient,decay_reference\nSECRET,9\n", "line 2, column decay_reference"),
        ("patient,weight_kg\n,70\n", "line 2 has no patient"),
    ],
)
def test_an_invalid_table_entry_is_named_without_its_value(tmp_path, text, named):
    with pytest.raises(DatasetError, match=named) as error:
        table(tmp_path, text)
    assert "SECRET" not in str(error.value)


def test_a_decimal_comma_is_not_misread(tmp_path):
    with pytest.raises(DatasetError, match="line 2"):
        table(tmp_path, "patient;weight_kg\nP1;70,5\n")


def test_a_missing_or_binary_table(tmp_path):
    with pytest.raises(DatasetError, match="no such file"):
        read_supplied(tmp_path / "none.csv")
    (tmp_path / "weights.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_supplied(tmp_path / "weights.csv")
