"""The structure of the package: the order of imports, what imports without torch, lengths of files, the commands."""

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ct2pet"

ORDER = [
    *("errors", "suggestions", "interruption", "json_text", "files", "outputs", "schema", "locks", "layout"),
    *("console",),
    *("paths", "provenance", "plugins", "volume", "resampling", "parallel", "suv", "dicom"),
    *("imageio", "registration", "dataset", "conversion", "districts", "fingerprint", "planning", "preprocessing"),
    *("evaluation", "distributed", "networks", "losses", "models", "checkpoint", "sharing", "inference"),
    *("training", "study", "report", "phantom", "api", "cli", "__main__"),
]
WITH_TORCH = {"distributed", "networks", "losses", "models", "checkpoint", "inference", "training", "study", "api"}
SHARED_BY_COMMANDS = {"arguments", "cluster", "command", "model_arguments"}

MODULES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
OWN_FILES = [
    path for folder in ("ct2pet", "dataset_conversion", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")
]


def imported_parts(path):
    """The parts of ct2pet that a file imports, with the line; imports inside functions too."""
    parents = [*path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            targets = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            if target.split(".")[0] == "ct2pet" and "." in target:
                yield target.split(".")[1], node.lineno


def part_of(name):
    return name.split("/")[0].removesuffix(".py")


def test_every_part_has_its_place_in_the_order():
    parts = {part_of(name) for name in MODULES} - {"__init__"}
    assert parts <= set(ORDER), "a new part needs a place in the order of imports"


@pytest.mark.parametrize("name", [name for name in MODULES if name != "__init__.py"])
def test_a_module_imports_only_what_stands_before_it(name):
    own = ORDER.index(part_of(name))
    for part, line in imported_parts(MODULES[name]):
        if part in ORDER:
            assert ORDER.index(part) <= own, f"{name}:{line} imports {part}, which stands after {part_of(name)}"


def test_the_check_of_the_order_finds_a_wrong_import(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    text = """
    import numpy
    import ct2pet.api
    from ct2pet import errors, volume as v
    def inside():
        from ct2pet.training.trainer import Trainer
        from ..cli import main
        from . import other
    """
    (tmp_path / "ct2pet" / "dataset").mkdir(parents=True)
    (tmp_path / "ct2pet" / "dataset" / "cases.py").write_text(textwrap.dedent(text))
    parts = {part for part, _ in imported_parts(tmp_path / "ct2pet" / "dataset" / "cases.py")}
    assert parts == {"api", "errors", "volume", "training", "cli", "dataset"}


def test_converters_are_never_imported_by_ct2pet():
    for name, path in MODULES.items():
        assert not re.search(r"^\s*(import|from) dataset_conversion", path.read_text(), re.MULTILINE), name


def imported_with(modules, unwanted):
    """The first of ``modules`` whose import brings one of ``unwanted`` with it, in a fresh process."""
    script = (
        "import importlib, sys\n"
        "modules, unwanted = (argument.split() for argument in sys.argv[1:])\n"
        "for name in modules:\n"
        "    importlib.import_module(name)\n"
        "    found = set(unwanted) & set(sys.modules)\n"
        "    if found:\n"
        "        sys.exit(f'{name} imports {found}')\n"
    )
    command = [sys.executable, "-c", script, " ".join(modules), " ".join(unwanted)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return run.stderr


def dotted(name):
    return "ct2pet." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def test_packages_except_networks_import_without_torch():
    light = [dotted(name) for name in MODULES if part_of(name) not in WITH_TORCH | {"__init__"}]
    light += [f"dataset_conversion.{path.stem}" for path in (ROOT / "dataset_conversion").glob("[!_]*.py")]
    assert imported_with(light, ["torch"]) == ""


def test_the_check_of_imports_finds_a_heavy_import():
    assert "ct2pet.volume imports" in imported_with(["ct2pet.errors", "ct2pet.volume"], ["numpy"])


@pytest.mark.parametrize("path", OWN_FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_is_longer_than_300_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 300


def test_every_command_is_installed_and_every_installed_command_exists():
    files = {path.stem for path in (PACKAGE / "cli").glob("[!_]*.py")} - SHARED_BY_COMMANDS
    listed = re.search(r"^COMMANDS = \[(.*?)\]", (ROOT / "setup.py").read_text(), re.MULTILINE | re.DOTALL)
    assert set(re.findall(r'"(\w+)"', listed.group(1))) == files


def test_every_command_has_a_main_of_its_name():
    for path in (PACKAGE / "cli").glob("[!_]*.py"):
        if path.stem not in SHARED_BY_COMMANDS:
            assert f'\nmain = command("ct2pet_{path.stem}"' in path.read_text(), path


def test_tests_mirror_the_code():
    across = {
        "api/test_two_inputs.py",
        "cli/test_help.py",
        "dicom/test_choice_of_ct.py",
        "preprocessing/test_missing_labels.py",
        "test_architecture.py",
        "test_documentation.py",
        "test_end_to_end.py",
        "test_new_shapes.py",
        "test_other_districts.py",
        "test_packaging.py",
        "test_privacy.py",
        "test_python_documentation.py",
        "test_reference_plans.py",
        "test_rights.py",
        "test_site.py",
        "test_without_maps.py",
        "training/test_images_of_a_class.py",
        "training/test_interruption.py",
        "training/test_loader_fields.py",
        "training/test_misalignment.py",
        "training/test_three_stages.py",
    }
    for path in sorted({*(ROOT / "tests").rglob("test_*.py")} - {ROOT / "tests" / name for name in across}):
        module = path.relative_to(ROOT / "tests").with_name(path.name.removeprefix("test_"))
        known = [PACKAGE / module, PACKAGE / module.with_name(f"_{module.name}"), PACKAGE / module.with_suffix("")]
        if module.stem == module.parent.name:
            known.append(PACKAGE / module.parent)  # the functions of a package's __init__
        assert any(place.exists() for place in [*known, ROOT / module]), f"{path} tests no module"
