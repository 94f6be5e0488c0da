import json

import nibabel
import numpy as np
import pytest
from PIL import Image
from raw_cases import case_volumes, permuted, write_raw
from stub_segmenter import Halves, use_stubs
from whole_pipeline import content_of, killed_until_done, partial_files, times_of

from ct2pet.api.segmentation import segment_districts, segment_missing
from ct2pet.errors import CasesFailed, Ct2PetError, DatasetError, PluginError
from ct2pet.imageio import read_volume, write_volume

SURE = -1000  # the first voxel of a CT of which the stub is sure


@pytest.fixture(autouse=True)
def stubs(monkeypatch, tmp_path):
    use_stubs(monkeypatch)
    monkeypatch.setenv("ct2pet_raw", str(tmp_path / "raw"))


def a_ct(first=SURE, seed=0):
    ct = case_volumes(seed)["ct"]
    ct.array[0, 0, 0] = first
    return ct


@pytest.fixture
def cts(tmp_path):
    """Three CTs: two sure ones, one of them stored in another order, and a doubtful one."""
    write_volume(tmp_path / "cts" / "a_0000.nii.gz", a_ct())
    write_volume(tmp_path / "cts" / "b.nii.gz", permuted(a_ct(seed=1)))
    write_volume(tmp_path / "cts" / "c.nii.gz", a_ct(40))
    return tmp_path / "cts"


def go(cts, **options):
    return segment_districts(cts, cts.parent / "maps", **{"segmenter": "halves", "num_processes": 1, **options})


def record(cts, case):
    return json.loads((cts.parent / "maps" / f"{case}.segmenter.json").read_text())


def test_every_ct_gets_a_map_on_its_own_grid(cts):
    paths = go(cts)
    assert [path.name for path in paths] == ["a.nii.gz", "b.nii.gz", "c.nii.gz"]
    for path, ct_name in zip(paths, ("a_0000", "b", "c")):
        labels, ct = nibabel.load(path), nibabel.load(cts / f"{ct_name}.nii.gz")
        assert labels.shape == ct.shape
        np.testing.assert_allclose(labels.affine, ct.affine, atol=1e-4)
        assert labels.get_data_dtype() == np.uint8
    for path in paths[:2]:
        oriented = read_volume(path).to_canonical().array
        assert (oriented[:10] == 1).all()
        assert (oriented[10:] == 2).all()


def test_the_record_states_segmenter_and_confidence_of_a_map(cts, tmp_path):
    go(cts)
    content = record(cts, "c")
    digest = content.pop("map_sha256")
    assert len(digest) == 64
    assert content == {
        "segmenter": {"name": "halves", "version": "1.2", "settings": {"part": 0.5}},
        "districts": {"low": 1, "high": 2},
        "found": ["low", "high"],
        "confidence": {"low": 0.988, "high": 0.3},
        "warnings": ["the upper half looks odd"],
    }
    assert str(tmp_path) not in (tmp_path / "maps" / "c.segmenter.json").read_text()


def test_at_the_end_confidence_and_doubts_are_shown_case_by_case(cts, capsys):
    go(cts)
    assert capsys.readouterr().out.splitlines() == [
        "a: low 0.99, high 0.90",
        "b: low 0.99, high 0.90",
        "c: low 0.99, high 0.30 (low)",
        "    the upper half looks odd",
        "1 of 3 district maps need a look: c",
    ]


def test_one_ct_may_name_the_file_of_its_map(cts, tmp_path):
    assert segment_districts(cts / "b.nii.gz", tmp_path / "x" / "map.mha", segmenter="halves") == [
        tmp_path / "x" / "map.mha"
    ]
    assert {path.name for path in (tmp_path / "x").iterdir()} == {"map.mha", "map.segmenter.json"}


def test_a_case_that_fails_is_named_and_the_others_are_done(cts):
    (cts / "a_0000.nii.gz").write_bytes(b"no image")
    write_volume(cts / "d.nii.gz", a_ct().with_array(a_ct().array + 5000))
    write_volume(cts / "unlucky.nii.gz", a_ct())
    with pytest.raises(CasesFailed) as caught:
        go(cts, num_processes=2)
    assert caught.value.some_done
    assert sorted(caught.value.failures) == ["a", "d", "unlucky"]
    assert "d.nii.gz: its values" in caught.value.failures["d"]
    assert caught.value.failures["unlucky"] == "nothing looks like a body"
    assert sorted(path.name for path in (cts.parent / "maps").glob("*.gz")) == ["b.nii.gz", "c.nii.gz"]


def test_continued_it_makes_only_what_this_segmenter_has_not_made(cts, capsys):
    _, second, _ = go(cts)
    times = times_of(cts.parent / "maps")
    second.unlink()
    capsys.readouterr()
    go(cts, continue_segmentation=True)
    assert "1 of 3 district maps need a look: c" in capsys.readouterr().out
    assert {path for path, time in times_of(cts.parent / "maps").items() if times[path] != time} == {
        second,
        second.with_name("b.segmenter.json"),
    }


def test_maps_of_another_segmenter_stay_and_those_of_other_settings_are_not_mixed(cts, monkeypatch):
    go(cts)
    whole = content_of(cts.parent / "maps")
    for go_on in (False, True):
        with pytest.raises(Ct2PetError, match=r"a\.nii\.gz: made by halves 1\.2, not by other; .*--segmenter halves"):
            go(cts, segmenter="other", continue_segmentation=go_on)
    monkeypatch.setattr(Halves, "version", "1.3")
    with pytest.raises(Ct2PetError, match=r"a\.nii\.gz: made by halves 1\.2 .*run without --continue_segmentation"):
        go(cts, continue_segmentation=True)
    assert content_of(cts.parent / "maps") == whole
    (cts / "a_0000.nii.gz").write_bytes(b"no image")
    with pytest.raises(CasesFailed):
        go(cts)
    assert [(cts.parent / "maps" / f"{case}.nii.gz").exists() for case in "abc"] == [False, True, True]
    assert record(cts, "b")["segmenter"]["version"] == "1.3"


def test_manual_and_edited_maps_are_never_replaced(cts):
    first, second, _ = go(cts)
    corrected = read_volume(first)
    corrected.array[0] = 2
    write_volume(first, corrected)
    second.with_name("b.segmenter.json").unlink()
    for own in (first, second):
        content = own.read_bytes()
        with pytest.raises(
            Ct2PetError, match=rf"{first.name}: would be replaced, but it was not written by a segmenter"
        ):
            go(cts)
        go(cts, continue_segmentation=True)
        assert own.read_bytes() == content


def test_killed_at_any_file_and_continued_it_ends_with_what_an_uninterrupted_run_gives(cts, monkeypatch):
    go(cts, pictures=True)
    whole = content_of(cts.parent / "maps")
    for path in (cts.parent / "maps").iterdir():
        path.unlink()
    assert killed_until_done(lambda: go(cts, pictures=True, continue_segmentation=True), monkeypatch) == 5
    assert content_of(cts.parent / "maps") == whole
    assert partial_files(cts.parent / "maps") == []


def test_pictures_are_also_made_of_existing_maps(cts):
    path = go(cts)[1]
    times = times_of(cts.parent / "maps")
    go(cts, pictures=True, continue_segmentation=True)
    now = times_of(cts.parent / "maps")
    assert {path: now[path] for path in times} == times
    with Image.open(path.with_name("b.segmenter.png")) as picture:
        colours = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 100


def test_no_picture_shows_a_map_of_the_past(cts):
    path = go(cts, pictures=True)[1]
    before = path.with_name("b.segmenter.png").read_bytes()
    labels = read_volume(path)
    write_volume(path, labels.with_array(np.full_like(labels.array, 1)))
    go(cts, pictures=True, continue_segmentation=True)
    assert path.with_name("b.segmenter.png").read_bytes() != before
    path.unlink()
    go(cts)
    assert not path.with_name("b.segmenter.png").exists()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"segmenter": "ruels"}, PluginError, r"'ruels'.*files"),
        ({"segmenter": "files"}, DatasetError, "--districts FOLDER"),
        ({"districts": "maps"}, PluginError, "halves takes no folder"),
        ({"segmenter": "files", "weights": "w", "districts": "."}, PluginError, "files takes no weights"),
        ({"dataset": "1"}, DatasetError, "either -d, or -i and -o"),
    ],
)
def test_impossible_wishes_are_refused_before_any_work(cts, options, error, said):
    with pytest.raises(error, match=said):
        go(cts, **options)
    assert not (cts.parent / "maps").exists()


def test_folders_that_cannot_serve_are_refused(cts, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="empty: no images"):
        segment_districts(tmp_path / "empty", tmp_path / "maps", segmenter="halves")
    with pytest.raises(DatasetError, match="in the folder of the CTs"):
        segment_districts(cts, cts, segmenter="halves")
    with pytest.raises(DatasetError, match="give the CTs and the folder of the maps"):
        segment_districts(cts, segmenter="halves")
    (tmp_path / "file").touch()
    with pytest.raises(Ct2PetError, match=r"file/maps: not writable"):
        segment_districts(cts, tmp_path / "file" / "maps", segmenter="halves")


@pytest.fixture
def raw(tmp_path):
    """A dataset of three cases; one has a map of a person's."""
    raw = write_raw(tmp_path / "raw", {f"case{number}": case_volumes(number) for number in range(3)})
    for number in (1, 2):
        raw.path("districts", f"case{number}", "Tr").unlink()
    return raw


def test_a_datasets_maps_go_into_its_own_folders_and_a_persons_stay(raw):
    own = raw.path("districts", "case0", "Tr").read_bytes()
    paths = segment_districts(dataset="901", segmenter="halves", num_processes=1, pictures=True)
    assert paths == [raw.path("districts", f"case{number}", "Tr") for number in range(3)]
    assert paths[0].read_bytes() == own
    assert not paths[0].with_name("case0.segmenter.json").exists()
    pictures = {path.name for path in paths[0].parent.glob("*.png")}
    assert pictures == {f"case{number}.segmenter.png" for number in range(3)}


def test_only_what_is_missing_is_segmented(raw):
    segment_missing(raw, segmenter="halves", num_processes=1)
    times = times_of(raw.folder / "districtsTr")
    segment_missing(raw, num_processes=1)
    assert times_of(raw.folder / "districtsTr") == times


def test_missing_maps_are_made_with_the_segmenter_of_the_existing_ones(raw):
    raw.path("CT", "case2", "Tr").rename(raw.folder / "later.nii")
    segment_missing(raw, segmenter="other", num_processes=1)
    (raw.folder / "later.nii").rename(raw.path("CT", "case2", "Tr"))
    with pytest.raises(Ct2PetError, match=r"case1\.nii: made by other 3, not by halves"):
        segment_missing(raw, segmenter="halves", num_processes=1)
    segment_missing(raw, num_processes=1)
    found = json.loads((raw.folder / "districtsTr" / "case2.segmenter.json").read_text())
    assert found["segmenter"]["name"] == "other"


def test_maps_in_a_folder_become_those_of_the_dataset(raw, tmp_path):
    labels = case_volumes(0)["district_map"]
    for number in range(3):
        write_volume(tmp_path / "own" / f"case{number}.nrrd", labels)
    segment_districts(dataset="901", segmenter="files", districts=tmp_path / "own", num_processes=1)
    path = raw.path("districts", "case2", "Tr")
    np.testing.assert_array_equal(read_volume(path).array, labels.array)
    assert json.loads(path.with_name("case2.segmenter.json").read_text())["segmenter"]["name"] == "files"
