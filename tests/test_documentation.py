"""What the documentation says can be done: its commands exist, its links lead somewhere, its JSON is JSON."""

import argparse
import ast
import importlib
import json
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "documentation").rglob("*.md"))]
COMMANDS = sorted(path.stem for path in (ROOT / "ct2pet" / "cli").glob("*.py") if "\nmain = " in path.read_text())


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def command_lines():
    for page in PAGES:
        for line in "".join(blocks(page, "bash")).splitlines():
            if line.startswith("ct2pet_"):
                yield pytest.param(line.split("#")[0], id=f"{page.name}: {line[:60]}")


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not re.match(r"https?://", target):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_json_and_python_blocks_are_what_they_say(page):
    for block in blocks(page, "json"):
        json.loads(block if block.startswith("{") else f"{{{block}}}")
    for block in blocks(page, "python"):
        ast.parse(block)
