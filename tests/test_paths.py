from pathlib import Path

import pytest

from ct2pet import paths
from ct2pet.errors import Ct2PetError
from ct2pet.provenance import command_line, this_command

FOLDERS = {
    "ct2pet_raw": paths.raw_folder,
    "ct2pet_preprocessed": paths.preprocessed_folder,
    "ct2pet_results": paths.results_folder,
}


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch):
    paths._say_once.cache_clear()
    yield
    paths._say_once.cache_clear()


@pytest.mark.parametrize(("variable", "folder"), FOLDERS.items())
def test_the_variable_sets_the_folder_without_a_message(monkeypatch, capsys, tmp_path, variable, folder):
    monkeypatch.setenv(variable, str(tmp_path / variable))
    assert folder() == tmp_path / variable
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize(("variable", "folder"), FOLDERS.items())
def test_without_the_variable_the_home_folder_is_used_with_one_message(
    monkeypatch, capsys, tmp_path, variable, folder, value
):
    monkeypatch.setenv("HOME", str(tmp_path))
    if value is None:
        monkeypatch.delenv(variable, raising=False)
    else:
        monkeypatch.setenv(variable, value)
    expected = tmp_path / "ct2pet" / variable.removeprefix("ct2pet_")
    assert folder() == folder() == expected
    output, said = capsys.readouterr()
    assert output == ""  # a command's output may be read by another program
    assert said.count(variable) == said.count(str(expected)) == said.count("\n") == 1


def test_a_tilde_in_a_variable_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ct2pet_raw", "~/pets")
    assert paths.raw_folder() == tmp_path / "pets"


def test_a_user_without_a_home_folder_is_told_what_to_set(monkeypatch):
    """In some containers; the command is recorded all the same."""

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("ct2pet_raw", raising=False)
    with pytest.raises(Ct2PetError, match="ct2pet_raw is not set, and this user has no home folder; set it"):
        paths.raw_folder()
    with command_line("ct2pet_x", ["-i", "/data/cts"]):
        assert this_command() == "ct2pet_x -i cts"
