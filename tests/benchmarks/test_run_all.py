"""What `make bench` writes: tables and verdicts by hand-worked figures, and a page that survives a failing script."""

import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def measure(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("_measure")


@pytest.fixture
def run_all(monkeypatch, tmp_path):
    """With scripts, results and page in a folder of its own; ``ssim`` fails, the others print their size."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("run_all")
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name in module.SCRIPTS:
        line = "raise SystemExit('no')" if name == "ssim" else "import sys; print(sys.argv[2])"
        (scripts / f"{name}.py").write_text(line)
    monkeypatch.setattr(module, "HERE", scripts)
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(module, "PAGE", tmp_path / "documentation" / "benchmarks.md")
    monkeypatch.setattr(module, "machine", lambda: {"machine": "this one", "versions": {"ct2pet": "1"}})
    return module


def call(module, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["run_all.py", *arguments])
    return module.main()


def test_a_table_states_the_distance_of_each_from_the_reference(measure):
    runs = {"own": [2.0, 4.0, 30.0], "peer": [8.0, 8.0, 8.0]}
    figures = {name: measure.Figures([measure.Run(s, s, 1, {}) for s in seconds]) for name, seconds in runs.items()}
    lines = measure.table(figures, {"seconds": ("s,", ".0f")}, "who", "own").splitlines()
    assert lines[2:] == ["| own | 4 | 1.00 |", "| peer | 8 | 2.00 |"]
    assert "not reached" in measure.verdict("Faster", figures, ["seconds"], 2.5, "peer", "own")
    assert (
        measure.verdict("Faster", figures, ["seconds"], 2, "peer", "own")
        == "* Faster, wanted 2: 2.0 (s, whole process)"
    )


def test_a_benchmark_that_fails_is_named_and_the_others_go_on(run_all, monkeypatch, capfd):
    assert call(run_all, monkeypatch, "--only", "ssim", "startup", "growth") == 1
    assert "# failed: ssim\n" in capfd.readouterr().err
    page = run_all.PAGE.read_text(encoding="utf-8")
    evaluate, rest = page.split("### Evaluate, quick")[1].split("### Start-up, quick")
    assert "**failed**" in evaluate
    assert "failed" not in rest
    assert rest.count("\nquick\n") == 2
    assert "![growth](benchmarks_growth_quick.svg)" in rest


def test_sizes_and_sections_stay_until_they_are_measured_again(run_all, monkeypatch):
    assert call(run_all, monkeypatch, "--only", "startup", "--rounds", "3") == 0
    assert call(run_all, monkeypatch, "--only", "train", "--size", "full") == 0
    assert call(run_all, monkeypatch, "--only", "predict") == 0
    page = run_all.PAGE.read_text(encoding="utf-8")
    titles = [line.removeprefix("### ") for line in page.splitlines() if line.startswith("### ")]
    assert titles == ["Predict, quick", "Start-up, quick", "Train, full"]
    assert "`startup.py --size quick --rounds=3`" in page


def test_results_of_another_machine_are_not_mixed_with_new_ones(run_all, monkeypatch):
    call(run_all, monkeypatch, "--only", "startup")
    monkeypatch.setattr(run_all, "machine", lambda: {"machine": "another", "versions": {"ct2pet": "1"}})
    call(run_all, monkeypatch, "--only", "train")
    results = json.loads((run_all.RESULTS / "quick.json").read_text(encoding="utf-8"))
    assert results["machine"] == "another"
    assert list(results["sections"]) == ["train"]


def test_the_page_is_exactly_what_the_script_writes(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    run_all = importlib.import_module("run_all")
    assert run_all.PAGE.read_text(encoding="utf-8") == run_all.page(), (
        "python benchmarks/run_all.py --only writes it anew"
    )
