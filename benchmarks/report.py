"""Size of a report of 20 whole-body cases with slices, and how long a browser takes to open it.

Run: python benchmarks/report.py [FILE]   (with the packages of [dev], and a Chromium or Chrome)
Prints seconds of a processor for each case's pictures, MB, seconds (by the clock) until the page is open and until a
case's slices are unpacked and drawn, and the seconds of a processor that the process of the page takes for both. Two
phantoms on a clinical scanner stand for all: each case gets noise of its own.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.ndimage import gaussian_filter

from ct2pet.dataset.fields import ct_to_pet
from ct2pet.evaluation import evaluate_case_and_baselines
from ct2pet.evaluation.summary import summarise
from ct2pet.phantom import CLINICAL, DISTRICTS, make_patient, scan
from ct2pet.report import write_report
from ct2pet.report.case_pictures import CaseContent, case_content
from ct2pet.report.region_maps import region_map
from ct2pet.volume import Volume

NUM_CASES, PHANTOMS = 20, (3, 4)
TRIES = 3


def phantom(seed: int) -> tuple[Volume, Volume, Volume, Volume, Volume]:
    """CT, real and (blurred) synthetic PET, districts and lesions."""
    found = scan(make_patient(seed), CLINICAL)
    fake = found.pet.with_array(gaussian_filter(found.pet.array, 1.5) * np.float32(0.8))
    return found.ct, found.pet, fake, found.districts, found.lesions


def noisy(volume: Volume, seed: int) -> Volume:
    """Another 5% of noise."""
    noise = np.random.default_rng(seed).normal(1.0, 0.05, volume.array.shape)
    return volume.with_array((volume.array * noise).astype(np.float32))


def write(path: Path) -> float:
    """The report; seconds of a processor for the pictures and slices of a case."""
    results, contents, seconds = {}, {}, 0.0
    for number, seed in enumerate(PHANTOMS):
        ct, real, fake, districts, lesions = phantom(seed)
        print(f"phantom {number + 1}: CT {ct.grid.shape}, PET {real.grid.shape}", flush=True)
        result = evaluate_case_and_baselines(fake, real, districts, DISTRICTS, lesions, body_median_suv=0.5)
        for copy in range(NUM_CASES // len(PHANTOMS)):
            name = f"phantom_{number}_{copy:02d}"
            own = noisy(real, copy)
            started = time.process_time()
            regions = region_map(own, districts, DISTRICTS, lesions)
            contents[name] = case_content(ct, own, fake, ct_to_pet()["CT"], regions)
            seconds += time.process_time() - started
            results[name] = result
    write_report(path, summarise(results, {"ct2pet_version": "benchmark"}), _in_order(contents))
    voxels = sorted(content.volumes.voxel_mm for content in contents.values())
    print(f"slices: voxels of {voxels[0]:.1f} to {voxels[-1]:.1f} mm")
    return seconds / NUM_CASES


def _in_order(contents: dict[str, CaseContent]) -> dict[str, CaseContent]:
    return {name: contents[name] for name in sorted(contents)}


def open_seconds(path: Path) -> tuple[float, float, float]:
    """Seconds until the page is loaded, and from the opening of a case until its slices are drawn; seconds of a
    processor of the page's process, which other programs on the machine do not change."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        started = time.monotonic()
        page.goto(path.resolve().as_uri())
        loaded = time.monotonic()
        page.locator("details.case").first.scroll_into_view_if_needed()
        page.wait_for_selector("#viewer[data-drawn]")
        drawn = time.monotonic()
        processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
        browser.close()
    busy = max(process["cpuTime"] for process in processes if process["type"] == "renderer")
    return loaded - started, drawn - loaded, busy


def main(path: Path) -> None:
    seconds = write(path)
    print(f"{NUM_CASES} cases: {path.stat().st_size / 1e6:.1f} MB, {seconds:.1f} s of a processor for each")
    for _ in range(TRIES):
        opened, drawn, busy = open_seconds(path)
        print(f"open after {opened:.1f} s, slices drawn {drawn:.1f} s later; {busy:.1f} s of a processor")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as temporary:
            main(Path(temporary) / "report.html")
