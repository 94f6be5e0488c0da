"""What is not used, and where it lies."""

import csv

import numpy as np
import pytest
from dicom_files import Study, ct_series, write
from dicom_objects import rtstruct
from dicom_studies import convert, missing_weight, study_of, write_studies

from ct2pet.conversion.converter import group_left_out
from ct2pet.dataset import RawDataset
from ct2pet.dicom.tree import LeftOut
from ct2pet.errors import DatasetError
from ct2pet.imageio import read_volume


def test_reasons_are_counted(tmp_path):
    items = [LeftOut(tmp_path / name, reason) for name, reason in (("a", "x"), ("b", "y"), ("c", "y"))]
    assert group_left_out(items) == [("y", 2), ("x", 1)]


def test_unused_files_are_listed_in_a_file_that_only_its_owner_can_read(tmp_path, raw):
    source = write_studies(tmp_path / "in", study_of("A"), missing_weight())
    (source / "JANE DOE.txt").write_text("")
    conversion = convert(source, left_out=tmp_path / "list.csv")
    assert (tmp_path / "list.csv").stat().st_mode & 0o777 == 0o600
    with (tmp_path / "list.csv").open(encoding="utf-8", newline="") as file:
        found = [tuple(row.values()) for row in csv.DictReader(file)]
    ((case, message),) = conversion.failures.items()
    assert found == [(case, message, "exam 1"), ("", "an empty file", "JANE DOE.txt")]
    assert "JANE" not in str([message, *(item.reason for item in conversion.left_out)])


def test_every_structure_object_that_became_nothing_is_in_the_table_also_when_its_case_was_there(tmp_path, raw):
    ct, pet = study_of("A")
    source = write_studies(tmp_path / "in", (ct, pet))
    square = [np.array([(-6.0, -6.0, -495.5), (6.0, -6.0, -495.5), (6.0, 6.0, -495.5), (-6.0, 6.0, -495.5)])]
    write(rtstruct({"tumour": square}, referenced=pet, StudyInstanceUID="1.2.3"), source / "good")
    write(rtstruct({"body": square}, referenced=pet, series="organs"), source / "organs")
    write(rtstruct({"tumour": square}, Study("A"), ct_series(Study("A"), series="MR"), "mr"), source / "mr")
    write(rtstruct({"tumour": square}, Study("STRANGER"), series="stranger"), source / "stranger")
    for _ in range(2):
        conversion = convert(source, left_out=tmp_path / "list.csv")
        with (tmp_path / "list.csv").open(encoding="utf-8", newline="") as file:
            found = {row["place"].split("/")[0]: row["reason"] for row in csv.DictReader(file)}
        assert {*found} == {"organs", "mr", "stranger"}
        assert "none of its regions is a lesion: regions 1 (untyped, named as an organ or the body)" in found["organs"]
        assert "it is drawn on another series" in found["mr"]
        assert "belongs to no case" in found["stranger"]
        assert len(conversion.left_out) == 3
    mask = read_volume(RawDataset(conversion.dataset).file("lesions", "CLINIC_0001"))
    assert mask.array.sum() == mask.array[1].sum() == 9


def test_a_file_that_is_no_such_table_is_not_replaced(tmp_path, raw):
    source = write_studies(tmp_path / "in", study_of("A"))
    (tmp_path / "list.csv").write_text("years of work")
    with pytest.raises(DatasetError, match="not a table of --left_out"):
        convert(source, left_out=tmp_path / "list.csv")
    assert (tmp_path / "list.csv").read_text() == "years of work"
    convert(source, left_out=tmp_path / "other.csv")
    convert(source, left_out=tmp_path / "other.csv")  # its own is
