"""The wheel: everything that ct2pet needs is in it, and works from there."""

import email
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ct2pet.__main__ import commands

ROOT = Path(__file__).parents[1]
SOURCES = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "ct2pet", "plans", "dataset_conversion")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel that was built from a copy (setuptools writes beside what it builds), unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert built.returncode == 0, built.stderr
    (file,) = folder.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def files_in(folder, pattern):
    return {path.relative_to(folder).as_posix() for path in folder.rglob(pattern)}


def test_all_code_and_all_plans_are_in_the_wheel_and_no_tests(wheel):
    assert files_in(wheel / "ct2pet", "*.py") == files_in(ROOT / "ct2pet", "*.py")
    assert files_in(wheel / "dataset_conversion", "*.py") == files_in(ROOT / "dataset_conversion", "*.py")
    assert files_in(wheel / "ct2pet_plans", "*.json") == files_in(ROOT / "plans", "*.json") != set()
    assets = files_in(ROOT / "ct2pet" / "report" / "assets", "*")
    assert files_in(wheel / "ct2pet" / "report" / "assets", "*") == assets >= {"page.css", "viewer.html", "viewer.js"}
    reader = Path("ct2pet", "study", "reader_study", "assets")
    assert files_in(wheel / reader, "*") == files_in(ROOT / reader, "*") >= {"reader.html", "reader.css", "reader.js"}
    box = Path("ct2pet", "sharing", "box.zip")
    assert (wheel / box).read_bytes() == (ROOT / box).read_bytes()
    assert not (wheel / "tests").exists()


def test_the_metadata_names_the_project_and_the_types_are_in_the_wheel(wheel):
    (text,) = (path.read_text() for path in wheel.rglob("METADATA"))
    metadata = email.message_from_string(text)
    assert metadata["Author"] == "ct2pet developers"
    versions = {
        c.split()[-1] for c in metadata.get_all("Classifier") if c.startswith("Programming Language :: Python ::")
    }
    assert versions == {"3", "3.10", "3.11", "3.12", "3.13"}
    assert not [c for c in metadata.get_all("Classifier") if c.startswith("License ::")]  # License-Expression says it
    assert "PET/CT" in metadata["Keywords"]
    assert (wheel / "ct2pet" / "py.typed").is_file()


def test_the_description_for_the_package_index_has_no_link_or_picture_that_needs_the_repository(wheel):
    (text,) = (path.read_text(encoding="utf-8") for path in wheel.rglob("METADATA"))
    description = email.message_from_string(text).get_payload()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](documentation/" in readme
    assert "![" in readme
    assert not re.findall(r"\]\((?!https?:)", description)
    assert "![" not in description
    headings = re.findall("^## .*$", readme, re.MULTILINE)
    assert re.findall("^## .*$", description, re.MULTILINE) == headings
    for sentence in ("it is not a medical device", "Python 3.10 to 3.13", "`make docs` builds these pages"):
        assert sentence in readme
        assert sentence in description


def test_the_umbrella_command_and_every_command_are_installed(wheel):
    (text,) = (path.read_text() for path in wheel.rglob("entry_points.txt"))
    scripts = dict(line.split(" = ") for line in text.splitlines() if " = " in line)
    assert scripts["ct2pet"] == "ct2pet.__main__:main"
    for command in commands():
        assert scripts[f"ct2pet_{command}"] == f"ct2pet.cli.{command}:main"


def test_the_licence_is_in_the_wheel(wheel):
    (licence,) = wheel.rglob("LICENSE")
    assert licence.read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_contains_packages_and_reference_plans(wheel):
    script = (
        "import json, ct2pet, ct2pet_plans, dataset_conversion\n"
        "from importlib.metadata import version\n"
        "from ct2pet.planning.reference import reference_names\n"
        "assert ct2pet.__version__ == version('ct2pet')\n"
        "print(json.dumps([ct2pet.__file__, ct2pet_plans.__file__, dataset_conversion.__file__, *reference_names()]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=wheel.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count(str(wheel)) == 3
    assert "paper_2503_15555" in run.stdout
