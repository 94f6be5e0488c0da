import csv
import json

import numpy as np
import pytest
from hand_models import Scaled, expected_suv, two_district_case, write_trained

from ct2pet.api.explanation import TABLE, explain
from ct2pet.errors import CasesFailed, Ct2PetError
from ct2pet.imageio import read_volume, write_volume
from ct2pet.inference.occlusion import REPLACE, hide


@pytest.fixture
def case(tmp_path, monkeypatch):
    """A CT with its district map and regions, and a trained model of both districts whose PET is the CT, scaled."""
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "results"))
    monkeypatch.setattr("ct2pet.models.load_model", {"scaled": Scaled}.__getitem__)
    write_trained(tmp_path / "results", {"low": {"all": 1.0}, "high": {"all": 1.0}})
    ct, labels = two_district_case()
    regions = np.zeros(ct.grid.shape, np.uint8)
    regions[5:8, 6:9, 5:9], regions[13:15, 7:10, 4:9] = 1, 2
    for folder, volume in (("imagesTs", ct), ("districtsTs", labels), ("regions", ct.with_array(regions, "label"))):
        name = "a_0000.nii.gz" if folder == "imagesTs" else "a.nii.gz"
        write_volume(tmp_path / folder / name, volume)
    return ct, regions


def read_table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_states_the_effect_of_each_region(tmp_path, case):
    ct, regions = case
    (tmp_path / "names.json").write_text('{"organs": {"node": 1, "mass": 2}}')
    path = explain(
        tmp_path / "imagesTs", tmp_path / "regions", tmp_path / "out", names=tmp_path / "names.json", float32=True
    )
    rows = read_table(path)
    assert path == tmp_path / "out" / TABLE
    assert [(row["case"], row["region"]) for row in rows] == [("a", "node"), ("a", "mass")]
    change = read_volume(tmp_path / "out" / "a_change.nii.gz", "SUV").array
    for label, row in enumerate(rows, start=1):
        mask = regions == label
        usual, hidden = expected_suv(ct.array), expected_suv(hide(ct, mask, REPLACE).array)
        assert float(row["volume [ml]"]) == pytest.approx(mask.sum() * 0.064, abs=0.01)
        assert float(row["mean [SUV]"]) == pytest.approx(usual[mask].mean(), abs=2e-3)
        assert float(row["mean with it hidden [SUV]"]) == pytest.approx(hidden[mask].mean(), abs=0.02)
        np.testing.assert_allclose(change[mask], (usual - hidden)[mask], atol=0.1)
    assert (change[regions == 0] == 0).all()


def test_a_prediction_with_a_model_for_lesions_is_not_explained(tmp_path, case):
    with pytest.raises(Ct2PetError, match=r"a model for lesions .* cannot be explained"):
        explain(tmp_path / "imagesTs", tmp_path / "regions", tmp_path / "out", lesion_model="scaled__ct2petPlans__low")
    assert not (tmp_path / "out").exists()


def test_labels_without_names_are_numbers(tmp_path, case):
    rows = read_table(explain(tmp_path / "imagesTs", tmp_path / "regions", tmp_path / "out"))
    assert [row["region"] for row in rows] == ["label 1", "label 2"]


def test_a_case_without_a_region_map_is_named_and_the_others_are_written(tmp_path, case):
    write_volume(tmp_path / "imagesTs" / "b_0000.nii.gz", case[0])
    write_volume(tmp_path / "districtsTs" / "b.nii.gz", read_volume(tmp_path / "districtsTs" / "a.nii.gz", "label"))
    with pytest.raises(CasesFailed, match="no region map of b"):
        explain(tmp_path / "imagesTs", tmp_path / "regions", tmp_path / "out")
    assert {row["case"] for row in read_table(tmp_path / "out" / TABLE)} == {"a"}


@pytest.mark.parametrize(("folder", "names"), [("regions", "organ"), ("districtsTs", "district"), ("lesionsTs", "")])
def test_a_dataset_json_names_the_labels_of_the_folder(tmp_path, case, folder, names):
    labels = {"organs": {"organ a": 1, "organ b": 2}, "districts": {"district a": 1, "district b": 2}}
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "CT"}, **labels}))
    arguments = tmp_path / "imagesTs", tmp_path / folder, tmp_path / "out"
    if names:
        rows = read_table(explain(*arguments, names=tmp_path / "dataset.json"))
        assert [row["region"] for row in rows] == [f"{names} a", f"{names} b"]
    else:
        with pytest.raises(Ct2PetError, match=r"dataset\.json: has no lesion_groups"):
            explain(*arguments, names=tmp_path / "dataset.json")


def test_names_that_are_no_names_are_refused(tmp_path, case):
    (tmp_path / "names.json").write_text('{"liver": "one"}')
    with pytest.raises(Ct2PetError, match=r"names\.json: liver"):
        explain(tmp_path / "imagesTs", tmp_path / "regions", tmp_path / "out", names=tmp_path / "names.json")
