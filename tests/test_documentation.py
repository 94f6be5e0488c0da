"""The documentation: its commands, options, links and error messages exist, and its JSON and Python can be parsed."""

import argparse
import ast
import functools
import importlib
import json
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

import ct2pet

ROOT = Path(__file__).parents[1]
SITE = sorted((ROOT / "documentation").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *SITE]
COMMANDS = sorted(path.stem for path in (ROOT / "ct2pet" / "cli").glob("*.py") if "\nmain = " in path.read_text())


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def command_lines():
    """Also those behind torchrun, over several lines, or in the background."""
    for page in PAGES:
        for line in "".join(blocks(page, "bash")).replace("\\\n", " ").splitlines():
            if found := re.search(r"(?:^|^[^#]*\s)(ct2pet_\w+ [^#&]*)", line):
                yield pytest.param(found.group(1), id=f"{page.name}: {found.group(1)[:60]}")


def scripts():
    for page in PAGES:
        for number, block in enumerate(block for block in blocks(page, "bash") if block.startswith("#!")):
            yield pytest.param(block, id=f"{page.name} {number}")


def parser_of(command):
    parser = argparse.ArgumentParser(exit_on_error=False, add_help=False, allow_abbrev=False)
    importlib.import_module(f"ct2pet.cli.{command}").add_arguments(parser)
    return parser


@pytest.mark.parametrize("line", list(command_lines()))
def test_the_commands_of_the_documentation_are_understood(line):
    name, *arguments = shlex.split(line)
    _, unknown = parser_of(name.removeprefix("ct2pet_")).parse_known_args(arguments)
    assert not unknown


@pytest.mark.parametrize("command", COMMANDS)
def test_the_reference_names_every_argument_of_every_command(command):
    text = (ROOT / "documentation" / "reference" / "commands.md").read_text(encoding="utf-8")
    section = re.search(rf"^## ct2pet_{command}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"ct2pet_{command} is missing"
    documented = set(re.findall(r"^\| `(-*\w+)", section.group(1), re.MULTILINE))
    actions = parser_of(command)._actions
    assert documented == {action.option_strings[0] if action.option_strings else action.metavar for action in actions}


# In place of a cluster: what runs commands runs them, the training waits for the signal, the rest is written down.
STAND_INS = {
    "srun": 'exec "$@"',
    "torchrun": 'while [ "$1" != --no-python ]; do shift; done; shift; exec "$@"',
    "scontrol": 'echo "scontrol $*" >> log; echo node1',
    "ct2pet_train": "trap 'exit 143' TERM; sleep 0.3; echo \"train $*\" >> log; while :; do sleep 0.05; done",
}


@pytest.mark.parametrize("script", list(scripts()))
def test_a_script_for_a_cluster_trains_and_queues_again_when_its_time_is_over(script, tmp_path):
    for name, text in STAND_INS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    log = tmp_path / "log"
    log.touch()
    job = {"SLURM_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "2", "SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "node[1-2]"}
    environment = {**os.environ, **job, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    process = subprocess.Popen(["bash", "-eu", "-c", script], cwd=tmp_path, env=environment)
    while "train" not in log.read_text():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(60) == 0
    *_, trained, queued = log.read_text().splitlines()
    assert re.fullmatch("train 001 pix2pix all (-c (arms|trunk)|-num_gpus 4) --c", trained)
    assert queued == "scontrol requeue 77"


def test_three_cluster_scripts_exist():
    assert len(list(scripts())) == 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not re.match(r"https?://", target):
            assert (page.parent / target).exists(), target


def anchors(page):
    """The anchors of a page's headings, as GitHub and the web site make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        words = re.sub(r"[^\w\s-]", "", heading.lower())
        yield from (re.sub(r"\s", "-", words), re.sub(r"[\s-]+", "-", words))  # GitHub; the web site


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_sections_lead_to_a_heading(page):
    for target, anchor in re.findall(r"\]\(([^):]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        assert anchor in set(anchors(page.parent / target if target else page)), f"{target}#{anchor}"


@pytest.mark.parametrize("page", SITE, ids=lambda page: page.name)
def test_pages_of_the_web_site_link_only_to_its_files(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).resolve().is_relative_to(ROOT / "documentation"), target


@pytest.mark.parametrize("page", SITE, ids=lambda page: page.name)
def test_every_page_is_in_the_navigation_of_the_web_site_and_in_the_readme(page):
    name = page.relative_to(ROOT / "documentation").as_posix()
    assert f": {name}\n" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert name == "index.md" or f"](documentation/{name})" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_page_of_the_api_names_all_that_the_package_exports():
    text = (ROOT / "documentation" / "reference" / "api.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^::: ct2pet\.(\w+)$", text, re.MULTILINE)) == sorted({*ct2pet.__all__} - {"__version__"})


@functools.cache
def texts_of_the_package():
    """Every string in the code; what an f-string inserts is an ellipsis."""
    found = []
    for path in sorted((ROOT / "ct2pet").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n\n".join(text.replace("\n", " ") for text in found)


def quoted_messages():
    text = (ROOT / "documentation" / "how_to" / "troubleshooting.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


@pytest.mark.parametrize("message", quoted_messages())
def test_the_messages_that_are_explained_occur_in_the_code(message):
    parts = [re.escape(part.strip()) for part in message.split("…") if part.strip()]
    assert sum(map(len, parts)) >= 10
    assert re.search(".*".join(parts), texts_of_the_package()), message


def test_enough_messages_are_explained():
    assert len(quoted_messages()) >= 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_json_and_python_blocks_are_what_they_say(page):
    for block in blocks(page, "json"):
        json.loads(block if block.startswith("{") else f"{{{block}}}")
    for block in blocks(page, "python"):
        ast.parse(block)


def test_no_page_contains_a_conflict_of_a_merge():
    found = [
        page.name
        for page in [*PAGES, ROOT / "CHANGELOG.md"]
        if re.search(r"^(<{7}|>{7}) ", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert found == []
