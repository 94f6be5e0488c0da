import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from full_disk import file_size_limit
from whole_pipeline import PulledPlugError

from ct2pet.errors import Ct2PetError, PlansError, WriteError
from ct2pet.files import (
    atomic_folder,
    atomic_path,
    check_writable,
    copy_file,
    read_json,
    reading,
    remove_folder,
    remove_partial_files,
    remove_partial_files_of,
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


def test_a_killed_process_keeps_the_old_file_and_its_temporary_file_is_removed(tmp_path):
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


def test_json_is_read_as_written(tmp_path):
    content = {"name": "Schädel", "spacing": [2.5, 1.0], "none": None, "nested": {"a": True}}
    write_json(tmp_path / "x.json", content)
    assert read_json(tmp_path / "x.json") == content


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}])
def test_values_without_a_json_form_are_refused_and_the_old_file_is_kept(tmp_path, value):
    write_json(tmp_path / "x.json", {"a": 1})
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "x.json", {"a": value})
    assert read_json(tmp_path / "x.json") == {"a": 1}
    assert names(tmp_path) == ["x.json"]


@pytest.mark.parametrize(
    "content", [None, b'{"a": 1', b"\xff\xfe\x00", b"", b"[NaN]", b"[" * 10_000, b'{"a": 1, "a": 2}']
)
def test_unreadable_json_is_named(tmp_path, content):
    path = tmp_path / "dataset.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PlansError, match=r"dataset\.json: ") as caught:
        read_json(path, PlansError)
    assert "\n" not in str(caught.value)


def test_a_folder_in_place_of_a_file_is_reported(tmp_path):
    with pytest.raises(Ct2PetError, match=f"{tmp_path}: is a folder, not a file"):
        read_json(tmp_path)


def test_an_unreadable_file_is_not_reported_as_damaged(tmp_path, monkeypatch):
    def forbidden(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(Ct2PetError, match=r"x\.json: no permission to read$"):
        read_json(tmp_path / "x.json")


def test_other_errors_of_reading_are_named_and_own_errors_are_passed_on():
    with (
        pytest.raises(PlansError, match=r"x\.nii: cannot be read \(Input/output error\)"),
        reading("x.nii", PlansError),
    ):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    with pytest.raises(WriteError), reading("x.nii"):
        raise WriteError("y", OSError(errno.ENOSPC, "full"))


def test_a_folder_that_can_be_written_is_made_and_one_that_cannot_is_named(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(Ct2PetError, match=r"file/b: not writable \(Not a directory\)"):
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
    (tmp_path / "real").mkdir()
    for target in ("real", "missing"):  # of a link only the link
        (tmp_path / "link").symlink_to(tmp_path / target, target_is_directory=True)
        remove_folder(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["real"]


def too_large(temporary):
    temporary.write_bytes(bytes(5000))


def hidden_by_a_library(temporary):
    """As torch and blosc2 do it."""
    try:
        too_large(temporary)
    except OSError:
        raise RuntimeError from None


@pytest.mark.parametrize("how", [too_large, hidden_by_a_library])
@pytest.mark.parametrize("atomic", [atomic_path, atomic_folder])
def test_a_full_disk_is_reported_with_a_remedy_and_keeps_the_old_file(tmp_path, atomic, how):
    with atomic(tmp_path / "old") as temporary:
        (temporary / "x" if temporary.is_dir() else temporary).write_text("old")

    def write():
        with file_size_limit(1000), atomic(tmp_path / "old") as temporary:
            how(temporary / "x" if temporary.is_dir() else temporary)

    with pytest.raises(WriteError, match=r"old: cannot be written \(File too large\); .*choose another folder"):
        write()
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["old"]
    assert names(tmp_path) == ["old"]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "free disk space"), (errno.EDQUOT, "quota"), (errno.EACCES, "permission")],
)
def test_the_remedy_is_that_of_the_cause(tmp_path, monkeypatch, number, remedy):
    def refuse(**options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("ct2pet.files.tempfile.mkstemp", refuse)
    with pytest.raises(
        WriteError, match=rf"x\.json: cannot be written \({os.strerror(number)}\); .*{remedy}"
    ) as caught:
        write_json(tmp_path / "x.json", {})
    assert caught.value.errno == number


def test_errors_of_other_files_inside_the_block_are_not_blamed_on_the_file(tmp_path):
    for error in (PermissionError(errno.EACCES, "Permission denied", "ct.nii"), RuntimeError("not about files")):
        with pytest.raises(type(error)) as caught:
            write_half(tmp_path / "pet.nii", lambda error=error: (_ for _ in ()).throw(error))
        assert caught.value is error
    assert names(tmp_path) == []


def test_an_unreadable_source_is_named_by_the_copy(tmp_path):
    with pytest.raises(Ct2PetError, match=r"a\.json: no such file") as caught:
        copy_file(tmp_path / "a.json", tmp_path / "b.json")
    assert not isinstance(caught.value, WriteError)


def test_a_name_that_is_too_long_and_a_folder_below_a_file_are_named(tmp_path):
    with pytest.raises(WriteError, match="choose a shorter name"):
        write_json(tmp_path / ("x" * 300), {})
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=r"file/x\.json: cannot be written"):
        write_json(tmp_path / "file" / "x.json", {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteError, match=r"folder: cannot be written \(Is a directory\)"):
        write_json(tmp_path / "folder", {})


def test_a_full_disk_is_found_before_the_work(tmp_path):
    with pytest.raises(WriteError, match=r"not writable \(File too large\)"), file_size_limit(100):
        check_writable(tmp_path)
    check_writable(tmp_path)
    assert names(tmp_path) == []


def test_half_written_folders_of_killed_processes_are_removed_too(tmp_path):
    (tmp_path / ".partial-abcd-series").mkdir()
    (tmp_path / ".partial-abcd-series" / "1.dcm").touch()
    (tmp_path / ".partial-abcd-ct.nii").touch()
    (tmp_path / "series").mkdir()
    remove_partial_files(tmp_path)
    assert names(tmp_path) == ["series"]


def test_only_leftovers_of_the_named_file_are_removed(tmp_path):
    own = [tmp_path / f".partial-abcdefgh-{name}" for name in ("a[1].nii.gz", "a1.nii.gz")]
    for path in own:
        path.write_text("half")
    folder = tmp_path / ".partial-abcdefgh-series"
    folder.mkdir()
    remove_partial_files_of(tmp_path / "a[1].nii.gz")
    assert [path.exists() for path in own] == [False, True]
    remove_partial_files_of(tmp_path / "series")
    assert not folder.exists()
