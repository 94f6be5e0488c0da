import numpy as np
import pytest
from dicom_files import ct_series, write
from tiny import FIELDS
from two_targets import TWO_INPUTS, TWO_OF_BOTH, TWO_TARGETS

from ct2pet.dataset import Fields
from ct2pet.errors import Ct2PetError, DatasetError, ImageError
from ct2pet.imageio import write_volume
from ct2pet.inference.input_files import Case, beside, find_cases, part, read_input
from ct2pet.volume import Grid, Volume

ONE_INPUT = Fields((TWO_INPUTS[0], *TWO_TARGETS))
ONE_TARGET = Fields((*TWO_INPUTS, TWO_TARGETS[0]))


def files(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


def case(name, image, output):
    """A case of one CT and one PET."""
    return Case(name, {"CT": image}, {"PET": output})


def test_predictions_are_named_by_case_in_the_format_of_the_ct(tmp_path):
    source = files(tmp_path / "in", "b_0000.nii.gz", "a.nrrd", "c_0000.mhd", "c_0000.raw", "notes.txt", ".hidden.nii")
    outputs = {case.name: case.output for case in find_cases(source, tmp_path / "out", FIELDS)}
    assert list(outputs) == ["a", "b", "c"]
    assert [path.name for path in outputs.values()] == ["a.nrrd", "b.nii.gz", "c.nii.gz"]
    assert {path.parent for path in outputs.values()} == {tmp_path / "out"}


def test_the_output_of_one_ct_is_a_folder_or_a_file(tmp_path):
    ct = files(tmp_path / "in", "p.1_0000.nii.gz") / "p.1_0000.nii.gz"
    assert find_cases(ct, tmp_path / "out", FIELDS) == [case("p.1", ct, tmp_path / "out" / "p.1.nii.gz")]
    assert find_cases(ct, tmp_path / "pet.mha", FIELDS) == [case("p.1", ct, tmp_path / "pet.mha")]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a_0000.nii.gz", "a.nii.gz"], "have the same case name"),
        (["a_0000.nii.gz", "a_0000.nrrd"], "have the same case name"),
        (["readme.txt"], "no images; known formats .* and DICOM$"),
        (["patient/ct.nii.gz"], "no images; known formats .*; image files in its subfolders are not read$"),
    ],
)
def test_folders_that_are_ambiguous_or_empty_are_refused(tmp_path, names, message):
    with pytest.raises(DatasetError, match=message):
        find_cases(files(tmp_path / "in", *names), tmp_path / "out", FIELDS)


def test_a_missing_folder_and_an_unknown_format_are_named(tmp_path):
    with pytest.raises(DatasetError, match="nowhere: no such file or folder"):
        find_cases(tmp_path / "nowhere", tmp_path, FIELDS)
    with pytest.raises(Ct2PetError, match=r"scan\.doc: unknown image format"):
        find_cases(files(tmp_path, "scan.doc") / "scan.doc", tmp_path, FIELDS)


@pytest.mark.parametrize("num_parts", [1, 2, 3, 7])
def test_the_parts_are_all_cases_once(num_parts):
    cases = list("abcde")
    parts = [part(cases, num_parts, part_id) for part_id in range(num_parts)]
    assert sorted(case for some in parts for case in some) == cases
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for wrong in (-1, num_parts):
        with pytest.raises(DatasetError, match="-part_id"):
            part(cases, num_parts, wrong)


def test_district_maps_are_found_next_to_the_images(tmp_path):
    images = files(tmp_path / "imagesTs", "a_0000.nii")
    districts = files(tmp_path / "districtsTs")
    assert beside(images, "districts") == districts
    assert beside(images / "a_0000.nii", "districts") == districts
    with pytest.raises(DatasetError, match="no folder of lesions next to it; give one with --lesions"):
        beside(images, "lesions")
    with pytest.raises(DatasetError, match="--districts"):
        beside(files(tmp_path / "scans"), "districts")


def test_district_maps_are_found_next_to_a_link_and_to_its_target(tmp_path):
    dataset = tmp_path / "dataset"
    districts = files(dataset / "districtsTs")
    (dataset / "imagesTs").symlink_to(files(tmp_path / "disk" / "scans", "a.nii"), target_is_directory=True)
    (tmp_path / "mine").symlink_to(dataset, target_is_directory=True)
    (tmp_path / "cts").symlink_to(files(dataset / "imagesTr", "b.nii"), target_is_directory=True)
    assert beside(dataset / "imagesTs", "districts") == districts
    assert beside(tmp_path / "mine" / "imagesTs" / "a.nii", "districts").samefile(districts)
    training = files(dataset / "districtsTr")
    assert beside(tmp_path / "cts", "districts") == training


@pytest.mark.parametrize(("source", "target"), [("in", "in"), ("in", "linked"), ("in/a.nii.gz", "in/a.nii.gz")])
def test_a_prediction_never_replaces_a_ct(tmp_path, source, target):
    files(tmp_path / "in", "a.nii.gz")
    (tmp_path / "linked").symlink_to(tmp_path / "in", target_is_directory=True)
    with pytest.raises(DatasetError, match=r"a\.nii\.gz: the output would replace this image"):
        find_cases(tmp_path / source, tmp_path / target, FIELDS)


def test_one_image_in_a_folder_has_the_output_that_is_named(tmp_path):
    source = files(tmp_path / "in", "a_0000.nii.gz")
    target = tmp_path / "pet.nii.gz"
    assert find_cases(source, target, FIELDS) == [case("a", source / "a_0000.nii.gz", target)]
    files(source, "b.nii.gz")
    with pytest.raises(DatasetError, match=r"pet\.nii\.gz: -o must be a folder: there are 2 images"):
        find_cases(source, target, FIELDS)
    target.mkdir()
    for images in (source, source / "b.nii.gz"):
        outputs = [found.output.parent for found in find_cases(images, target, FIELDS)]
        assert {*outputs} == {target}


def test_folders_of_dicom_files_are_cases_where_there_are_no_image_files(tmp_path):
    source, target = tmp_path / "in", tmp_path / "in" / "out"
    for name in ("b.1", "a x"):
        write(ct_series()[:2], source / name)
    outputs = [target / "a x.nii.gz", target / "b.1.nii.gz"]
    assert [found.output for found in find_cases(source, target, FIELDS)] == outputs
    files(target, "a x.nii.gz")
    assert len(find_cases(source, target, FIELDS)) == 2
    alone = find_cases(source / "b.1", tmp_path / "pet.nii", FIELDS)
    assert alone == [case("b.1", source / "b.1", tmp_path / "pet.nii")]
    files(source, "c.nrrd")
    assert [found.name for found in find_cases(source, target, FIELDS)] == ["c"]


def test_a_model_of_pets_does_not_take_dicom_files(tmp_path):
    write(ct_series()[:1], tmp_path / "in" / "a")
    with pytest.raises(
        DatasetError, match=r"in: only CTs are read from DICOM, and the model's input is low_dose; give"
    ):
        find_cases(tmp_path / "in", tmp_path / "out", Fields((TWO_INPUTS[1], TWO_TARGETS[0])))


def test_files_of_several_inputs_and_targets_are_named_by_case_and_field(tmp_path):
    names = ("b_0000.nii.gz", "b_0001.nrrd", "a_0001.nii", "a_0000.nii", "a_0002.nii", "notes.txt")
    source, out = files(tmp_path / "in", *names), tmp_path / "out"
    assert find_cases(source, out, TWO_OF_BOTH) == [
        Case(
            "a",
            {"CT": source / "a_0000.nii", "low_dose": source / "a_0001.nii"},
            {"PET": out / "a_PET.nii", "organs": out / "a_organs.nii"},
        ),
        Case(
            "b",
            {"CT": source / "b_0000.nii.gz", "low_dose": source / "b_0001.nrrd"},
            {"PET": out / "b_PET.nii.gz", "organs": out / "b_organs.nii.gz"},
        ),
    ]
    (first, _) = find_cases(source, out, ONE_TARGET)
    assert first.outputs == {"PET": out / "a.nii"}


def test_a_case_that_lacks_an_input_is_one_clear_line(tmp_path):
    for names, line in (
        (("a_0000.nii", "a_0001.nii", "b_0000.nii"), "b has no low_dose (b_0001)"),
        (("a_0000.nii", "a_0001.nii", "b_0001.nii"), "b has no CT (b_0000)"),
    ):
        source = files(tmp_path / names[-1], *names)
        with pytest.raises(DatasetError) as caught:
            find_cases(source, tmp_path / "out", TWO_OF_BOTH)
        assert str(caught.value) == f"{source}: {line}"


def test_several_inputs_come_from_a_folder(tmp_path):
    source = files(tmp_path / "in", "a_0000.nii", "a_0001.nii")
    with pytest.raises(DatasetError, match=r"a_0000\.nii: the model takes 2 inputs: give the folder .*CASE_0001"):
        find_cases(source / "a_0000.nii", tmp_path / "out", TWO_OF_BOTH)
    empty = files(tmp_path / "empty", "a.nii")
    with pytest.raises(DatasetError, match=r"empty: no cases; the model takes 2 inputs: CASE_0000, CASE_0001"):
        find_cases(empty, tmp_path / "out", TWO_OF_BOTH)


@pytest.mark.parametrize("fields", [TWO_OF_BOTH, ONE_INPUT, ONE_TARGET])
def test_several_inputs_or_targets_do_not_go_into_one_file(tmp_path, fields):
    source = files(tmp_path / "in", "a_0000.nii", *(["a_0001.nii"] if len(fields.inputs) == 2 else []))
    with pytest.raises(DatasetError, match=r"pet\.nii\.gz: -o must be a folder"):
        find_cases(source, tmp_path / "pet.nii.gz", fields)


def test_a_prediction_of_several_never_replaces_an_input(tmp_path):
    """A case called X_PET has an input that is called as the prediction of the case X."""
    source = files(tmp_path / "in", "a_0000.nii", "a_PET.nii")
    with pytest.raises(DatasetError, match=r"a_PET\.nii: the output would replace this image"):
        find_cases(source, source, ONE_INPUT)


def test_a_case_is_done_if_all_its_predictions_exist(tmp_path):
    outputs = {name: tmp_path / f"a_{name}.nii" for name in ("PET", "organs")}
    found = Case("a", {}, outputs)
    for name in outputs:
        assert not found.is_done
        files(tmp_path, f"a_{name}.nii")
    assert found.is_done


@pytest.mark.parametrize("number", [0, 1])
def test_an_input_is_checked_by_the_rules_of_its_kind(tmp_path, number):
    """A PET in place of the CT, and a PET in Bq/ml."""
    grid = Grid((4, 5, 6), (2.0, 2.0, 2.0))
    values = np.random.default_rng(0).uniform(0, 5, grid.shape).astype(np.float32)
    good, bad = [(values * 100 - 250, values * 10000), (values, values * 10000)][number]
    field, message = TWO_INPUTS[number], ["not a CT in HU", "looks like Bq/ml"][number]
    for name, array in (("good", good), ("bad", bad)):
        write_volume(tmp_path / f"{name}.nii", Volume(array, grid))
    assert read_input(tmp_path / "good.nii", field).unit == field.unit
    with pytest.raises(ImageError, match=rf"bad\.nii: .*{message}"):
        read_input(tmp_path / "bad.nii", field)
