import sys

import pytest

from ct2pet.errors import PluginError
from ct2pet.plugins import load_plugin, plugin_names


def write_files(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of plug-ins, and another installed package that adds two to it, one of them broken."""
    write_files(
        tmp_path,
        {
            "garden/__init__.py": "",
            "garden/base.py": "PLANT = 'none'",
            "garden/_soil.py": "PLANT = 'none'",
            "garden/rose.py": "PLANT = 'a rose'",
            "garden/never.py": "raise RuntimeError('imported without need')",
            "neighbour.py": "tulip = 'a tulip'",
            "neighbour-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: neighbour\nVersion: 1.0\n",
            "neighbour-1.0.dist-info/entry_points.txt": "[garden]\ntulip = neighbour:tulip\nweed = no_such_module:x\n",
        },
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "garden"
    for module in [name for name in sys.modules if name.split(".")[0] in ("garden", "neighbour")]:
        del sys.modules[module]


def test_names_are_files_and_entry_points_and_none_is_imported(package):
    assert plugin_names(package) == ["never", "rose", "tulip", "weed"]
    assert "garden.rose" not in sys.modules
    assert "neighbour" not in sys.modules


def test_a_file_is_a_plugin(package):
    assert load_plugin(package, "rose", "PLANT") == "a rose"


def test_another_packages_entry_point_is_a_plugin(package):
    assert load_plugin(package, "tulip", "PLANT") == "a tulip"


@pytest.mark.parametrize("name", ["oak", "base", "_soil", "../rose", ""])
def test_an_unknown_name_lists_the_valid_ones(package, name):
    with pytest.raises(PluginError, match="never, rose, tulip, weed") as caught:
        load_plugin(package, name, "PLANT")
    assert repr(name) in str(caught.value)


def test_a_broken_entry_point_is_named_with_its_reason(package):
    with pytest.raises(PluginError, match=r"'weed' \(no_such_module:x\).*No module named 'no_such_module'"):
        load_plugin(package, "weed", "PLANT")
