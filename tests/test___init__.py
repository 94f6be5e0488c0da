"""The commands as functions of the package."""

import dataclasses
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import ct2pet
from ct2pet.__main__ import commands

ROOT = Path(__file__).parents[1]
OTHER_NAMES = {
    "augmentation_study": "study_augmentation",
    "reader_study": "make_reader_study",
    "report": "write_report",  # ct2pet.report is a package
}


def run(script, folder, **options):
    return subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


@pytest.mark.parametrize("command", commands())
def test_every_command_is_a_function_with_a_docstring(command):
    function = getattr(ct2pet, OTHER_NAMES.get(command, command))
    assert callable(function)
    assert len(inspect.getdoc(function).split()) > 10


def test_every_name_is_found_listed_and_declared():
    assert {*ct2pet.__all__} <= {*dir(ct2pet)}
    assert {*ct2pet._ATTRIBUTES} == {*ct2pet.__all__} - {"__version__"}
    for name in ct2pet.__all__:
        assert getattr(ct2pet, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ct2pet.nothing
    assert (ROOT / "ct2pet" / "py.typed").is_file()


def test_functions_with_options_take_them_as_a_dataclass_or_by_name():
    """What is an option has a default, and the dataclass cannot be changed."""
    for name in ct2pet.__all__:
        found = getattr(ct2pet, name)
        if name.endswith("Options"):
            assert dataclasses.is_dataclass(found)
            assert found.__dataclass_params__.frozen
            assert found() == found()
        elif inspect.isfunction(found) and "changes" in inspect.signature(found).parameters:
            assert inspect.signature(found).parameters["options"].default is None


def test_functions_take_the_dataset_before_the_output():
    functions = {name: found for name in ct2pet.__all__ if inspect.isfunction(found := getattr(ct2pet, name))}
    orders = {name: list(inspect.signature(function).parameters) for name, function in functions.items()}
    assert len(orders) > 20
    for name, parameters in orders.items():
        if "dataset" in parameters and "source" not in parameters and "target" not in parameters:
            assert parameters[0] == "dataset", name
        for first, second in (("source", "target"), ("dataset", "output"), ("dataset", "predictions")):
            if first in parameters and second in parameters:
                assert parameters.index(first) < parameters.index(second), name


def test_importing_the_package_loads_nothing_heavy():
    script = "import sys, ct2pet; dir(ct2pet); print([name for name in ('torch', 'numpy') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


WORK = """
    import sys
    from pathlib import Path

    import ct2pet
    from ct2pet.parallel import map_cases

    def double(number):
        return 2 * number

    Path("begun").open("a").write("x")
"""


def test_a_script_without_a_guard_reports_it_in_one_line(tmp_path):
    script, call = tmp_path / "script.py", "map_cases(double, {'a': (1,), 'b': (2,)}, num_processes=2)"
    script.write_text(textwrap.dedent(WORK) + f"\n{call}\nprint('done')\n")
    found = run(script, tmp_path)
    assert found.returncode == 1
    *_, last = found.stderr.strip().splitlines()
    expected = 'ct2pet.errors.Ct2PetError: a script that calls ct2pet must do so below `if __name__ == "__main__":`'
    assert last.startswith(expected)
    assert found.stderr.count("Traceback") == 1
    assert "done" not in found.stdout
    script.write_text(
        textwrap.dedent(WORK) + f"\nif __name__ == '__main__':\n    print(sorted({call}.values.items()))\n"
    )
    found = run(script, tmp_path)
    assert (found.stderr, found.stdout) == ("", "[('a', 2), ('b', 4)]\n")


def test_in_a_worker_no_function_starts_work_during_the_import_of_the_script(tmp_path):
    """The first call of the script needs no processes; the second one does. The first is not made again in them."""
    script = tmp_path / "script.py"
    calls = """
    try:
        ct2pet.split("001")
    except ct2pet.Ct2PetError:
        Path("called").open("a").write("x")
    map_cases(double, {'a': (1,), 'b': (2,)}, num_processes=2)
    """
    script.write_text(textwrap.dedent(WORK) + textwrap.dedent(calls))
    assert run(script, tmp_path).returncode == 1
    assert (tmp_path / "called").read_text() == "x"
    assert len((tmp_path / "begun").read_text()) >= 2  # the processes did import the script
