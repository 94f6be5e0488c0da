import os
from dataclasses import replace

import numpy as np
import pytest
from raw_cases import case_volumes, permuted, write_case, write_raw
from tiny import SUV_WINDOW, tiny_configuration, tiny_plans

from ct2pet.dataset import Fields, RawDataset, update_dataset_json
from ct2pet.errors import CasesFailed, DatasetError, PlansError
from ct2pet.planning.configuration import Masking, Normalization
from ct2pet.preprocessing import preprocessor
from ct2pet.preprocessing.preprocessor import check_store, preprocess_dataset, store_folder
from ct2pet.preprocessing.storage import DistrictStore
from ct2pet.volume import Box, Volume

CONFIGURATIONS = {
    "low": tiny_configuration(labels=[1]),
    "high": tiny_configuration(labels=[2], spacing=[3.0, 3.0, 3.0]),
    "whole_body": tiny_configuration(labels=[1, 2]),
}
PLANS = replace(tiny_plans(), configurations=CONFIGURATIONS, districts={"low": 1, "high": 2})


def stores(folder):
    return {name: DistrictStore(store_folder(folder, PLANS, name)) for name in CONFIGURATIONS}


def content(folder):
    """All that training can see of all stores."""
    seen = {}
    for name, store in stores(folder).items():
        for case in store.cases:
            opened = store.open(case)
            arrays = opened.read(Box((0, 0, 0), opened.shape))
            seen[name, case] = [opened.grid, *(a.tobytes() for a in arrays.values()), opened.foreground.tobytes()]
    return seen


@pytest.fixture
def dataset(tmp_path):
    return write_raw(tmp_path, {name: case_volumes(seed) for seed, name in enumerate("ABC")})


@pytest.fixture
def calls(monkeypatch):
    """The (case, configurations) that are worked on."""
    seen = []
    original = preprocessor.preprocess_case

    def counted(case, sources, plans, work):
        seen.append((case, sorted(work)))
        return original(case, sources, plans, work)

    monkeypatch.setattr(preprocessor, "preprocess_case", counted)
    return seen


def test_every_case_lands_in_the_store_of_every_configuration(dataset, tmp_path):
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    assert sorted(p.name for p in (tmp_path / "pre").iterdir()) == [
        "ct2petPlans_high",
        "ct2petPlans_low",
        "ct2petPlans_whole_body",
    ]
    for name, store in stores(tmp_path / "pre").items():
        assert store.cases == ["A", "B", "C"]
        assert store.open("A").grid.spacing == tuple(CONFIGURATIONS[name].spacing)
    assert len(stores(tmp_path / "pre")["low"].open("A").lesion_voxels) == 2 * 3 * 2


@pytest.mark.parametrize(
    ("role", "change", "reason"),
    [
        ("pet", lambda pet: pet * 5000, r"targetsTr.*Bq/ml"),
        ("pet", lambda pet: np.where(pet > 5, np.nan, pet), r"targetsTr.*NaN"),
        ("pet", lambda pet: pet * 0, r"targetsTr.*no voxel is above zero"),
        ("pet", lambda pet: pet - 5, r"targetsTr.*SUVs are not negative"),
        ("pet", lambda pet: with_one_voxel(pet, 3e38), r"targetsTr.*3e\+38, outside the range of SUV"),
        ("ct", lambda ct: ct / 1000, r"imagesTr.*not a CT in HU"),
        ("ct", lambda ct: with_one_voxel(ct, 3e38), r"imagesTr.*outside the range of HU"),
        ("district_map", lambda labels: labels * 0, r"districtsTr.*no voxel belongs to a district"),
        ("district_map", lambda labels: labels + 6, r"districtsTr.*not in dataset\.json"),
        ("lesions", lambda mask: np.where(mask > 0, np.nan, mask), r"lesionsTr.*(NaN|not labels)"),
    ],
)
def test_values_that_cannot_be_are_never_stored(dataset, tmp_path, role, change, reason):
    volumes = case_volumes(seed=1)
    changed = volumes[role].with_array(change(volumes[role].array.astype(np.float32)))
    write_case(dataset.folder, "B", {**volumes, role: changed})
    with pytest.raises(CasesFailed, match=f"B: .*{reason}"):
        preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    assert all(store.recorded_cases() == ["A", "C"] for store in stores(tmp_path / "pre").values())


def with_one_voxel(array, value):
    array = array.copy()
    array[2, 3, 4] = value
    return array


@pytest.mark.parametrize(("role", "kind"), [("pet", "targets"), ("district_map", "districts"), ("lesions", "lesions")])
def test_an_image_of_another_place_is_never_stored(dataset, tmp_path, role, kind):
    volumes = case_volumes(seed=1)
    grid = volumes[role].grid
    moved = Volume(volumes[role].array, replace(grid, origin=(grid.origin[0] + 1e6, *grid.origin[1:])))
    write_case(dataset.folder, "B", {**volumes, role: moved})
    with pytest.raises(CasesFailed, match=rf"B: .*{kind}Tr.*overlaps the CT by only 0%"):
        preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    assert all(store.recorded_cases() == ["A", "C"] for store in stores(tmp_path / "pre").values())


def test_a_case_whose_file_is_a_broken_link_is_not_left_out(dataset, tmp_path):
    path = dataset.path("CT", "B", "Tr")
    path.unlink()
    path.symlink_to(tmp_path / "gone.nii.gz")
    with pytest.raises(DatasetError, match=r"B_0000\.nii: the target of this link does not exist"):
        preprocess_dataset(dataset, PLANS, tmp_path / "pre")


def test_started_again_nothing_is_done_twice(dataset, tmp_path, calls):
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    assert len(calls) == 3
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    assert len(calls) == 3


@pytest.mark.parametrize("after", range(1, 9))
def test_interrupted_anywhere_and_started_again_equals_uninterrupted(dataset, tmp_path, monkeypatch, after):
    preprocess_dataset(dataset, PLANS, tmp_path / "whole")
    written = 0
    original = DistrictStore.write

    def interrupted(self, *arguments):
        nonlocal written
        written += 1
        if written > after:
            raise KeyboardInterrupt
        original(self, *arguments)

    with monkeypatch.context() as context:
        context.setattr(DistrictStore, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    assert len(content(tmp_path / "pre")) == after
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    assert content(tmp_path / "pre") == content(tmp_path / "whole")


def test_partial_files_of_a_killed_process_are_removed(dataset, tmp_path):
    folder = store_folder(tmp_path / "pre", PLANS, "low")
    folder.mkdir(parents=True)
    (folder / ".partial-x-A.b2nd").write_bytes(b"half")
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    assert sorted(path.name[0] for path in folder.iterdir()) == [case for case in "ABC" for _ in range(3)]


def test_a_changed_file_preprocesses_only_its_case_again(dataset, tmp_path, calls):
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    before = content(tmp_path / "pre")
    calls.clear()
    write_case(dataset.folder, "B", case_volumes(seed=9))
    os.utime(dataset.file("CT", "B"), (1, 1))  # whatever the clock says
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    assert calls == [("B", ["high", "low", "whole_body"])]
    after = content(tmp_path / "pre")
    assert {key for key in before if before[key] != after[key]} == {(name, "B") for name in CONFIGURATIONS}


def test_a_changed_decision_preprocesses_only_its_configuration_again(dataset, tmp_path, calls):
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    calls.clear()
    narrow = Normalization(-100.0, 100.0, True, [-1.0, 1.0])
    changed = replace(CONFIGURATIONS["low"], normalization={"CT": narrow, "PET": SUV_WINDOW})
    preprocess_dataset(dataset, replace(PLANS, configurations={**CONFIGURATIONS, "low": changed}), tmp_path / "pre")
    assert calls == [(case, ["low"]) for case in "ABC"]


def test_a_decision_that_does_not_touch_the_stored_redoes_nothing(dataset, tmp_path, calls):
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    calls.clear()
    changed = replace(CONFIGURATIONS["low"], patch_size=[8, 8, 8], batch_size=7)
    preprocess_dataset(dataset, replace(PLANS, configurations={**CONFIGURATIONS, "low": changed}), tmp_path / "pre")
    assert calls == []


def test_interrupted_after_a_change_no_outdated_case_is_left(dataset, tmp_path, monkeypatch):
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    changed = replace(CONFIGURATIONS["low"], masking=Masking("hard", 0.0))
    monkeypatch.setattr(preprocessor, "map_cases", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        preprocess_dataset(dataset, replace(PLANS, configurations={**CONFIGURATIONS, "low": changed}), tmp_path / "pre")
    assert stores(tmp_path / "pre")["low"].cases == []
    assert stores(tmp_path / "pre")["high"].cases == ["A", "B", "C"]


def test_a_case_that_left_the_dataset_leaves_the_store(dataset, tmp_path):
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    dataset.file("CT", "B").unlink()
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    assert stores(tmp_path / "pre")["low"].cases == ["A", "C"]


def test_failing_cases_are_named_and_the_others_are_done(dataset, tmp_path):
    dataset.file("CT", "A").write_bytes(b"no image")
    dataset.file("PET", "C").unlink()
    with pytest.raises(CasesFailed) as error:
        preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    assert set(error.value.failures) == {"A", "C"}
    assert str(dataset.file("CT", "A")) in error.value.failures["A"]
    assert "no PET" in error.value.failures["C"]
    assert error.value.some_done
    assert stores(tmp_path / "pre")["low"].cases == ["B"]


def test_a_district_that_a_case_lacks_is_recorded_as_absent(dataset, tmp_path, calls):
    volumes = case_volumes(0)
    volumes["district_map"] = volumes["district_map"].with_array(np.minimum(volumes["district_map"].array, 1))
    write_case(dataset.folder, "A", volumes)
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    high = stores(tmp_path / "pre")["high"]
    assert high.cases == ["B", "C"]
    assert not (high.folder / "A.b2nd").exists()
    calls.clear()
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    assert calls == []


def test_the_store_does_not_depend_on_the_orientation_of_the_files(tmp_path):
    plain = write_raw(tmp_path / "a", {"A": case_volumes()})
    turned = write_raw(tmp_path / "b", {"A": {name: permuted(volume) for name, volume in case_volumes().items()}})
    for name, dataset in (("a", plain), ("b", turned)):
        preprocess_dataset(dataset, PLANS, tmp_path / name / "pre")
    for name in CONFIGURATIONS:
        one, other = (stores(tmp_path / folder / "pre")[name].open("A") for folder in "ab")
        assert one.grid.matches(other.grid)
        assert np.array_equal(one.foreground, other.foreground)
        assert np.array_equal(one.lesion_voxels, other.lesion_voxels)
        first, second = (stored.read(Box((0, 0, 0), one.shape)) for stored in (one, other))
        assert all(np.allclose(first[name], second[name], atol=1e-3) for name in ("CT", "PET"))
        assert np.array_equal(first["mask"], second["mask"])


def test_two_processes_store_what_one_does(dataset, tmp_path):
    preprocess_dataset(dataset, PLANS, tmp_path / "one", num_processes=1)
    preprocess_dataset(dataset, PLANS, tmp_path / "two", num_processes=2)
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_edited_plans_do_not_train_on_an_old_store(dataset, tmp_path):
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    store = stores(tmp_path / "pre")["low"]
    check_store(store, replace(CONFIGURATIONS["low"], batch_size=1), PLANS.all_fields)
    with pytest.raises(PlansError, match="stored with another spacing than that of the plans; preprocess again"):
        check_store(store, replace(CONFIGURATIONS["low"], spacing=[2.0, 2.0, 2.0]), PLANS.all_fields)


def test_a_store_of_other_fields_is_not_trained_on(dataset, tmp_path):
    preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    with pytest.raises(DatasetError, match=r"low/A\.json: contains other fields or classes than the plans; "):
        check_store(stores(tmp_path / "pre")["low"], CONFIGURATIONS["low"], Fields(PLANS.all_fields.everything[:1]))


@pytest.mark.parametrize("change", [{"folder": "elsewhere"}, {"suffix": "_0001"}, {"name": "MR"}, {"kind": "pet"}])
def test_plans_of_other_fields_than_the_datasets_are_refused(dataset, tmp_path, change):
    plans = replace(PLANS, fields=[replace(one, **change) if one.name == "CT" else one for one in PLANS.fields])
    with pytest.raises(PlansError, match=rf"{PLANS.plans_name}\.json: its field (CT|MR) differs from dataset\.json"):
        preprocess_dataset(dataset, plans, tmp_path / "pre")


def test_a_corrected_class_preprocesses_only_its_case_again(dataset, tmp_path, calls):
    update_dataset_json(dataset.folder, conditions={"diagnosis": ["benign", "malignant"]})

    def preprocess(classes):
        rows = "".join(f"{case},{value}\n" for case, value in classes.items())
        (dataset.folder / "cases.csv").write_text(f"case,diagnosis\n{rows}")
        preprocess_dataset(RawDataset(dataset.folder), PLANS, tmp_path / "pre")

    preprocess({"A": "benign", "B": "malignant", "C": "benign"})
    calls.clear()
    preprocess({"A": "benign", "B": "benign", "C": "benign"})
    assert [case for case, _ in calls] == ["B"]
    assert stores(tmp_path / "pre")["low"].open("B").conditions == {"diagnosis": "benign"}


def test_without_districts_the_body_of_an_input_is_stored(tmp_path):
    volumes = case_volumes()
    ct = np.full(volumes["ct"].array.shape, -1000.0, np.float32)
    ct[:, 5:25, 5:23] = 40.0
    dataset = write_raw(tmp_path, {"A": {**volumes, "ct": volumes["ct"].with_array(ct)}})
    whole = tiny_configuration(labels=[1], masking=Masking("hard", 0.0))
    plans = replace(PLANS, districts={}, body_mask="CT", configurations={"whole_body": whole})
    preprocess_dataset(dataset, plans, tmp_path / "pre")
    stored, body_ml = stores(tmp_path / "pre")["whole_body"].open("A"), 20 * 20 * 18 * volumes["ct"].grid.voxel_ml
    assert stored.read_all()["mask"].sum() * stored.grid.voxel_ml == pytest.approx(body_ml, rel=0.15)
    preprocess_dataset(dataset, replace(plans, body_mask=None), tmp_path / "pre")
    assert stores(tmp_path / "pre")["whole_body"].open("A").read_all()["mask"].mean() == 1
