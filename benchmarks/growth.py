"""Time and memory of every stage as the volume grows, and as the cases grow. Draws a plot.

Run: python benchmarks/growth.py [--size quick|full] [--plot FILE] [--volumes 163x256 326x512] [--cases 16 64]
Every point is a separate process, from the start of Python to the files on disk. Memory is that of the largest
process; several cases share two processes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from _measure import Figures, in_turns, run_process

VOLUMES = {"quick": ["64x128", "128x128", "163x256"], "full": ["128x128", "200x256", "326x384", "326x512", "600x512"]}
CASES = {"quick": [1, 4, 16], "full": [1, 4, 16, 64]}
CASE_SIZE = "64x128"
STAGES = ("fingerprint", "preprocess", "predict", "evaluate")
OF_CASES = ("preprocess", "evaluate")


def prepare(folder: Path, size: str, copies: int) -> None:
    """A dataset whose test cases are its training cases, plans, a model and predictions."""
    from _model import write_model
    from _whole_body import CASE, make_case, write_case

    from ct2pet.api.planning import extract_fingerprint, plan
    from ct2pet.imageio import write_volume

    raw = write_case(folder, size, copies)
    for kind in ("images", "targets", "districts"):
        (raw / f"{kind}Ts").symlink_to(raw / f"{kind}Tr")
    extract_fingerprint("777", num_processes=1)
    plan("777", device="cpu", gpu_memory_target=4.0)
    write_model(folder, size, 32, 4, 8)
    pet = make_case(size)["pet"]
    first = folder / "predictions" / f"{CASE}.nii.gz"
    write_volume(first, pet.with_array(pet.array * 0.9))
    for number in range(2, copies + 1):
        first.with_name(f"case_{number:04d}.nii.gz").symlink_to(first)


def stage(name: str, folder: Path, processes: str) -> None:
    """In a process of its own: one of the stages."""
    import importlib

    raw = next((folder / "raw").iterdir())
    commands = {
        "fingerprint": ("extract_fingerprint", ["-d", "777", "-np", processes]),
        "preprocess": ("preprocess", ["-d", "777", "-c", "head", "trunk", "arms", "legs", "-np", processes]),
        "predict": ("predict", ["-i", str(raw / "imagesTs"), "-o", str(folder / "out")]),
        "evaluate": ("evaluate", ["-d", "777", "-i", str(folder / "predictions"), "-np", processes]),
    }
    for store in (folder / "preprocessed").glob("*/ct2petPlans_*"):
        shutil.rmtree(store)
    module, arguments = commands[name]
    assert importlib.import_module(f"ct2pet.cli.{module}").main(arguments) == 0


def measured(folder: Path, volumes: list[str], cases: list[int], rounds: int) -> dict[str, Figures]:
    commands = {}
    points = [(volume, volume, 1, "1", STAGES) for volume in volumes]
    points += [(f"{count} cases", CASE_SIZE, count, "2", OF_CASES) for count in cases]
    for point, size, copies, processes, stages in points:
        own = folder / point.replace(" ", "_")
        script = [sys.executable, __file__, "--folder", str(own)]
        run_process([*script, "--prepare", size, str(copies)])
        commands |= {f"{name} {point}": [*script, "--stage", name, processes] for name in stages}
    return in_turns(commands, rounds)


def table(figures: Mapping[str, Figures], points: Mapping[str, str], stages: tuple[str, ...], first: str) -> str:
    """A row a point {title: the end of its arms' names}, seconds of processors and peak memory of each stage."""
    titles = [first, *(f"{name}, {unit}" for name in stages for unit in ("CPU s", "s", "MiB"))]
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)]]
    for title, key in points.items():
        row = [title]
        for name in stages:
            own = figures[f"{name} {key}"]
            row += [f"{own.of('cpu_seconds'):.1f}", f"{own.of('seconds'):.1f}", f"{own.of('peak_mib'):.0f}"]
        lines.append(row)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def growth(figures: Mapping[str, Figures], volumes: list[str], cases: list[int]) -> str:
    """The growth of time and memory over the last step of volumes and of cases, beside that of the volumes and
    cases."""

    def times(name: str, number: str, points: list[str]) -> float:
        last, before = (figures[f"{name} {point}"].of(number) for point in (points[-1], points[-2]))
        return last / before

    lines = []
    for stages, points, what, step in (
        (STAGES, volumes, "voxels", voxels(volumes[-1]) / voxels(volumes[-2])),
        (OF_CASES, [f"{count} cases" for count in cases], "cases", cases[-1] / cases[-2]),
    ):
        for number, unit in (("cpu_seconds", "CPU seconds"), ("peak_mib", "peak memory")):
            each = ", ".join(f"{name} {times(name, number, points):.1f}" for name in stages)
            lines.append(f"* {step:.1f} times the {what} in the last step, times the {unit}: {each}")
    return "\n".join(lines)


def voxels(volume: str) -> int:
    slices, pixels = map(int, volume.split("x"))
    return slices * pixels**2


def draw(path: Path, figures: Mapping[str, Figures], volumes: list[str], cases: list[int]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    chart, axes = pyplot.subplots(2, 2, figsize=(9, 7), layout="constrained")
    millions = [voxels(volume) / 1e6 for volume in volumes]
    kinds = [
        (STAGES, millions, volumes, "million voxels of the CT"),
        (OF_CASES, cases, [f"{count} cases" for count in cases], "cases, two processes"),
    ]
    for column, (stages, x, keys, label) in enumerate(kinds):
        for row, (number, unit) in enumerate((("cpu_seconds", "CPU seconds"), ("peak_mib", "peak MiB"))):
            for name in stages:
                y = [figures[f"{name} {key}"].of(number) for key in keys]
                axes[row, column].plot(x, y, "o-", label=name)
            axes[row, column].set(xlabel=label, ylabel=unit, xlim=(0, None), ylim=(0, None))
            axes[row, column].legend()
    chart.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["quick", "full"], default="quick")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="1")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--volumes", nargs="+", metavar="ZxX", help="slices x pixels, two at least (default: by size)")
    parser.add_argument("--cases", type=int, nargs="+", metavar="N", help="two numbers at least (default: by size)")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--prepare", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--stage", nargs=2, help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    folder = parsed.folder
    if parsed.prepare or parsed.stage:
        os.environ.update({f"ct2pet_{kind}": str(folder / kind) for kind in ("raw", "preprocessed", "results")})
        with contextlib.redirect_stdout(sys.stderr):
            if parsed.prepare:
                prepare(folder, parsed.prepare[0], int(parsed.prepare[1]))
            else:
                stage(parsed.stage[0], folder, parsed.stage[1])
        return
    os.environ["OMP_NUM_THREADS"] = parsed.threads
    volumes, cases = parsed.volumes or VOLUMES[parsed.size], parsed.cases or CASES[parsed.size]
    with tempfile.TemporaryDirectory() as temporary:
        figures = measured(Path(temporary), volumes, cases, parsed.rounds)
    sizes = {"{1}²×{0}".format(*volume.split("x")): volume for volume in volumes}
    print(table(figures, sizes, STAGES, "one CT"))
    print()
    print(table(figures, {str(count): f"{count} cases" for count in cases}, OF_CASES, "cases"))
    print()
    print(growth(figures, volumes, cases))
    if parsed.plot:
        draw(parsed.plot, figures, volumes, cases)


if __name__ == "__main__":
    main()
