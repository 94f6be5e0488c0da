"""A thousand small cases through preprocessing and evaluation on a Dask cluster: time and memory against workers.

Run: python benchmarks/cluster.py [--cases 1000] [--workers 0 1 2]
Scheduler and workers are processes of this machine, of one thread each, as ``dask scheduler`` and ``dask worker`` start
them; 0 workers is one process without Dask. The cases are one phantom-like case of some thousand voxels under many
names. CPU seconds (user and system) are those of the command, the scheduler and the workers together, with their start.
Memory (MiB, resident) is that of the largest worker and of the scheduler, after a quarter of the time and at the end,
and that of the command at its peak.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

TITLES = (
    *("stage", "workers", "cases", "s", "cases a s", "CPU s"),
    *("worker MiB, quarter", "worker MiB, end", "scheduler MiB, quarter", "scheduler MiB, end", "command MiB"),
)
STAGES = ("preprocess", "evaluate")
NUMBER = "777"
SIZE = "24x48"  # slices x pixels of the CT


def prepare(folder: Path, cases: int) -> None:
    """A raw dataset of links to one case, its plans, and predictions that are 0.9 of the PET."""
    from _whole_body import CASE, make_case, write_case

    from ct2pet.api.planning import extract_fingerprint, plan
    from ct2pet.imageio import write_volume

    raw = write_case(folder, SIZE, 2)
    extract_fingerprint(NUMBER, num_processes=1)
    plan(NUMBER, device="cpu", gpu_memory_target=1.0)
    shutil.rmtree(raw)  # the plans need no thousand cases
    write_case(folder, SIZE, cases)
    for kind in ("images", "targets", "districts"):
        (raw / f"{kind}Ts").symlink_to(raw / f"{kind}Tr")
    pet = make_case(SIZE)["pet"]
    first = folder / "predictions" / f"{CASE}.nii.gz"
    write_volume(first, pet.with_array(pet.array * 0.9))
    for number in range(2, cases + 1):
        first.with_name(f"case_{number:04d}.nii.gz").symlink_to(first)


def command(stage: str, folder: Path) -> list[str]:
    arguments = ["-d", NUMBER] if stage == "preprocess" else ["-d", NUMBER, "-i", str(folder / "predictions")]
    code = f"import sys; from ct2pet.cli.{stage} import main; sys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", code, *arguments]


@contextlib.contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[psutil.Process]]]:
    """The address of a scheduler; its process and those of its workers."""
    import distributed

    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    local = ["--host", "127.0.0.1"]
    processes = [subprocess.Popen([*dask, "scheduler", *local, "--port", "0", "--scheduler-file", file], **quiet)]
    try:
        while not (file.exists() and file.read_text()):
            time.sleep(0.1)
        one = [*dask, "worker", "--scheduler-file", file, *local, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        processes += [subprocess.Popen(one, **quiet) for _ in range(workers)]
        with distributed.Client(scheduler_file=str(file), set_as_default=False) as client:
            client.wait_for_workers(workers)
            address = client.scheduler.address
        yield address, [psutil.Process(process.pid) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()


class Memory(threading.Thread):
    """Reads twice a second the resident memory (MiB) of the largest worker, the scheduler and the command: ``seen``."""

    def __init__(self, cluster: list[psutil.Process], command: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.parts = cluster[1:], cluster[:1], [command]
        self.seen: list[list[float]] = []
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.5):
            with contextlib.suppress(psutil.Error, ValueError):
                self.seen.append(
                    [max((one.memory_info().rss for one in part), default=0) / 2**20 for part in self.parts]
                )


def measured(stage: str, folder: Path, workers: int, cases: int) -> list[str]:
    """A row of the table: one run of one stage."""
    for store in (folder / "preprocessed").glob("*/ct2petPlans_*"):
        if stage == "preprocess":
            shutil.rmtree(store)
    before = cpu_seconds()
    with cluster(folder, workers) if workers else contextlib.nullcontext(("", [])) as (address, processes):
        line = command(stage, folder) + (["--dask", address] if workers else ["-np", "1"])
        started = time.monotonic()
        run = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        memory = Memory(processes, psutil.Process(run.pid))
        memory.start()
        code = run.wait()
        seconds = time.monotonic() - started
        memory.ended.set()
        memory.join()
    assert code == 0, f"{stage} ended with exit code {code}"
    early, last = memory.seen[len(memory.seen) // 4], memory.seen[-1]
    spent = cpu_seconds() - before
    mib = [early[0], last[0], early[1], last[1], max(seen[2] for seen in memory.seen)]
    numbers = [f"{seconds:.0f}", f"{cases / seconds:.1f}", f"{spent:.0f}", *(f"{value:.0f}" for value in mib)]
    return [stage, str(workers), str(cases), *numbers]


def cpu_seconds() -> float:
    """Of all processes that were started and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in ("raw", "preprocessed", "results"):
            os.environ[f"ct2pet_{kind}"] = str(folder / kind)
        prepare(folder, arguments.cases)
        print(f"| {' | '.join(TITLES)} |\n|{'---|' * len(TITLES)}", flush=True)
        for workers in arguments.workers:
            for stage in STAGES:
                print(f"| {' | '.join(measured(stage, folder, workers, arguments.cases))} |", flush=True)


if __name__ == "__main__":
    main()
