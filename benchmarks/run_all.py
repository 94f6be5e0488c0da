"""Run all benchmarks against peers and write documentation/benchmarks.md.

Run: make bench   (or .venv-bench/bin/python benchmarks/run_all.py --size full; --only ssim train: some of them; --only:
none, but the page). Results are in benchmarks/results/SIZE.json; the page contains those of both sizes, and then
benchmarks/results/without_peers.md, which is not generated.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ct2pet.files import atomic_path, write_json

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "documentation" / "benchmarks.md"
SCRIPTS = {
    "preprocess": "Preprocess",
    "predict": "Predict",
    "train": "Train",
    "ssim": "Evaluate",
    "compressed_files": "Compressed files",
    "startup": "Start-up",
    "growth": "Growth",
}
SIZES = {
    "quick": "half of a clinical resolution along each axis (CT 256×256×163, PET 200×200×163)",
    "full": "a clinical resolution (CT 512×512×326 at 0.98×0.98×3 mm, PET 400×400×326 at 2.04×2.04×3 mm)",
}
PACKAGES = (
    *("ct2pet", "torch", "numpy", "scipy", "SimpleITK", "isal", "blosc2", "nnunetv2", "batchgenerators"),
    *("batchgeneratorsv2", "monai", "scikit-image", "torchmetrics", "nibabel"),
)
INTRODUCTION = """# Benchmarks

Written by `make bench`: ct2pet and its peers do the same work, one process a figure, in turns in one run. Figures
are medians of five rounds, unless `--rounds` is named (growth: three). "Ratio" is the row's number divided by ct2pet's:
for times and memory more than 1 is in favour of ct2pet, for patches or steps a second less than 1. Seconds by the clock
depend on other work of the machine (each section names its load), CPU seconds (user and system) depend on it much
less. The images are synthetic, the weights random. The scripts are in `benchmarks/`; the peers are installed from
`benchmarks/requirements.txt` into a separate environment. A target that was not reached is marked.
"""
Results = dict[str, Any]


def machine() -> Results:
    names = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":", 1)[1].strip() for line in names if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "machine": f"{model or platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}",
        "versions": {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def run(script: str, size: str, options: list[str]) -> Results:
    """The section of one benchmark. Of a failed one the text contains the failure, and ``failed`` is true."""
    plot = ["--plot", str(PAGE.with_name(_plot(size)))] if script == "growth" else []
    command = [sys.executable, str(HERE / f"{script}.py"), "--size", size, *plot, *options]
    started, before = time.monotonic(), os.getloadavg()[0]
    print(f"# {' '.join(command)}", file=sys.stderr)
    process = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    code = process.returncode
    return {
        "text": process.stdout.strip() if code == 0 else f"**failed** (exit code {code})",
        "failed": code != 0,
        "load": f"{before:.1f} to {os.getloadavg()[0]:.1f}",
        "minutes": round((time.monotonic() - started) / 60, 1),
        "options": options,
    }


def _plot(size: str) -> str:
    return f"benchmarks_growth_{size}.svg"


def page() -> str:
    """The results as Markdown."""
    parts = [INTRODUCTION]
    for size, what in SIZES.items():
        if (results := load(size)) is None:
            continue
        versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
        parts.append(f"## The {size} size\n\n{what[0].upper()}{what[1:]}. {results['machine']}. {versions}.\n")
        sections = results["sections"]
        parts += [_section(script, size, sections[script]) for script in SCRIPTS if script in sections]
    by_hand = RESULTS / "without_peers.md"
    parts += [by_hand.read_text(encoding="utf-8")] if by_hand.exists() else []
    return "\n".join(parts)


def _section(script: str, size: str, own: Results) -> str:
    options = "".join(f" {option}" for option in own["options"])
    how = f"`{script}.py --size {size}{options}`, {own['minutes']} min, load {own['load']}."
    plot = f"![growth]({_plot(size)})" if script == "growth" and not own["failed"] else ""
    parts = [f"### {SCRIPTS[script]}, {size}", _description(script), how, own["text"], plot]
    return "\n\n".join(part for part in parts if part) + "\n"


def _description(script: str) -> str:
    """The docstring of the script without the line on how to run it."""
    text = ast.get_docstring(ast.parse((HERE / f"{script}.py").read_text(encoding="utf-8"))) or ""
    return "\n".join(line for line in text.splitlines() if not line.startswith("Run: "))


def load(size: str) -> Results | None:
    path = RESULTS / f"{size}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def begin(size: str) -> Results:
    """The results so far of this machine and these versions; those of others are not mixed with new ones."""
    here, former = machine(), load(size)
    if former and all(former[name] == here[name] for name in here):
        return former
    if former:
        print(f"# {size}: the former results are of another machine or other versions, and go", file=sys.stderr)
    return {**here, "sections": {}}


def write_page() -> None:
    with atomic_path(PAGE) as temporary:
        temporary.write_text(page(), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(SIZES), default="quick")
    parser.add_argument("--only", nargs="*", choices=list(SCRIPTS), default=list(SCRIPTS))
    parser.add_argument("--rounds", type=int, help="of every benchmark (default: 5, growth 3)")
    parser.add_argument("--threads", type=int, help="of every process (default: all cores, growth 1)")
    parsed = parser.parse_args()
    options = [f"--{name}={value}" for name in ("rounds", "threads") if (value := getattr(parsed, name))]
    results = begin(parsed.size) if parsed.only else {}
    failed = []
    for script in parsed.only:
        section = run(script, parsed.size, options)
        results["sections"][script] = section
        write_json(RESULTS / f"{parsed.size}.json", results)
        write_page()
        if section["failed"]:
            failed.append(script)
            print(f"# {script} failed; see its output above", file=sys.stderr)
    write_page()
    if failed:
        print(f"# failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
