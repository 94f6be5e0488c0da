"""Which cases are finished."""

from dicom_studies import content, convert, study_of, write_studies

from ct2pet.dataset.train_test_split import split_dataset


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
