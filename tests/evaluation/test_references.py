import numpy as np
import pytest

from ct2pet.dataset import RawDataset, update_dataset_json, write_dataset_json
from ct2pet.errors import DatasetError
from ct2pet.evaluation.references import Reference, References
from ct2pet.imageio import image_files, write_volume
from ct2pet.volume import Grid, Volume

GRID = Grid((3, 3, 3), (4.0, 4.0, 4.0))


def put(path):
    write_volume(path, Volume(np.ones(GRID.shape, np.uint8), GRID))
    return path


def test_files_are_found_by_case_and_doubles_are_refused(tmp_path):
    first, second = put(tmp_path / "b.nii.gz"), put(tmp_path / "a.x.nrrd")
    (tmp_path / "summary.json").write_text("{}")
    (tmp_path / ".partial-c.nii.gz").write_text("")
    assert image_files(tmp_path) == {"b": first, "a.x": second}
    put(tmp_path / "b.mha")
    with pytest.raises(DatasetError, match=r"b\.mha and b\.nii\.gz have the same case name"):
        image_files(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        image_files(tmp_path / "nowhere")


def test_a_split_brings_its_training_cases_along(tmp_path):
    folder = tmp_path / "Dataset001_X"
    for kind, split, ending in (("images", "Tr", "_0000"), ("targets", "Tr", ""), ("districts", "Tr", "")):
        for case in "ab":
            put(folder / f"{kind}{split}" / f"{case}{ending}.nii.gz")
    (folder / "districtsTr" / "b.nii.gz").unlink()
    put(folder / "imagesTs" / "t_0000.nii.gz")
    target = put(folder / "targetsTs" / "t.nii.gz")
    write_dataset_json(folder, name="X", districts={"head": 1, "trunk": 2}, num_training=2)
    found = References.from_dataset(RawDataset(folder))
    assert found.cases == {"t": Reference(target, None)}
    assert found.districts == {"head": 1, "trunk": 2}
    assert found.dataset_name == "Dataset001_X"
    assert list(found.training) == ["a"]


def test_own_lesions_and_organs_replace_the_datasets(tmp_path):
    folder = tmp_path / "Dataset001_X"
    put(folder / "imagesTs" / "t_0000.nii.gz")
    target, lesions, organs = (put(folder / f"{kind}Ts" / "t.nii.gz") for kind in ("targets", "lesions", "organs"))
    write_dataset_json(folder, name="X", districts={"head": 1}, num_training=0, organs={"liver": 300})
    found = References.from_dataset(RawDataset(folder))
    assert found.cases == {"t": Reference(target, None, lesions, organs)}
    assert found.organs == {"liver": 300}
    own = put(tmp_path / "own" / "t.nii.gz")
    found = References.from_dataset(RawDataset(folder), lesions=tmp_path / "own")
    assert found.cases == {"t": Reference(target, None, own, organs)}
    (tmp_path / "empty").mkdir()
    found = References.from_dataset(RawDataset(folder), organs=tmp_path / "empty")
    assert found.cases == {"t": Reference(target, None, lesions, None)}


def test_own_organs_replace_those_that_predicted_labels_are_compared_with(tmp_path):
    dataset = body_dataset(tmp_path / "Dataset001_X", body_mask="CT")
    own = put(tmp_path / "own" / "t.nii.gz")
    found = References.from_dataset(dataset, organs=tmp_path / "own").cases["t"]
    assert (found.organs, found.labels) == (own, {"organs": own})
    found = References.from_dataset(dataset, lesions=tmp_path / "own").cases["t"]
    assert (found.lesions, found.labels) == (own, {"organs": dataset.path("organs", "t", "Ts")})
    (tmp_path / "empty").mkdir()
    assert References.from_dataset(dataset, organs=tmp_path / "empty").cases["t"].labels == {"organs": None}


def body_dataset(folder, **more):
    """A test case of a dataset of CT, low-dose PET, PET and organs without districts, and a training case."""
    for split, case in (("Tr", "x"), ("Ts", "t")):
        for name in ("images{}/{}_0000", "images{}/{}_0001", "targets{}/{}", "organs{}/{}"):
            put(folder / f"{name.format(split, case)}.nii.gz")
    targets = {"PET": {}, "organs": {"kind": "labels", "labels": {"liver": 1}}}
    channels = {"channel_names": {"0": "CT", "1": "low_dose_PET"}, "targets": targets}
    write_dataset_json(folder, name="X", districts={}, num_training=1, **channels, **more)
    return RawDataset(folder)


@pytest.mark.parametrize(
    ("more", "body", "channel"),
    [
        ({}, "CT", "_0000"),
        ({"body_mask": "low_dose_PET"}, "low_dose_PET", "_0001"),
        ({"body_mask": None}, None, "_0000"),
    ],
)
def test_without_districts_the_body_is_found_in_an_input(tmp_path, more, body, channel):
    dataset = body_dataset(tmp_path / "Dataset001_X", **more)
    found = References.from_dataset(dataset)
    assert (found.districts, found.has_districts, found.regions) == ({}, False, {"body": 1})
    assert found.body == (None if body is None else dataset.fields[body])
    (case,) = found.cases.values()
    assert case.body == dataset.folder / "imagesTs" / f"t{channel}.nii.gz"
    assert [*found.training] == ["x"]


def test_label_maps_are_targets_and_the_regions_to_count_in(tmp_path):
    dataset = body_dataset(tmp_path / "Dataset001_X")
    found = References.from_dataset(dataset)
    organs = dataset.folder / "organsTs" / "t.nii.gz"
    assert [one.name for one in found.label_targets] == ["organs"]
    assert found.organs == {"liver": 1}
    assert (found.cases["t"].labels, found.cases["t"].organs) == ({"organs": organs}, organs)
    organs.unlink()
    assert References.from_dataset(dataset).cases["t"].labels == {"organs": None}
    assert found.has_pet


def test_a_dataset_without_a_pet_has_no_training_cases(tmp_path):
    """They would give the median of their PETs."""
    dataset = body_dataset(tmp_path / "Dataset001_X")
    update_dataset_json(dataset.folder, targets={"organs": {"kind": "labels", "labels": {"liver": 1}}})
    found = References.from_dataset(RawDataset(dataset.folder))
    assert not found.has_pet
    assert found.training == {}
    assert found.cases["t"].pet is None


def test_a_dataset_without_pet_or_label_targets_is_refused(tmp_path):
    folder = tmp_path / "Dataset001_X"
    put(folder / "imagesTs" / "t_0000.nii.gz")
    targets = {"sCT": {"kind": "ct"}}
    write_dataset_json(folder, name="X", districts={}, num_training=0, channel_names={"0": "PET"}, targets=targets)
    with pytest.raises(DatasetError, match="Dataset001_X: the dataset has no PET or label map as a target"):
        References.from_dataset(RawDataset(folder))
