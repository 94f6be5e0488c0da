"""Run all benchmarks against peers and write documentation/benchmarks.md.

Run: make bench   (or python benchmarks/run_all.py --size full; --only ssim train for some)
Results lie in benchmarks/results/SIZE.json; the page shows those of both sizes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "documentation" / "benchmarks.md"
PLOTS = HERE.parent / "documentation"
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

Written by `make bench`: ct2pet and its peers at the same work, one process for each figure, all in turns in one run,
medians. "Ratio" is the row's number by ct2pet's. Seconds by the clock suffer from whatever else the machine does (its load
stands beside each section); CPU seconds (user and system) much less. The scripts lie in `benchmarks/`, the peers are installed
from `benchmarks/requirements.txt` into an environment of their own. Where a target was not reached, it says so.
"""


def machine() -> dict[str, Any]:
    names = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":", 1)[1].strip() for line in names if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "machine": f"{model or platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}",
        "versions": {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def run(script: str, size: str, options: list[str]) -> dict[str, Any]:
    plot = ["--plot", str(PLOTS / f"benchmarks_growth_{size}.svg")] if script == "growth" else []
    command = [sys.executable, str(HERE / f"{script}.py"), "--size", size, *plot, *options]
    started, before = time.monotonic(), os.getloadavg()[0]
    print(f"# {' '.join(command)}", file=sys.stderr)
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    load = f"{before:.1f} to {os.getloadavg()[0]:.1f}"
    return {"text": text, "load": load, "minutes": round((time.monotonic() - started) / 60, 1), "options": options}


def page() -> str:
    parts = [INTRODUCTION]
    for size, what in SIZES.items():
        path = RESULTS / f"{size}.json"
        if not path.exists():
            continue
        results = json.loads(path.read_text(encoding="utf-8"))
        versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
        parts.append(f"## The {size} size\n\n{what[0].upper()}{what[1:]}. {results['machine']}. {versions}.\n")
        for script, title in SCRIPTS.items():
            if script not in results["sections"]:
                continue
            own = results["sections"][script]
            options = f" {' '.join(own['options'])}" if own["options"] else ""
            plot = f"\n\n![growth](benchmarks_growth_{size}.svg)" if script == "growth" else ""
            how = f"`{script}.py --size {size}{options}`, {own['minutes']} min, load {own['load']}."
            parts.append(f"### {title}, {size}\n\n{how}\n\n{own['text']}{plot}\n")
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(SIZES), default="quick")
    parser.add_argument("--only", nargs="+", choices=list(SCRIPTS), default=list(SCRIPTS))
    parser.add_argument("--rounds", help="of every benchmark (default: 5, growth 3)")
    parser.add_argument("--threads", help="of every process (default: all cores)")
    parsed = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{parsed.size}.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"sections": {}}
    for script in parsed.only:
        options = [f"--{name}={value}" for name in ("rounds", "threads") if (value := getattr(parsed, name))]
        results["sections"][script] = run(script, parsed.size, options)
        results |= machine()
        path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
