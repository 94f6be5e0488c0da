"""Which cases are finished."""

import pytest
from dicom_files import write
from dicom_studies import content, convert, study_of, write_studies

from ct2pet.dataset import update_dataset_json
from ct2pet.dataset.train_test_split import split_dataset
from ct2pet.errors import Ct2PetError, DatasetError
from ct2pet.files import read_json
from ct2pet.locks import folder_lock


def test_partial_files_of_a_killed_conversion_are_removed_and_its_cases_converted_again(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("A"), study_of("B"))
    convert(tmp_path / "in")
    dataset, whole = raw / "Dataset001_CLINIC", content(raw)
    (dataset / "dataset.json").unlink()
    (dataset / "conversion" / "CLINIC_0002.json").unlink()
    (dataset / "imagesTr" / "CLINIC_0002_0000.nii.gz").unlink()
    (dataset / "targetsTr" / ".partial-abc-CLINIC_0002.nii.gz").write_bytes(b"half")
    (dataset / "lesionsTr").mkdir()
    (dataset / "lesionsTr" / "CLINIC_0002.nii.gz").write_bytes(b"of another choice")
    conversion = convert(tmp_path / "in")
    assert conversion.new == ("CLINIC_0002",)
    assert content(raw) == whole


def test_a_case_whose_image_was_removed_is_made_again(tmp_path, raw):
    write_studies(tmp_path / "in", study_of("A"))
    convert(tmp_path / "in")
    whole = content(raw)
    (raw / "Dataset001_CLINIC" / "targetsTr" / "CLINIC_0001.nii.gz").unlink()
    assert convert(tmp_path / "in").new == ("CLINIC_0001",)
    assert content(raw) == whole


def test_cases_that_a_split_moved_are_not_made_again_and_not_cleared(tmp_path, raw):
    write_studies(tmp_path / "in", *(study_of(f"PAT{number}", number) for number in range(3)))
    convert(tmp_path / "in")
    split_dataset(raw / "Dataset001_CLINIC")
    whole = content(raw)
    assert sum("imagesTs" in name for name in whole) == 1
    conversion = convert(tmp_path / "in")
    assert (conversion.new, len(conversion.old)) == ((), 3)
    assert content(raw) == whole


def test_a_dataset_that_is_extended_keeps_the_changes_of_a_user(tmp_path, raw, monkeypatch):
    write_studies(tmp_path / "in", study_of("A"))
    folder = convert(tmp_path / "in").dataset
    update_dataset_json(folder, lesion_groups={"primary": 1}, districts={"limbs": 1})
    changed = read_json(folder / "dataset.json")
    ct, pet = study_of("B")
    write(ct + pet, tmp_path / "in" / "more")
    with monkeypatch.context() as patch:
        patch.setattr("ct2pet.conversion.converter._finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            convert(tmp_path / "in")
    assert not (folder / "dataset.json").exists()
    convert(tmp_path / "in")
    assert read_json(folder / "dataset.json") == {**changed, "numTraining": 2}
    (folder / "dataset.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"dataset\.json: the key 'channel_names' is missing"):
        convert(tmp_path / "in")


def test_one_conversion_writes_into_a_dataset_at_a_time(tmp_path, raw):
    """Two that run together would give the same names to different cases."""
    source = write_studies(tmp_path / "in", study_of("A"))
    folder = raw / "Dataset001_CLINIC"
    with folder_lock(folder / "conversion", "a conversion"), pytest.raises(Ct2PetError, match="uses this folder"):
        convert(source)
    assert not any(path.is_file() for path in folder.rglob("*"))
    assert len(convert(source).new) == 1


def interrupted(*_):
    raise KeyboardInterrupt
