import os
import stat
import subprocess
import sys

import pytest
from road import PulledPlugError

from ct2pet.errors import Ct2PetError
from ct2pet.files import (
    atomic_folder,
    atomic_path,
    check_writable,
    copy_file,
    read_json,
    remove_folder,
    remove_partial_files,
    write_json,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_only_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "image.nii.gz"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert temporary.parent == path.parent  # the same file system, so that a rename is enough
        assert temporary.name.endswith(".nii.gz")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert names(path.parent) == ["image.nii.gz"]


def test_a_copy_replaces_what_was_there(tmp_path):
    source, target = tmp_path / "one.json", tmp_path / "new" / "other.json"
    for content in ("first", "2"):
        source.write_text(content)
        copy_file(source, target)
        assert target.read_text() == content
    assert names(target.parent) == ["other.json"]


def write_half(path, then):
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        then()


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path, interruption):
    path = tmp_path / "plans.json"
    path.write_text("old")

    def interrupt():
        raise interruption

    with pytest.raises(interruption):
        write_half(path, interrupt)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["plans.json"]


def test_a_process_that_dies_leaves_the_old_file_and_a_remainder_that_is_cleaned_up(tmp_path):
    path = tmp_path / "plans.json"
    path.write_text("old")
    script = (
        "import os, sys\n"
        "from ct2pet.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os._exit(3)\n"
    )
    process = subprocess.run([sys.executable, "-c", script, str(path)], timeout=60, check=False)
    assert process.returncode == 3
    assert path.read_text() == "old"
    assert len(names(tmp_path)) == 2
    remove_partial_files(tmp_path)
    assert names(tmp_path) == ["plans.json"]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "table.csv"
    with atomic_path(path) as first, atomic_path(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # its block ended last
    assert names(tmp_path) == ["table.csv"]


def test_a_file_is_readable_for_those_whom_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "plans.json", {})
        assert os.umask(0o027) == 0o027  # reading the umask did not change it
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "plans.json").stat().st_mode) == 0o640


def test_json_comes_back_as_it_was(tmp_path):
    content = {"name": "Schädel", "spacing": [2.5, 1.0], "none": None, "nested": {"a": True}}
    write_json(tmp_path / "x.json", content)
    assert read_json(tmp_path / "x.json") == content


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}])
def test_what_is_not_json_is_refused_and_the_old_file_stays(tmp_path, value):
    write_json(tmp_path / "x.json", {"a": 1})
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "x.json", {"a": value})
    assert read_json(tmp_path / "x.json") == {"a": 1}
    assert names(tmp_path) == ["x.json"]


@pytest.mark.parametrize("content", [None, b'{"a": 1', b"\xff\xfe\x00"])
def test_unreadable_json_is_named(tmp_path, content):
    path = tmp_path / "dataset.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Ct2PetError, match=r"dataset\.json") as caught:
        read_json(path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_can_be_written_is_made_and_one_that_cannot_is_named(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(Ct2PetError, match=r"file/b: nothing can be written there \(Not a directory\)"):
        check_writable(tmp_path / "file" / "b")


def test_a_folder_appears_as_a_whole_and_replaces_another_as_a_whole(tmp_path):
    for names in (["a", "b"], ["c"]):
        with atomic_folder(tmp_path / "folder") as temporary:
            for name in names:
                (temporary / name).touch()
            assert not {path.name for path in tmp_path.glob("folder/*")} & set(names)
        assert [path.name for path in sorted((tmp_path / "folder").iterdir())] == names
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def fill_and_fail(folder):
    with atomic_folder(folder) as temporary:
        (temporary / "file").touch()
        raise PulledPlugError


def test_a_folder_whose_block_fails_leaves_nothing(tmp_path):
    with pytest.raises(PulledPlugError):
        fill_and_fail(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_can_be_removed_and_need_not_be_there(tmp_path):
    with atomic_folder(tmp_path / "folder") as temporary:
        (temporary / "file").touch()
    remove_folder(tmp_path / "folder")
    remove_folder(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []
