"""What remains of a case when its new conversion fails or is killed."""

import os
import shutil
from pathlib import Path

import pytest
from dicom_studies import content, convert, study_of, write_studies
from killed_writes import count_writes, killed_at

from ct2pet.dataset import RawDataset, verify_dataset


@pytest.fixture
def source(tmp_path, raw):
    """A study whose case was made without its last slice, which is there again."""
    source = write_studies(tmp_path / "in", study_of("A"), study_of("B"))
    last = source / "exam 1" / "PT8"
    whole = last.read_bytes()
    last.unlink()
    convert(source)
    last.write_bytes(whole)
    return source


def images(raw):
    """And the records; not what a killed run leaves, and not the files that are written last."""
    last = ("dataset.json", "cases.csv")
    return {name: data for name, data in content(raw).items() if "/." not in name and not name.endswith(last)}


@pytest.mark.parametrize("without_record", [False, True])
def test_a_case_is_as_before_where_its_new_conversion_fails(source, raw, without_record):
    if without_record:
        (raw / "Dataset001_CLINIC" / "conversion" / "CLINIC_0001.json").unlink()
    before = content(raw)
    for path in source.glob("*/CT4"):  # read after the new PET is written
        path.write_bytes(path.read_bytes()[:-50])
    conversion = convert(source)
    assert conversion.failures
    assert content(raw) == before
    assert verify_dataset(RawDataset(raw / "Dataset001_CLINIC")) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_killed_at_any_file_the_old_case_is_whole_and_the_next_run_replaces_it(source, raw, tmp_path, monkeypatch):
    before, old = images(raw), tmp_path / "old"
    raw.rename(old)
    copy(old, raw)
    files = count_writes(lambda: convert(source))
    whole = content(raw)
    assert whole != content(old)
    for number in range(1, files - 2):  # after the owner of the lock and before the tables
        copy(old, raw)
        killed_at(number, lambda: convert(source))
        assert images(raw) == before
        convert(source)
        assert content(raw) == whole, f"killed at file {number}"


def test_interrupted_between_its_files_a_case_is_no_half_case_and_is_made_again(source, raw, monkeypatch):
    before = {name for name in content(raw) if "dataset.json" not in name}
    real, moved = Path.replace, []

    def stumbles(path, target):
        if path.name.startswith(".partial-new-"):
            moved.append(path)
            if len(moved) == 2:
                raise KeyboardInterrupt
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stumbles)
        with pytest.raises(KeyboardInterrupt):
            convert(source)
    after = {name for name in content(raw) if "dataset.json" not in name}
    assert len(before - after) == 3, "both images and the record"
    assert after < before
    conversion = convert(source)
    assert (len(conversion.new), len(conversion.old)) == (1, 1)
    assert {name for name in content(raw) if "dataset.json" not in name} == before
    assert verify_dataset(RawDataset(raw / "Dataset001_CLINIC")) == []


def copy(old, new):
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(old, new)
