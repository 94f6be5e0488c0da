"""What is not used, and where it lies."""

import csv

import pytest
from dicom_studies import convert, missing_weight, study_of, write_studies

from ct2pet.conversion.converter import group_left_out
from ct2pet.dicom.tree import LeftOut
from ct2pet.errors import DatasetError


def test_reasons_are_counted(tmp_path):
    items = [LeftOut(tmp_path / name, reason) for name, reason in (("a", "x"), ("b", "y"), ("c", "y"))]
    assert group_left_out(items) == [("y", 2), ("x", 1)]


def test_what_is_not_used_stands_in_a_file_that_only_its_owner_may_read(tmp_path, raw):
    source = write_studies(tmp_path / "in", study_of("A"), missing_weight())
    (source / "JANE DOE.txt").write_text("")
    conversion = convert(source, left_out=tmp_path / "list.csv")
    assert (tmp_path / "list.csv").stat().st_mode & 0o777 == 0o600
    with (tmp_path / "list.csv").open(encoding="utf-8", newline="") as file:
        found = [tuple(row.values()) for row in csv.DictReader(file)]
    ((case, message),) = conversion.failures.items()
    assert found == [(case, message, "exam 1"), ("", "an empty file", "JANE DOE.txt")]
    assert "JANE" not in str([message, *(item.reason for item in conversion.left_out)])


def test_a_file_that_is_no_such_table_is_not_replaced(tmp_path, raw):
    source = write_studies(tmp_path / "in", study_of("A"))
    (tmp_path / "list.csv").write_text("years of work")
    with pytest.raises(DatasetError, match="no table of this kind"):
        convert(source, left_out=tmp_path / "list.csv")
    assert (tmp_path / "list.csv").read_text() == "years of work"
    convert(source, left_out=tmp_path / "other.csv")
    convert(source, left_out=tmp_path / "other.csv")  # its own is
