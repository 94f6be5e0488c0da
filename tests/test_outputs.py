import json

import pytest
from full_disk import file_size_limit

from ct2pet.errors import Ct2PetError, WriteError
from ct2pet.outputs import begins_with, check_file_writable, check_replaceable, holds_keys


def test_a_full_disk_is_found_before_the_work(tmp_path):
    with pytest.raises(WriteError, match=r"nothing can be written there \(File too large\)"), file_size_limit(1000):
        check_file_writable(tmp_path / "summary.json")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_can_be_written_is_left_as_it_is_and_one_that_cannot_is_named(tmp_path):
    path = tmp_path / "new" / "summary.json"
    check_file_writable(path)
    assert list(path.parent.iterdir()) == []
    path.write_text("old")
    check_file_writable(path)
    assert path.read_text() == "old"
    with pytest.raises(WriteError, match=r"new: is a folder; name a file"):
        check_file_writable(path.parent)
    with pytest.raises(WriteError, match="choose a shorter name"):
        check_file_writable(path.with_name("x" * 250))


def test_only_a_file_that_is_recognised_may_be_replaced(tmp_path):
    path = tmp_path / "summary.json"

    def ours(found):
        return found.read_text() == "ours"

    check_replaceable(path, ours, "a summary")
    path.write_text("ours")
    check_replaceable(path, ours, "a summary")
    path.write_text("thesis")
    with pytest.raises(
        Ct2PetError, match=r"summary\.json: would be replaced, but is not a summary; remove it or choose"
    ):
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


def test_a_text_file_is_recognised_by_its_first_line(tmp_path):
    path = tmp_path / "table.csv"
    assert not begins_with(path, "case,reason")
    for content, ours in (("case,reason\n1,2", True), ("case", False), (json.dumps({}), False)):
        path.write_text(content)
        assert begins_with(path, "case,reason") is ours
