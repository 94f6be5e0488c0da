"""Containers, continuous integration, the citation and the issue templates: each is parsed, and names what exists."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ct2pet import __version__
from ct2pet.__main__ import commands

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[1]
HADOLINT = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))


def parsed(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing_in_the_dockerfile():
    run = subprocess.run([HADOLINT, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "")


def instructions():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, " ".join(rest.split())) for name, rest in lines]


def test_the_dockerfile_copies_all_that_the_package_is_built_of_and_runs_an_installed_command():
    copied = [
        word for name, rest in instructions() if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]
    ]
    assert all((ROOT / name).exists() for name in copied)
    assert {"setup.py", "pyproject.toml", "README.md", "LICENSE", "ct2pet", "dataset_conversion", "plans"} <= {*copied}
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not {*copied} & {*ignored}
    assert ("ENTRYPOINT", '["ct2pet"]') in instructions()
    assert [rest for name, rest in instructions() if name == "USER"] == ["1000"]  # not root


def test_the_apptainer_recipe_has_its_sections_and_the_files_of_the_dockerfile():
    text = (ROOT / "apptainer.def").read_text(encoding="utf-8")
    head, *parts = re.split(r"^%(\w+).*\n", text, flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2]))
    assert {*sections} == {"files", "post", "environment", "runscript", "test", "labels"}
    assert "Bootstrap: docker" in head
    base = re.search(r"^From: (\S+)$", head, re.MULTILINE)[1]
    assert ("FROM", base) in instructions()
    files = {line.split()[0] for line in sections["files"].splitlines() if line.strip()}
    copied = {
        word for name, rest in instructions() if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]
    }
    assert files == copied
    for shell in ("post", "environment", "runscript", "test"):
        subprocess.run(["bash", "-n"], input=sections[shell], text=True, check=True)


@pytest.mark.parametrize("name", ["Dockerfile", "apptainer.def"])
def test_commands_in_comments_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for command in re.findall(r"ct2pet(?:\.sif)? ([a-z_]+) 001", text):
        assert command in commands()


def test_the_workflow_runs_all_checks_on_the_declared_versions_of_python():
    jobs = parsed(".github/workflows/tests.yml")["jobs"]
    steps = [step.get("run", "") for step in jobs["linux"]["steps"]]
    assert ".ci/run" in steps
    declared = re.search(r"range\((\d+), (\d+)\)", (ROOT / "setup.py").read_text())
    versions = [f"3.{minor}" for minor in range(int(declared[1]), int(declared[2]))]
    assert jobs["linux"]["strategy"]["matrix"]["python"] == versions
    assert {*jobs["other_systems"]["strategy"]["matrix"]["system"]} == {"macos-latest", "windows-latest"}
    tested = re.findall(r"tests/\S+\.py", jobs["other_systems"]["steps"][-1]["run"])
    assert tested
    assert all((ROOT / path).is_file() for path in tested)


def test_the_citation_is_of_this_version():
    citation = parsed("CITATION.cff")
    assert citation["version"] == __version__
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == "Apache-2.0"
    assert citation["authors"] == [{"name": "ct2pet developers"}]
    assert {"message", "title", "type"} <= {*citation}


@pytest.mark.parametrize("name", ["error", "proposal"])
def test_issue_templates_are_forms_that_need_what_an_answer_needs(name):
    form = parsed(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert {"name", "description", "body"} <= {*form}
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert len({part["id"] for part in fields}) == len(fields)
    assert any(part.get("validations", {}).get("required") for part in fields)


def test_links_of_the_guide_for_contributors_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target
