"""How long a study of 2 x 300 slices takes, how much memory, and how long the headers of a tree of 20,000 files.

Noise is the slowest image to compress: a real study takes less. Prints CPU seconds (user + system), seconds on the
clock, and the largest memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

from dicom_files import ct_series, pet_series, write

from ct2pet.conversion import convert_dicom
from ct2pet.dicom.tree import scan_tree
from ct2pet.volume import Grid

SLICES = 300


def write_study(folder: Path, pet_pixels: int) -> None:
    """A CT of 512 x 512 and a PET of ``pet_pixels`` squared, 300 slices each, of noise."""
    rng = np.random.default_rng(0)
    ct = Grid((SLICES, 512, 512), (3.0, 0.98, 0.98), (-250.0, -250.0, 0.0))
    size = 700 / pet_pixels
    pet = Grid((SLICES, pet_pixels, pet_pixels), (3.0, size, size), (-350.0, -350.0, 0.0))
    write(ct_series(grid=ct, array=rng.integers(-1000, 1000, ct.shape, dtype=np.int16)), folder / "ct")
    write(pet_series(grid=pet, array=rng.random(pet.shape, dtype=np.float32) * 20000), folder / "pet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pet_pixels", type=int, default=400)
    parser.add_argument("--files", type=int, default=20000, help="of the tree whose headers are read")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pid = os.fork()
        if not pid:  # so that making the data does not count as memory of the conversion
            write_study(folder / "study", parsed.pet_pixels)
            os._exit(0)
        os.waitpid(pid, 0)
        os.environ.update(ct2pet_raw=str(folder / "raw"))
        start, clock = time.process_time(), time.monotonic()
        conversion = convert_dicom(folder / "study", 1, "SPEED", num_processes=1)
        assert conversion.new == ("SPEED_0001",), conversion
        print(f"2 x {SLICES} slices: {time.process_time() - start:.1f} s CPU, {time.monotonic() - clock:.1f} s")
        print(f"largest memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
        source = sorted((folder / "study" / "pet").iterdir())
        tree = folder / "tree"
        tree.mkdir()
        for number in range(parsed.files):
            (tree / f"{number}").symlink_to(source[number % len(source)])
        start = time.process_time()
        scan_tree(tree, progress=True)
        print(f"headers of {parsed.files} files: {time.process_time() - start:.1f} s CPU")


if __name__ == "__main__":
    main()
