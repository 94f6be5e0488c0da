import pytest
from full_disk import file_size_limit

from ct2pet.errors import Ct2PetError, WriteError
from ct2pet.outputs import (
    check_apart,
    check_output_file,
    check_output_folder,
    check_replaceable,
    holds_keys,
    holds_texts,
)


def test_a_full_disk_is_found_before_the_work(tmp_path):
    for check in (check_output_folder, check_output_file):
        with pytest.raises(WriteError, match=r"not writable \(File too large\)"), file_size_limit(100):
            check(tmp_path / "new" / "summary")
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_can_be_written_is_left_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "summary.json"
    path.write_text("old")
    check_output_file(path)
    check_output_file(tmp_path / "new" / "below" / "summary.json")
    check_output_folder(tmp_path / "new" / "below")
    check_output_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    check_output_file("new/summary.json")
    check_output_file("summary.json")
    check_output_folder("new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_output_of_the_wrong_kind_or_name_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=f"{tmp_path}: is a folder, not a file"):
        check_output_file(tmp_path)
    for below in ("file", "file/below", "file/below/x.json"):
        with pytest.raises(WriteError, match=f"{tmp_path}/file: is a file, not a folder"):
            check_output_folder(tmp_path / below)
    for check in (check_output_file, check_output_folder):
        for name in ("x" * 300, f"new/{'x' * 300}"):
            with pytest.raises(WriteError, match="choose a shorter name"):
                check_output_file(tmp_path / name)
        with pytest.raises(WriteError, match="choose a shorter name"):
            check(tmp_path / ("x" * 300))


def test_an_unwritable_folder_is_named(tmp_path, monkeypatch):
    def forbidden(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ct2pet.files.tempfile.TemporaryFile", forbidden)
    for check in (check_output_folder, check_output_file):
        with pytest.raises(
            WriteError, match=rf"^{tmp_path}: not writable \(Permission denied\); .*get write permission"
        ):
            check(tmp_path / "new" / "x")


def test_outputs_among_the_inputs_are_refused(tmp_path, monkeypatch):
    (tmp_path / "in" / "below").mkdir(parents=True)
    (tmp_path / "in" / "ct.nii").touch()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    for output in ("in", "in/new", "in/below", "link", "other/../in"):
        with pytest.raises(Ct2PetError, match=rf"^-o {tmp_path}/{output}: is in the folder of the inputs"):
            check_apart(tmp_path / output, tmp_path / "in", "-o")
    with pytest.raises(Ct2PetError, match="is in the folder"):
        check_apart(tmp_path / "in", tmp_path / "in" / "ct.nii", "-o")
    check_apart(tmp_path / "in" / "pet.nii", tmp_path / "in" / "ct.nii", "-o")
    check_apart(tmp_path / "in2", tmp_path / "in", "-o")
    check_apart(tmp_path, tmp_path / "in", "-o")
    monkeypatch.chdir(tmp_path / "in")
    with pytest.raises(Ct2PetError, match="is in the folder"):
        check_apart("x", ".", "-o")


def test_only_a_file_that_is_recognised_or_empty_may_be_replaced(tmp_path):
    path = tmp_path / "summary.json"

    def ours(found):
        return found.read_text() == "ours"

    for content in (None, "", "ours"):
        if content is not None:
            path.write_text(content)
        check_replaceable(path, ours, "a summary")
    path.write_text("thesis")
    with pytest.raises(Ct2PetError, match=r"summary\.json: would be replaced, but is not a summary; remove it"):
        check_replaceable(path, ours, "a summary")


@pytest.mark.parametrize(
    ("content", "ours"),
    [
        ('{"cases": {}, "mean": {}, "more": 1}', True),
        ('{"cases": {}}', False),
        ('["cases", "mean"]', False),
        ("cases, mean", False),
        ("", False),
    ],
)
def test_a_json_file_is_recognised_by_its_keys(tmp_path, content, ours):
    path = tmp_path / "summary.json"
    path.write_text(content)
    assert holds_keys(path, ("cases", "mean")) is ours


def test_a_text_file_is_recognised_by_its_beginning(tmp_path):
    path = tmp_path / "report.html"
    assert not holds_texts(path, "<html>", "PET")
    for content, ours in (
        ("<html><title>PET", True),
        (" <html><title>PET", False),
        ("<html>" + " " * 5000 + "PET", False),
        ("PET", False),
    ):
        path.write_text(content)
        assert holds_texts(path, "<html>", "PET") is ours
