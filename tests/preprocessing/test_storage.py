import json

import blosc2
import numpy as np
import pytest

from ct2pet.errors import DatasetError
from ct2pet.preprocessing import storage
from ct2pet.preprocessing.case_on_grid import PreparedDistrict
from ct2pet.preprocessing.storage import DistrictStore, read_images, write_images
from ct2pet.volume import Box, Grid

GRID = Grid((70, 30, 9), (4.0, 3.0, 3.5), (1.0, -2.0, 3.0))


def prepared(lesions=True, seed=0, labels=False):
    random = np.random.default_rng(seed)
    mask = random.random(GRID.shape) < 0.7
    ct = np.where(mask, random.uniform(-1, 1, GRID.shape), -1).astype(np.float32)
    pet = np.where(mask, random.uniform(0, 2, GRID.shape), 0).astype(np.float32)
    lesion = mask & (random.random(GRID.shape) < 0.05)
    organs = {"organs": (random.integers(0, 4, GRID.shape) * 100 * mask).astype(np.uint16)} if labels else {}
    return PreparedDistrict({"CT": ct, "PET": pet}, mask, GRID, organs, lesion if lesions else None)


@pytest.fixture
def store(tmp_path):
    return DistrictStore(tmp_path / "ct2petPlans_head")


def test_a_written_case_is_read_back(store):
    case = prepared()
    store.write("A", case, "key", {})
    opened = store.open("A")
    assert opened.shape == GRID.shape
    assert opened.grid == GRID
    read = opened.read(Box((0, 0, 0), GRID.shape))
    for name, image in case.images.items():
        assert np.array_equal(read[name], image.astype(np.float16))
    assert np.array_equal(read["mask"], case.mask)
    assert np.array_equal(read["lesions"], case.lesions)
    assert read["CT"].dtype == read["PET"].dtype == np.float16
    assert read["mask"].dtype == read["lesions"].dtype == bool


def test_boxes_are_parts_of_the_whole(store):
    store.write("A", prepared(), "key", {})
    opened = store.open("A")
    whole = opened.read(Box((0, 0, 0), GRID.shape))
    random = np.random.default_rng(1)
    for _ in range(30):
        start = tuple(int(random.integers(0, n)) for n in GRID.shape)
        box = Box(start, tuple(int(random.integers(a + 1, n + 1)) for a, n in zip(start, GRID.shape)))
        for name, array in opened.read(box).items():
            assert np.array_equal(array, whole[name][box.slices]), (name, box)


def test_samples_are_voxels_of_the_district_and_of_the_lesions(store, monkeypatch):
    monkeypatch.setattr(storage, "_MAX_FOREGROUND", 500)
    monkeypatch.setattr(storage, "_MAX_LESION_VOXELS", 10**6)
    case = prepared()
    for name in ("A", "B"):
        store.write(name, case, "key", {})
    one, other = store.open("A"), store.open("B")
    assert one.foreground.shape == (500, 3)
    assert len({tuple(voxel) for voxel in one.foreground}) == 500
    assert case.mask[tuple(one.foreground.T)].all()
    assert np.array_equal(one.foreground, other.foreground)
    assert abs(one.foreground[:, 0].mean() - 34.5) < 5, "from all over the district"
    assert np.array_equal(one.lesion_voxels, np.argwhere(case.lesions))


def test_a_case_without_a_lesion_mask_has_none(store):
    store.write("A", prepared(lesions=False), "key", {})
    opened = store.open("A")
    assert opened.lesion_voxels.shape == (0, 3)
    assert opened.read(Box((0, 0, 0), (2, 2, 2)))["lesions"] is None


def test_an_absent_district_is_recorded_and_no_case(store):
    store.write("A", prepared(), "key", {})
    store.write("B", None, "key", {})
    assert store.cases == ["A"]
    assert store.recorded_cases() == ["A", "B"]
    assert store.is_done("B", "key")
    with pytest.raises(DatasetError, match="absent"):
        store.open("B")


@pytest.mark.parametrize("ending", ["A.b2nd", "A_labels.b2nd"])
def test_done_means_finished_with_the_same_key(store, ending):
    assert not store.is_done("A", "key")
    store.write("A", prepared(), "key", {})
    assert store.is_done("A", "key")
    assert not store.is_done("A", "other key")
    (store.folder / ending).unlink()
    assert not store.is_done("A", "key")


@pytest.mark.parametrize("moment", ["write_images", "_write_regions", "write_json"])
@pytest.mark.parametrize("first", [True, False], ids=["first time", "again"])
def test_an_interruption_leaves_no_case_that_seems_finished(store, monkeypatch, moment, first):
    if not first:
        store.write("A", prepared(seed=1), "old", {})
    with monkeypatch.context() as context:
        context.setattr(storage, moment, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.write("A", prepared(), "key", {})
    assert store.cases == []
    assert not store.is_done("A", "key")
    assert not store.is_done("A", "old")
    store.write("A", prepared(), "key", {})
    assert store.cases == ["A"]


def test_an_array_that_is_truncated_while_written_never_gets_its_name(store, monkeypatch):
    def cut_off(*_, urlpath, **__):
        with open(urlpath, "wb") as file:
            file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(blosc2, "asarray", cut_off)
    with pytest.raises(KeyboardInterrupt):
        store.write("A", prepared(), "key", {})
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("ending", ["A.b2nd", "A_labels.b2nd"])
def test_damaged_and_missing_cases_are_named(store, ending):
    store.write("A", prepared(), "key", {})
    (store.folder / ending).write_bytes(b"damaged")
    with pytest.raises(DatasetError, match=rf"{ending}: cannot be read"):
        store.open("A")
    with pytest.raises(DatasetError, match=r"B\.json: no such file"):
        store.open("B")


def test_a_case_damaged_in_its_middle_is_named_when_it_is_read(store):
    store.write("A", prepared(), "key", {})
    path = store.folder / "A.b2nd"
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 3)
    path.write_bytes(content)
    opened = store.open("A")
    with pytest.raises(DatasetError, match=r"A\.b2nd: cannot be read .*; preprocess the dataset again"):
        opened.read(Box((0, 0, 0), GRID.shape))


def test_case_names_may_contain_dots(store):
    store.write("A", prepared(seed=0), "key", {})
    store.write("A.1", prepared(seed=1), "key", {})
    assert store.cases == ["A", "A.1"]
    assert not np.array_equal(store.open("A").foreground, store.open("A.1").foreground)


def test_label_maps_are_stored_as_integers_with_the_voxels_of_each_label_at_hand(store, monkeypatch):
    monkeypatch.setattr(storage, "_MAX_LABEL_VOXELS", 10**6)
    case = prepared(labels=True)
    store.write("A", case, "key", {})
    opened = store.open("A")
    assert np.array_equal(opened.read_all()["organs"], case.labels["organs"])
    assert np.array_equal(opened.read_all()["mask"], case.mask)
    assert np.array_equal(opened.read_all()["lesions"], case.lesions)
    assert set(opened.label_voxels["organs"]) == {100, 200, 300}
    for label, voxels in opened.label_voxels["organs"].items():
        assert np.array_equal(voxels, np.argwhere(case.labels["organs"] == label))
    monkeypatch.setattr(storage, "_MAX_LABEL_VOXELS", 7)
    store.write("A", case, "key", {})
    assert all(len(voxels) == 7 for voxels in store.open("A").label_voxels["organs"].values())


def test_the_classes_of_a_case_are_kept(store):
    store.write("A", prepared(), "key", {}, {"diagnosis": "benign"})
    assert store.open("A").conditions == {"diagnosis": "benign"}


def test_predicted_images_go_through_the_same_writer(tmp_path):
    images = [prepared(seed=seed).images["PET"] for seed in (0, 1)]
    write_images(tmp_path / "A.b2nd", images)
    box = Box((3, 2, 1), (60, 20, 8))
    assert np.array_equal(
        read_images(tmp_path / "A.b2nd", box), [image.astype(np.float16)[box.slices] for image in images]
    )


def test_a_label_map_may_have_many_labels(store):
    labels = np.arange(GRID.shape[0] * GRID.shape[1] * GRID.shape[2]).reshape(GRID.shape) % 120
    mask = np.ones(GRID.shape, bool)
    store.write("A", PreparedDistrict({"PET": mask.astype(np.float32)}, mask, GRID, {"organs": labels}), "key", {})
    opened = store.open("A")
    assert set(opened.label_voxels["organs"]) == set(range(1, 120))
    assert np.array_equal(opened.label_voxels["organs"][77], np.argwhere(labels == 77))


@pytest.mark.parametrize("ending", [".b2nd", "_labels.b2nd"])
def test_a_changed_bit_anywhere_is_noticed(store, ending):
    store.write("A", prepared(labels=True), "key", {})
    store.check_files("A")
    path = store.folder / f"A{ending}"
    intact = path.read_bytes()
    for place in np.random.default_rng(3).integers(0, len(intact), 40):
        damaged = bytearray(intact)
        damaged[place] ^= 1 << int(place) % 8
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match=rf"A{ending}: wrong checksum.*preprocess again"):
            store.check_files("A")
    path.unlink()
    with pytest.raises(DatasetError, match=f"A{ending}: cannot be read"):
        store.check_files("A")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"images": ["CT"]}, r"A\.b2nd: cannot be read \(its shape is .* in the case's record\)"),
        ({"labels": [], "labels_found": {}}, r"A_labels\.b2nd: cannot be read \(its shape is"),
        ({"labels_found": {"organs": [100, 7]}}, r"A_labels\.b2nd: cannot be read \(it has no voxels of organs:7"),
        ({"labels_found": {"bones": [100]}}, r"A\.json: labels_found must have the label maps"),
        ({"grid": None}, r"A\.json: a case with present: true needs a grid and fields"),
        ({"grid": {"shape": [70, 0, 9], "spacing": [4, 3, 3]}}, r"A\.json: expected a grid of three axes"),
        ({"grid": {"shape": [70, 30, 9], "spacing": [4, 3, 3], "direction": [1, 0]}}, r"A\.json: grid"),
        ({"grid": {"shape": [9, 30, 70], "spacing": [4, 3, 3]}}, r"A\.b2nd: cannot be read \(its shape is"),
        ({"present": False}, r"A\.json: a case with present: false must have no grid"),
        ({"present": "yes"}, r"A\.json: present: expected true or false"),
        ({"crc32": None}, r"A\.json: crc32: expected an object, not null"),
        ({"conditions": {"diagnosis": 1}}, r"A\.json: conditions\.diagnosis: expected a text, not 1"),
        ({"decisions": []}, r"A\.json: decisions: expected an object"),
    ],
)
def test_a_record_that_was_changed_is_named(store, change, reason):
    store.write("A", prepared(labels=True), "key", {})
    path = store.folder / "A.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DatasetError, match=rf"{reason}.*preprocess the dataset again$"):
        store.open("A")


@pytest.mark.parametrize("text", ["", "null", "[]", "3", '"x"', "{}", "[" * 5000, '{"key": NaN}'])
def test_a_record_that_is_something_else_is_named_and_its_case_is_not_done(store, text):
    store.write("A", prepared(), "key", {})
    (store.folder / "A.json").write_text(text)
    with pytest.raises(DatasetError, match=r"A\.json: .*preprocess the dataset again$"):
        store.record("A")
    assert not store.is_done("A", "key")
