import pytest
from dicom_files import ct_series, write

from ct2pet.errors import Ct2PetError, DatasetError
from ct2pet.inference.input_files import Case, beside, find_cases, part


def files(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_predictions_are_named_by_case_in_the_format_of_the_ct(tmp_path):
    source = files(tmp_path / "in", "b_0000.nii.gz", "a.nrrd", "c_0000.mhd", "c_0000.raw", "notes.txt", ".hidden.nii")
    outputs = {case.name: case.output for case in find_cases(source, tmp_path / "out")}
    assert list(outputs) == ["a", "b", "c"]
    assert [path.name for path in outputs.values()] == ["a.nrrd", "b.nii.gz", "c.nii.gz"]
    assert {path.parent for path in outputs.values()} == {tmp_path / "out"}


def test_one_ct_goes_into_a_folder_or_a_file(tmp_path):
    ct = files(tmp_path / "in", "p.1_0000.nii.gz") / "p.1_0000.nii.gz"
    assert find_cases(ct, tmp_path / "out") == [Case("p.1", ct, tmp_path / "out" / "p.1.nii.gz")]
    assert find_cases(ct, tmp_path / "pet.mha") == [Case("p.1", ct, tmp_path / "pet.mha")]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a_0000.nii.gz", "a.nii.gz"], "are the same case"),
        (["a_0000.nii.gz", "a_0000.nrrd"], "are the same case"),
        (["readme.txt"], "no CT in it"),
    ],
)
def test_folders_that_are_ambiguous_or_empty_are_refused(tmp_path, names, message):
    with pytest.raises(DatasetError, match=message):
        find_cases(files(tmp_path / "in", *names), tmp_path / "out")


def test_a_missing_folder_and_an_unknown_format_are_named(tmp_path):
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        find_cases(tmp_path / "nowhere", tmp_path)
    with pytest.raises(Ct2PetError, match=r"scan\.doc: unknown image format"):
        find_cases(files(tmp_path, "scan.doc") / "scan.doc", tmp_path)


@pytest.mark.parametrize("num_parts", [1, 2, 3, 7])
def test_the_parts_are_all_cases_once(num_parts):
    cases = list("abcde")
    parts = [part(cases, num_parts, part_id) for part_id in range(num_parts)]
    assert sorted(case for some in parts for case in some) == cases
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for wrong in (-1, num_parts):
        with pytest.raises(DatasetError, match="-part_id"):
            part(cases, num_parts, wrong)


def test_district_maps_are_found_beside_the_images(tmp_path):
    images = files(tmp_path / "imagesTs", "a_0000.nii")
    districts = files(tmp_path / "districtsTs")
    assert beside(images, "districts") == districts
    assert beside(images / "a_0000.nii", "districts") == districts
    with pytest.raises(DatasetError, match="no folder of lesions beside it; name one with --lesions"):
        beside(images, "lesions")
    with pytest.raises(DatasetError, match="--districts"):
        beside(files(tmp_path / "scans"), "districts")


@pytest.mark.parametrize(("source", "target"), [("in", "in"), ("in", "linked"), ("in/a.nii.gz", "in/a.nii.gz")])
def test_a_prediction_never_replaces_a_ct(tmp_path, source, target):
    files(tmp_path / "in", "a.nii.gz")
    (tmp_path / "linked").symlink_to(tmp_path / "in", target_is_directory=True)
    with pytest.raises(DatasetError, match="would replace this CT"):
        find_cases(tmp_path / source, tmp_path / target)


def test_folders_of_dicom_files_are_cases_where_there_are_no_image_files(tmp_path):
    source, target = tmp_path / "in", tmp_path / "in" / "out"
    for case in ("b.1", "a x"):
        write(ct_series()[:2], source / case)
    outputs = [target / "a x.nii.gz", target / "b.1.nii.gz"]
    assert [case.output for case in find_cases(source, target)] == outputs
    files(target, "a x.nii.gz")
    assert len(find_cases(source, target)) == 2
    assert find_cases(source / "b.1", tmp_path / "pet.nii") == [Case("b.1", source / "b.1", tmp_path / "pet.nii")]
    files(source, "c.nrrd")
    assert [case.name for case in find_cases(source, target)] == ["c"]
